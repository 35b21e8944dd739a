"""One self-contained page from records."""

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from lowlabel.escaping import script_json
from lowlabel.paths import writable_dir, write_files
from lowlabel.results.leaderboard import Board, board_of
from lowlabel.results.record import Record
from lowlabel.results.render import footer
from lowlabel.results.report.figures import figures
from lowlabel.results.report.pictures import Picture, find_pictures
from lowlabel.results.report.pools import pooled
from lowlabel.results.report.tables import tables

_SCRIPTS = ("dom", "details", "tables", "charts", "filters", "main")
_NOTHING: Mapping[str, str] = {}


def render_report(
    records: Iterable[Record] | Board,
    pictures: Sequence[Picture] = (),
    published: Mapping[str, str] = _NOTHING,
    title: str = "lowlabel report",
) -> str:
    """Makes an HTML page that opens from a file and loads nothing.

    It has the leaderboards, which can be sorted and filtered, figures, pictures, and for each
    score a fold-out with every interval, the whole provenance and the command that repeats it.

    Args:
        records: The records.
        pictures: Pictures to show, such as those that a run saved beside its records.
        published: What published numbers must state to be shown; see `leaderboard`.
        title: Title of the page.

    Raises:
        InputError: If there are no records.
    """
    from jinja2 import Environment, StrictUndefined

    board = board_of(records, published)
    pool = pooled(board.records)
    data = {
        "records": pool.facts(),
        "sections": tables(board.sections, pool),
        "figures": figures(board.sections),
        "pictures": [picture.facts() for picture in pictures],
        "footer": footer(board.records),
    }
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        _asset("report.html")
    )
    return template.render(
        title=title.encode(errors="backslashreplace").decode(),
        style=_asset("report.css"),
        data=script_json(data),
        script="\n".join(_asset(f"{name}.js") for name in _SCRIPTS),
    )


def _asset(name: str) -> str:
    folder = resources.files("lowlabel.results") / "report" / "assets"
    return (folder / name).read_text(encoding="utf-8")


def write_report(
    records: Iterable[Record] | Board,
    file: Path,
    published: Mapping[str, str] = _NOTHING,
    *,
    pictures: Path | None = None,
) -> Path:
    """Writes the page of some records, with the pictures of a results folder.

    Args:
        records: The records.
        file: The HTML file; its folder is created if missing.
        published: See `render_report`.
        pictures: The results folder; that of `file` by default.

    Raises:
        InputError: If there are no records.
        DataError: If a picture cannot be read or the file cannot be written.
    """
    folder = pictures or file.parent
    title = f"lowlabel: {folder.resolve().name}"
    page = render_report(records, find_pictures(folder), published, title)
    writable_dir(file.parent)
    write_files({file: page})
    return file
