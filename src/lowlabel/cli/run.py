"""`lowlabel run`: the main job, from images to a leaderboard."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import names, options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import option
from lowlabel.cli.resumable import resumable
from lowlabel.cli.run_options import ProtocolGroup

if TYPE_CHECKING:
    from lowlabel.benchmarks import Run


@grouped
def run(
    suite: Annotated[
        str | None,
        option("What", f"{', '.join(names.suites())}.", default="all; demo if nothing is named"),
    ] = None,
    model: options.Models = None,
    label: Annotated[
        list[str] | None, option("Model", "Name of a model in tables, once per --model. Repeats.")
    ] = None,
    features: Annotated[
        Path | None,
        option(
            "Data",
            "Score embeddings made elsewhere (.npz or .h5 with features and labels; base_features, "
            "base_labels, gallery_features and gallery_labels are optional).",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        option(
            "Protocol",
            "Any other field: PROTOCOL.field=value, as knn.neighbours=10. Repeats. Protocols: "
            f"{', '.join(names.protocols())}.",
            "--set",
        ),
    ] = None,
    output: options.Output = None,
    overwrite: Annotated[
        bool, option("Results", "Score again what has a record.", "--overwrite")
    ] = False,
    dry_run: Annotated[bool, option("Results", "Print what would be done.", "--dry-run")] = False,
    *,
    protocol: ProtocolGroup,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Score models on datasets and print a leaderboard; without arguments, the demo."""
    from lowlabel.benchmarks import Request, make_plan, run_plan
    from lowlabel.benchmarks.describe import describe_plan
    from lowlabel.cli.galleries import gallery_writer
    from lowlabel.paths import results_dir

    request = Request(
        suite=suite or ("all" if model or protocol.dataset or features else "demo"),
        output=output or results_dir(),
        model=tuple(model or ()),
        label=tuple(label or ()),
        features=features,
        options=protocol.asked(),
        settings=tuple(setting or ()),
        backbone=backbone.options(machine.device),
        extraction=machine.extraction(skip_bad_images=data.skip_bad_images),
        allow_partial=data.allow_partial,
        overwrite=overwrite,
    )
    plan = make_plan(request)
    if dry_run:
        typer.echo(describe_plan(plan, request))
        return
    for note in plan.skipped:
        typer.echo(f"left out: {note}", err=True)
    with resumable():
        outcome = run_plan(plan, request, gallery_writer(request))
    _report(outcome, request.output)


def _report(outcome: "Run", output: Path) -> None:
    """Prints the leaderboard of a run and writes that of all records; says what is missing."""
    from lowlabel.cli import USER_ERROR, say_error
    from lowlabel.results import load_records, render_markdown, write_leaderboards

    for note in dict.fromkeys(outcome.left_out):
        typer.echo(f"left out: {note}", err=True)
    if outcome.records:
        typer.echo(render_markdown(outcome.records))
        files = write_leaderboards(load_records(output / "records"), output)
        typer.echo(f"\nwritten: {', '.join(str(file) for file in files)}", err=True)
    for failure in outcome.failures:
        say_error(failure)
    if outcome.failures:
        raise typer.Exit(USER_ERROR)
