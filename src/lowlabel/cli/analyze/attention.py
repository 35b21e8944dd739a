"""`lowlabel analyze attention`."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup
from lowlabel.cli.options import option
from lowlabel.cli.pictures import PictureFile, picture_format, read_picture, save_picture

if TYPE_CHECKING:
    from lowlabel.analysis.attention import Seen

_SHOWN = ("attention", "pca")
_MOST_OF_NAME = 60


def attention(
    image: Annotated[list[Path], typer.Argument(help="One or several image files.")],
    model: options.Models = None,
    output: PictureFile = None,
    block: Annotated[
        str | None,
        option(
            "Results",
            "Number of the block (11; -1 is the last one) or its name (blocks.11).",
            default="the last one",
        ),
    ] = None,
    threshold: Annotated[
        float, option("Results", "Share of the attention in the mask, above 0 and at most 1.")
    ] = 0.6,
    show: Annotated[
        list[str] | None,
        option(
            "Results",
            "attention (of the class token) or pca (patch tokens as colours). Repeats.",
            default="both",
        ),
    ] = None,
    foreground: Annotated[
        bool,
        option("Results", "Draw the background of the patch colours black.", "--foreground"),
    ] = False,
    resolution: options.Resolution = None,
    resize: options.Resize = None,
    interpolation: options.Interpolation = None,
    framing: options.Framing = None,
    orientation: options.Orientation = "stored",
    dtype: options.Dtype = "float32",
    device: options.Device = "auto",
) -> None:
    """Draw what the class token of models attends to in images, and their patch tokens."""
    from lowlabel.analysis.attention import Pictured, draw_sheet, see
    from lowlabel.features.key import slug
    from lowlabel.paths import results_dir

    shown = _checked(show, model, threshold, foreground)
    stem = slug("-".join(path.stem for path in image))[:_MOST_OF_NAME]
    output = output or results_dir() / f"{stem}-attention.png"
    picture_format(output)
    backbones = BackboneGroup(
        None, resolution, resize, interpolation, framing, False, orientation, dtype
    )
    sizes = {path: read_picture(path, orientation).size for path in image}
    seen: dict[Path, list[Seen]] = {path: [] for path in sizes}
    for spec in model or ():
        backbone = backbones.load(spec, device)
        found = see(
            backbone,
            sizes,
            block=block,
            attention="attention" in shown,
            colours="pca" in shown,
            foreground=foreground,
        )
        for path, each in zip(sizes, found, strict=True):
            seen[path].append(each)
    sheet = draw_sheet(
        [
            Pictured(title, size, partial(read_picture, path, orientation), seen[path])
            for title, (path, size) in zip(_titles(list(sizes)), sizes.items(), strict=True)
        ],
        threshold,
    )
    if min(sheet.scales) < 1:
        typer.echo(
            f"images are drawn at {100 * min(sheet.scales):.0f} % of their size: at full size the "
            "picture would be too large; give fewer images or models at once",
            err=True,
        )
    save_picture(sheet.picture, output)


def _titles(paths: list[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    titles = [path.name for path in paths]
    for parts in range(2, max(len(path.parts) for path in paths) + 1):
        if len(set(titles)) == len(titles):
            break
        titles = [str(Path(*path.parts[-parts:])) for path in paths]
    return titles


def _checked(
    show: list[str] | None, model: list[str] | None, threshold: float, foreground: bool
) -> tuple[str, ...]:
    """The pictures to show, after what needs no model is checked."""
    from lowlabel.analysis.attention import check_threshold
    from lowlabel.arrays import require_name
    from lowlabel.errors import InputError

    shown = tuple(show or _SHOWN)
    for name in shown:
        require_name("picture", name, _SHOWN)
    if not model:
        raise InputError("attention needs a --model", "For example: --model dino_vits16")
    check_threshold(threshold)
    if foreground and "pca" not in shown:
        raise InputError("--foreground belongs to the patch colours", "Add --show pca.")
    return shown
