import numpy as np
import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.training.methods.patch_matching import (
    MATCHINGS,
    match_containing,
    match_reference,
    patch_centres,
)
from lowlabel.training.views.draws import draw_crop
from lowlabel.training.views.geometry import CropGeometry, geometry_tensor

GLOBAL, LOCAL = (0.4, 1.0), (0.05, 0.4)


def draw(random, scale, size, source=(256, 256), flip=0.5):
    return draw_crop(random, source, scale, (3 / 4, 4 / 3), size, flip)


def tensors(pairs):
    """Geometry [B, 8] of the first and of the second views."""
    stacked = torch.stack([geometry_tensor(pair) for pair in pairs])
    return stacked[:, 0], stacked[:, 1]


def lists(matches):
    """The pairs of each image."""
    return [
        list(zip(a[mask].tolist(), b[mask].tolist(), strict=True))
        for a, b, mask in zip(matches.a, matches.b, matches.mask, strict=True)
    ]


def centre(crop, patch, number):
    """Row and column of a patch's centre in the source image, in float64."""
    n = crop.size // patch
    row, column = divmod(number, n)
    if crop.flipped:
        column = n - 1 - column
    return np.array(
        [crop.top + (row + 0.5) * crop.height / n, crop.left + (column + 0.5) * crop.width / n]
    )


def containing(a, b, patch):
    """Containing patches, by loops."""
    n = b.size // patch
    found = []
    for number in range((a.size // patch) ** 2):
        row, column = centre(a, patch, number)
        y, x = (row - b.top) / b.height * n, (column - b.left) / b.width * n
        if 0 <= y < n and 0 <= x < n:
            place = n - 1 - int(x) if b.flipped else int(x)
            found.append((number, int(y) * n + place))
    return found


def reference(a, b, patch):
    """The reference's matching, by loops over numpy ranges."""
    axes = []
    for start, length in (("top", "height"), ("left", "width")):
        low = max(getattr(a, start), getattr(b, start))
        high = min(getattr(v, start) + getattr(v, length) for v in (a, b))
        if high <= low:
            return []
        cells = []
        for view in (a, b):
            n, extent = view.size // patch, getattr(view, length)
            first = round(n * (low - getattr(view, start)) / extent)
            cells.append([first + i for i in range(round(n * (high - low) / extent))])
            cells[-1] = [cell for cell in cells[-1] if cell < n]
            if start == "left" and view.flipped:
                cells[-1] = [n - 1 - cell for cell in cells[-1]]
        short = min(map(len, cells))
        axes.append(
            [[c[int(i)] for i in np.floor(np.linspace(0, len(c) - 1, short))] for c in cells]
            if short
            else [[], []]
        )
    (rows_a, rows_b), (columns_a, columns_b) = axes
    n_a, n_b = a.size // patch, b.size // patch
    return [
        (y * n_a + x, v * n_b + u)
        for y, v in zip(rows_a, rows_b, strict=True)
        for x, u in zip(columns_a, columns_b, strict=True)
    ]


ORACLES = {"containing": containing, "reference": reference}


@pytest.mark.parametrize("name", MATCHINGS)
@pytest.mark.parametrize(
    ("sizes", "patch"), [((224, 224), 16), ((96, 224), 16), ((224, 96), 32), ((56, 56), 8)]
)
def test_matchings_equal_loops(name, sizes, patch):
    """The crops of a batch differ; some are flipped, some are disjoint."""
    random = np.random.default_rng(0)
    scales = [GLOBAL if size == 224 else LOCAL for size in sizes]
    pairs = [
        [draw(random, scale, size, (301, 233)) for scale, size in zip(scales, sizes, strict=True)]
        for _ in range(60)
    ]
    expected = [ORACLES[name](a, b, patch) for a, b in pairs]
    assert lists(MATCHINGS[name](*tensors(pairs), patch)) == expected
    assert any(expected)
    if sizes == (56, 56):
        assert not all(expected)


@pytest.mark.parametrize("name", MATCHINGS)
def test_a_view_matches_itself(name):
    crop = CropGeometry(10, 20, 150, 90, 300, 200, False, 96)
    mirrored = CropGeometry(10, 20, 150, 90, 300, 200, True, 96)
    identity, swapped = lists(MATCHINGS[name](*tensors([(crop, crop), (crop, mirrored)]), 16))
    assert identity == [(i, i) for i in range(36)]
    assert dict(swapped) == {6 * y + x: 6 * y + 5 - x for y in range(6) for x in range(6)}


@pytest.mark.parametrize("name", MATCHINGS)
def test_disjoint_views_have_no_pairs(name):
    left = CropGeometry(0, 0, 100, 100, 200, 200, False, 224)
    right = CropGeometry(0, 100, 100, 100, 200, 200, True, 224)
    matches = MATCHINGS[name](*tensors([(left, right)]), 16)
    assert not matches.mask.any()
    assert not matches.a.any()
    assert not matches.b.any()


def test_centres():
    crops = [draw(np.random.default_rng(seed), GLOBAL, 64) for seed in range(8)]
    centres = patch_centres(geometry_tensor(crops), 16).numpy()
    expected = [[centre(crop, 16, number) for number in range(16)] for crop in crops]
    np.testing.assert_allclose(centres, expected, rtol=1e-7)


def errors(name, pairs):
    """Distances of matched centres, per axis in units of the larger of the two patches."""
    a, b = tensors(pairs)
    matches = MATCHINGS[name](a, b, 16)
    centres = [
        patch_centres(view, 16).gather(1, index[:, :, None].expand(-1, -1, 2))
        for view, index in ((a, matches.a), (b, matches.b))
    ]
    widths = torch.maximum(*(view[:, 2:4] / (view[:, 7:] // 16) for view in (a, b)))
    distances = ((centres[0] - centres[1]) / widths[:, None]).norm(dim=-1)
    return distances[matches.mask]


def test_accuracy_of_the_matchings():
    """3,000 pairs of DINO's views, 2 of 18 with a global student view."""
    random = np.random.default_rng(0)
    pairs = {False: [], True: []}
    for number in range(3000):
        local = number % 9 > 0
        student = draw(random, LOCAL, 96) if local else draw(random, GLOBAL, 224)
        pairs[local].append((student, draw(random, GLOBAL, 224)))
    found = {name: torch.cat([errors(name, part) for part in pairs.values()]) for name in MATCHINGS}
    assert found["reference"].mean() == pytest.approx(0.535, abs=0.015)
    assert (found["reference"] > 1).double().mean() == pytest.approx(0.06, abs=0.01)
    assert found["containing"].mean() == pytest.approx(0.313, abs=0.015)
    assert found["containing"].max() <= 2**-0.5 + 1e-9  # half a diagonal
    assert len(found["containing"]) > 1.05 * len(found["reference"])


def good():
    return geometry_tensor([CropGeometry(0, 0, 9, 9, 20, 20, False, 96)] * 2)


@pytest.mark.parametrize(
    ("change", "patch", "message"),
    [
        (lambda g: (g, g), 20, "96 pixels cannot be divided into patches of 20"),
        (lambda g: (g, g), 0, "patches of 0"),
        (lambda g: (g, g[:1]), 16, r"\(2, 8\) and \(1, 8\)"),
        (lambda g: (g[:, :5], g[:, :5]), 16, "shape"),
        (lambda g: (g, g + torch.tensor([0, 0, 0, 0, 1, 0, 0, 0])), 16, "2 of 2 pairs"),
        (lambda g: (g + torch.tensor([[0] * 8, [0] * 7 + [16]]), g), 16, r"sizes \[96, 112\]"),
    ],
)
def test_bad_geometry(change, patch, message):
    for match in (match_containing, match_reference):
        with pytest.raises(InputError, match=message):
            match(*change(good()), patch)
