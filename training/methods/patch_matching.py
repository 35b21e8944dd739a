"""Matching of patches that show the same part of an image in two views.

Patches are numbered row by row like a ViT's tokens, without the CLS token. Both matchings work on
a batch whose images may have different crops.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.registry import Registry
from lowlabel.training.views.geometry import GEOMETRY_FIELDS

_FLIPPED = GEOMETRY_FIELDS.index("flipped")
_SIZE = GEOMETRY_FIELDS.index("size")
_SOURCE = [GEOMETRY_FIELDS.index(name) for name in ("source_height", "source_width")]
_ROWS = [GEOMETRY_FIELDS.index(name) for name in ("top", "height")]
_COLUMNS = [GEOMETRY_FIELDS.index(name) for name in ("left", "width")]


@dataclass(frozen=True)
class Matches:
    """Pairs of patches of two views, padded to the same number of pairs for each image.

    Attributes:
        a: Patches of the first view, int64 [B, N]; 0 where there is no pair.
        b: Their partners in the second view, int64 [B, N]; 0 where there is no pair.
        mask: Where there is a pair, bool [B, N].
    """

    a: Tensor
    b: Tensor
    mask: Tensor

    @classmethod
    def of(cls, a: Tensor, b: Tensor, mask: Tensor) -> "Matches":
        """Makes matches, with 0 where the mask is False."""
        return cls(a.where(mask, 0), b.where(mask, 0), mask)

    def to(self, device: torch.device) -> "Matches":
        """The same pairs on another device."""
        return Matches(self.a.to(device), self.b.to(device), self.mask.to(device))


class Matching(Protocol):
    """A way to match the patches of two views."""

    def __call__(self, geometry_a: Tensor, geometry_b: Tensor, patch: int) -> Matches:
        """Matches the patches, of side `patch`, of views with geometries int64 [B, 8]."""
        ...


MATCHINGS: Registry[Matching] = Registry("patch matching")


def match_containing(geometry_a: Tensor, geometry_b: Tensor, patch: int) -> Matches:
    """Matches each patch of view a with the patch of view b that contains its centre.

    Uses integer arithmetic, so no rounding moves a centre across a border. Several patches of a
    can have the same partner in b.

    Args:
        geometry_a: Crops of the first views, int64 [B, 8] in the order of `GEOMETRY_FIELDS`.
        geometry_b: Crops of the second views of the same images.
        patch: Side of a patch in pixels of a view.

    Returns:
        One column for each patch of a, in order; the mask is False if its centre is outside b.

    Raises:
        InputError: If the views of a batch differ in size, the images of a pair differ in size,
            or a view's side is not a multiple of `patch`.
    """
    n_a, n_b = _grids(geometry_a, geometry_b, patch)
    rows, columns = (
        _containing(geometry_a[:, field], geometry_b[:, field], n_a, n_b)
        for field in (_ROWS, _COLUMNS)
    )
    columns = _mirror(columns, geometry_b, n_b)
    columns = torch.where(geometry_a[:, _FLIPPED, None] > 0, columns.flip(1), columns)
    inside = _inside(rows, n_b)[:, :, None] & _inside(columns, n_b)[:, None, :]
    partners = rows[:, :, None] * n_b + columns[:, None, :]
    patches = torch.arange(n_a * n_a, device=rows.device).expand(len(rows), -1)
    return Matches.of(patches, partners.flatten(1), inside.flatten(1))


def match_reference(geometry_a: Tensor, geometry_b: Tensor, patch: int) -> Matches:
    """Matches as PW-Self's authors do: the intersection of the crops, rounded to whole patches.

    With n patches per side, the intersection starts in each view at round(n·offset/length) and has
    round(n·extent/length) patches, along rows and along columns (halves round to even). If the
    counts differ, the longer is subsampled at floor(linspace(0, longer − 1, shorter)). Flipped
    views are mirrored. (Javidani, Sadeghi, Nadjar Araabi, arXiv:2310.18651.)

    Args:
        geometry_a: Crops of the first views, int64 [B, 8] in the order of `GEOMETRY_FIELDS`.
        geometry_b: Crops of the second views of the same images.
        patch: Side of a patch in pixels of a view.

    Returns:
        Every patch is in at most one pair.

    Raises:
        InputError: As `match_containing`.
    """
    n_a, n_b = _grids(geometry_a, geometry_b, patch)
    rows_a, rows_b, rows_held = _overlap(geometry_a[:, _ROWS], geometry_b[:, _ROWS], n_a, n_b)
    columns_a, columns_b, columns_held = _overlap(
        geometry_a[:, _COLUMNS], geometry_b[:, _COLUMNS], n_a, n_b
    )
    columns_a = _mirror(columns_a, geometry_a, n_a)
    columns_b = _mirror(columns_b, geometry_b, n_b)
    held = rows_held[:, :, None] & columns_held[:, None, :]
    a = rows_a[:, :, None] * n_a + columns_a[:, None, :]
    b = rows_b[:, :, None] * n_b + columns_b[:, None, :]
    return Matches.of(a.flatten(1), b.flatten(1), held.flatten(1))


MATCHINGS.add("containing", match_containing)
MATCHINGS.add("reference", match_reference)


def patch_centres(geometry: Tensor, patch: int) -> Tensor:
    """Centres of a view's patches in the source image: (row, column), float64 [B, n², 2]."""
    n = _grid(geometry, patch)
    steps = (torch.arange(n, device=geometry.device) + 0.5) / n
    rows = geometry[:, _ROWS[0], None] + steps.double() * geometry[:, _ROWS[1], None]
    columns = geometry[:, _COLUMNS[0], None] + steps.double() * geometry[:, _COLUMNS[1], None]
    columns = torch.where(geometry[:, _FLIPPED, None] > 0, columns.flip(1), columns)
    grid = torch.broadcast_tensors(rows[:, :, None], columns[:, None, :])
    return torch.stack(grid, dim=-1).flatten(1, 2)


def _containing(crop_a: Tensor, crop_b: Tensor, n_a: int, n_b: int) -> Tensor:
    """Along one axis, the cell of b that contains the centre of each cell of a [B, n_a].

    The centre of cell i is at start + (2i + 1)·length / 2n. Values below 0 or from n_b on are
    outside b.
    """
    (start_a, length_a), (start_b, length_b) = crop_a.T[:, :, None], crop_b.T[:, :, None]
    odd = 2 * torch.arange(n_a, device=crop_a.device) + 1
    offsets = (start_a - start_b) * 2 * n_a + odd * length_a
    cells: Tensor = (offsets * n_b).div(2 * n_a * length_b, rounding_mode="floor")
    return cells


def _overlap(crop_a: Tensor, crop_b: Tensor, n_a: int, n_b: int) -> tuple[Tensor, Tensor, Tensor]:
    """Along one axis, the cells of a and b in the intersection [B, min(n_a, n_b)], and a mask."""
    start = torch.maximum(crop_a[:, 0], crop_b[:, 0])
    extent = torch.minimum(crop_a.sum(1), crop_b.sum(1)) - start
    first_a, count_a = _rounded(crop_a, start, extent, n_a)
    first_b, count_b = _rounded(crop_b, start, extent, n_b)
    shorter = torch.minimum(count_a, count_b)[:, None]
    step = torch.arange(min(n_a, n_b), device=start.device)

    def spread(first: Tensor, count: Tensor) -> Tensor:
        gaps = (shorter - 1).clamp(min=1)
        return first[:, None] + (step * (count[:, None] - 1)).div(gaps, rounding_mode="floor")

    return spread(first_a, count_a), spread(first_b, count_b), step < shorter


def _rounded(crop: Tensor, start: Tensor, extent: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """First cell and number of cells of the intersection in a crop of n cells [B]."""
    first = (n * (start - crop[:, 0]) / crop[:, 1].double()).round().long()
    count = (n * extent / crop[:, 1].double()).round().long()
    # If n is odd, rounding both up can exceed the crop by one cell.
    return first, torch.minimum(count, n - first).clamp(min=0)


def _mirror(columns: Tensor, geometry: Tensor, n: int) -> Tensor:
    return torch.where(geometry[:, _FLIPPED, None] > 0, n - 1 - columns, columns)


def _inside(cells: Tensor, n: int) -> Tensor:
    return (cells >= 0) & (cells < n)


def _grids(geometry_a: Tensor, geometry_b: Tensor, patch: int) -> tuple[int, int]:
    if geometry_a.shape != geometry_b.shape:
        shapes = f"{tuple(geometry_a.shape)} and {tuple(geometry_b.shape)}"
        raise InputError(f"the geometries of the two views differ in shape: {shapes}")
    grids = _grid(geometry_a, patch), _grid(geometry_b, patch)
    others = int((geometry_a[:, _SOURCE] != geometry_b[:, _SOURCE]).any(1).sum())
    if others:
        raise InputError(
            f"{others} of {len(geometry_a)} pairs of views come from images of different sizes"
        )
    return grids


def _grid(geometry: Tensor, patch: int) -> int:
    """Patches along a side of the views."""
    if geometry.ndim != 2 or geometry.shape[1] != len(GEOMETRY_FIELDS) or not len(geometry):
        raise InputError(
            f"geometry must have the shape [images, {len(GEOMETRY_FIELDS)}], not "
            f"{tuple(geometry.shape)}"
        )
    sizes = geometry[:, _SIZE].unique().tolist()
    if len(sizes) > 1:
        raise InputError(f"the views of a batch must have one size, not the sizes {sizes}")
    size = int(sizes[0])
    if patch < 1 or size < patch or size % patch:
        raise InputError(f"a view of {size} pixels cannot be divided into patches of {patch}")
    return size // patch
