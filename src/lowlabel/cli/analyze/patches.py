"""`lowlabel analyze patch-matching`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.options import option
from lowlabel.cli.pictures import PictureFile, read_picture, save_picture
from lowlabel.errors import number_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from lowlabel.analysis import PatchedView
    from lowlabel.training.views.geometry import CropGeometry


def patch_matching(
    image: Annotated[Path, typer.Argument(help="An image file.")],
    output: PictureFile = None,
    patch: Annotated[int, option("Views", "Side of a patch in pixels.")] = 16,
    size: Annotated[int, option("Views", "Side of the global views in pixels.")] = 224,
    local: Annotated[
        bool,
        option("Views", "Match a global view with a local one, not another global.", "--local"),
    ] = False,
    local_size: Annotated[int, option("Views", "Side of the local view in pixels.")] = 96,
    seed: Annotated[int, option("Views", "Random seed of the crops and flips.")] = 0,
    matching: Annotated[
        str, option("Views", "containing (accurate) or reference (as PW-Self's authors).")
    ] = "containing",
    drawing: Annotated[
        str,
        option(
            "Results",
            "arcs (colours, and up to twelve pairs joined), colours, or lines (every pair joined).",
            "--draw",
        ),
    ] = "arcs",
    numbers: Annotated[
        bool, option("Results", "Write its number into each patch.", "--numbers")
    ] = (False),
    first: Annotated[
        int,
        option("Results", "Number of the first patch: 0, or 1 as PW-Self's authors count."),
    ] = 0,
    orientation: options.Orientation = "stored",
) -> None:
    """Draw two random views of an image with their corresponding patches, and list the pairs."""
    from typing import get_args

    from lowlabel.analysis import draw_matches
    from lowlabel.analysis.patch_matching import Drawing
    from lowlabel.errors import InputError, UnknownNameError
    from lowlabel.paths import results_dir
    from lowlabel.training.methods.patch_matching import MATCHINGS
    from lowlabel.training.views.geometry import geometry_tensor

    match = MATCHINGS[matching]
    if drawing not in get_args(Drawing):
        raise UnknownNameError("drawing", drawing, get_args(Drawing))
    if first not in (0, 1):
        raise InputError(f"first must be 0 or 1, not {first}")
    source = read_picture(image, orientation)
    crops = _draw_crops(source.size, size, local_size if local else None, seed)
    one, two = geometry_tensor(crops).split(1)
    matches = match(one, two, patch)
    a, b = matches.a[matches.mask].tolist(), matches.b[matches.mask].tolist()
    views = _view(source, crops[0], patch, size), _view(source, crops[1], patch, size)
    pairs = list(zip(a, b, strict=True))
    picture = draw_matches(source, views, pairs, drawing, numbers, first)  # type: ignore[arg-type]

    save_picture(picture, output or results_dir() / f"{image.stem}-patches.png")
    for number, patches in enumerate((a, b), 1):
        typer.echo(f"view {number}: {' '.join(str(each + first) for each in patches)}")
    typer.echo(f"{number_of(len(a), 'pairs')} of patches", err=True)


def _draw_crops(
    source: tuple[int, int], size: int, local_size: int | None, seed: int
) -> "tuple[CropGeometry, CropGeometry]":
    """A global crop, and another or a local one if that has a size."""
    import numpy as np

    from lowlabel.errors import InputError
    from lowlabel.training.views.draws import draw_crop
    from lowlabel.training.views.recipe import ViewRecipe

    if seed < 0:
        raise InputError(f"seed must be at least 0, not {seed}")
    recipe = ViewRecipe(global_size=size, local_size=local_size or size)
    random = np.random.default_rng(seed)
    second = recipe.global_scale if local_size is None else recipe.local_scale
    one, two = (
        draw_crop(random, source, scale, recipe.ratio, side, recipe.flip)
        for scale, side in ((recipe.global_scale, size), (second, recipe.local_size))
    )
    return one, two


def _view(source: "Image", crop: "CropGeometry", patch: int, size: int) -> "PatchedView":
    from lowlabel.analysis import PatchedView
    from lowlabel.training.views.multicrop import cut

    box = crop.left, crop.top, crop.left + crop.width, crop.top + crop.height
    picture, grid = cut(source, crop), crop.size // patch
    return PatchedView(picture, box, grid, crop.flipped, crop.size / size)
