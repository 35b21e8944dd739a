"""`lowlabel report`, `lowlabel compare` and `lowlabel check`: from records alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.options import option

if TYPE_CHECKING:
    from lowlabel.results import ScoredRecord

BEFORE_AND_AFTER = ("frozen", "tuned")


def report(
    records: Annotated[
        Path | None,
        typer.Argument(
            help="A results folder, a folder of records, a record or an archive (.tar.xz).",
            show_default=options.RESULTS_FOLDER,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        option(
            "Results",
            "Folder of the leaderboards; or a file FILE.html, the report as one page.",
            default="the records' folder",
        ),
    ] = None,
    archive: Annotated[
        bool,
        option(
            "Results",
            "Write leaderboard.tar.xz too: the records, without the scores of single tasks.",
            "--archive",
        ),
    ] = False,
    published: Annotated[
        list[str] | None,
        option(
            "Results",
            "Show only the published numbers that state this: pretraining=supervised or "
            "self-supervised, self_supervised=yes or no, meta_learned=yes or no, training=frozen "
            "or fine-tuned. Repeats.",
            default="all",
        ),
    ] = None,
) -> None:
    """Make the leaderboards from records, or a page that people share; nothing is scored."""
    from lowlabel.errors import InputError
    from lowlabel.paths import results_dir
    from lowlabel.results import archive_records, open_records, write_leaderboards
    from lowlabel.results.leaderboard import make_board
    from lowlabel.results.reference import parse_traits
    from lowlabel.results.report import write_report

    traits = parse_traits(published or ())
    source = records or results_dir()
    folder = source if source.is_dir() else source.parent
    page = output is not None and output.suffix.lower() == ".html"
    if page and archive:
        raise InputError(f"--archive does not go with {output}", "Name a folder: --output DIR")
    found = open_records(source)
    board = make_board(found.records, traits, found.scored)
    if output and page:
        file = write_report(board, output, pictures=folder)
        typer.echo(f"written: {file}")
        return
    folder = output or folder
    files = write_leaderboards(board, folder)
    if archive:
        files.append(folder / "leaderboard.tar.xz")
        archive_records(source, files[-1])
    typer.echo(f"written: {', '.join(str(file) for file in files)}")


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            help="A B [C ...]: records, results folders or names of models; or frozen tuned: base "
            "models of tuned ones. Differences are A - B. Three and more are ranked, too.",
        ),
    ],
    output: options.Output = None,
    interval: Annotated[
        str | None,
        option(
            "Results",
            "What the intervals of the differences are about: images, classes, tasks or queries.",
            default="images in few-shot, classes in retrieval",
        ),
    ] = None,
) -> None:
    """Compare models, results folders or records over identical tasks; exit code 2 if none are."""
    from lowlabel.errors import InputError
    from lowlabel.paths import results_dir
    from lowlabel.results import compare as paired
    from lowlabel.results import compare_several, compare_tuned, load_scored, render_comparison
    from lowlabel.results.comparison.render_several import render_several

    if len(names) < 2 or len({*names}) < len(names):
        raise InputError(
            f"{' '.join(names)}: two sides or more are compared, each named once",
            "lowlabel compare A B [C ...]",
        )
    folder = output or results_dir()
    if tuple(names) == BEFORE_AND_AFTER and not any(Path(name).exists() for name in names):
        frame = compare_tuned(load_scored(folder), interval=interval)
        text = render_comparison(frame)
    elif len(names) == 2:
        first, second = (_scored(name, folder) for name in names)
        frame = paired(first, second, interval=interval)
        text = render_comparison(frame)
    else:
        found = compare_several({name: _scored(name, folder) for name in names}, interval)
        frame, text = found.pairs, render_several(found)
    typer.echo(text)
    if frame["p"].isna().all():
        reasons = frame["reason"].value_counts()
        raise InputError(
            f"nothing was compared: {len(frame)} comparisons were refused, most often because: "
            f"{reasons.index[0]}",
            "Name records (JSON files), or folders or models whose records share tasks or queries.",
        )


def check(
    baseline: Annotated[Path, typer.Argument(help="A baseline file (JSON).")],
    output: options.Output = None,
    update: Annotated[
        bool, option("Baseline", "Write the baseline from the records instead.", "--update")
    ] = False,
    tolerance: Annotated[
        float | None,
        option(
            "Baseline",
            "Points that a mean may fall where it need not be equal; takes effect with --update.",
            default="0.1, one item or the score's own interval",
        ),
    ] = None,
) -> None:
    """Check records against a baseline: exit code 0 if it holds, 1 if not, 2 if not comparable."""
    from lowlabel.paths import results_dir
    from lowlabel.results import Baseline, load_records, make_baseline
    from lowlabel.results import check as check_records

    records = load_records(output or results_dir())
    if update:
        make_baseline(records, tolerance).save(baseline)
        typer.echo(f"written: {baseline}")
        return
    report = check_records(records, Baseline.load(baseline))
    typer.echo(report.render())
    raise typer.Exit(report.exit_code)


def _scored(name: str, folder: Path) -> "list[ScoredRecord]":
    from lowlabel.errors import DataError, UnknownNameError
    from lowlabel.results import load_scored

    path = Path(name)
    if path.exists():
        if found := load_scored(path):
            return found
        raise DataError(
            f"there are no records in {path.resolve()}",
            f"Make some with `lowlabel run --output {path}`. If {name} is a model, run this where "
            "no folder has its name.",
        )
    everything = load_scored(folder)
    names = {scored.record.experiment.model.name for scored in everything}
    if name not in names:
        error = UnknownNameError(f"file, folder or model with records in {folder}:", name, names)
        error.hint += f" Score a model first: lowlabel run --model {name}."
        raise error
    return [scored for scored in everything if scored.record.experiment.model.name == name]
