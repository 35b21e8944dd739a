"""`lowlabel run`: the main job, from images to a leaderboard."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.run_options import ProtocolGroup

if TYPE_CHECKING:
    from lowlabel.benchmarks import Plan, Request

INTERRUPTED = 130


@grouped
def run(
    suite: Annotated[
        str | None,
        typer.Option(
            help="fewshot, fewshot-dc, fewshot-transductive, fewshot-all, fewshot-10way, "
            "fewshot-20way, knn, retrieval, all or demo.",
            show_default="all; demo if nothing is named",
            rich_help_panel="What",
        ),
    ] = None,
    model: options.Models = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a model in tables, once per --model. Repeats.", rich_help_panel="Model"
        ),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="Score embeddings made elsewhere (.npz or .h5 with features and labels; "
            "base_features, base_labels, gallery_features and gallery_labels are optional).",
            rich_help_panel="Data",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any other field of a protocol: PROTOCOL.field=value, as knn.neighbours=10. "
            "Repeats.",
            rich_help_panel="Protocol",
        ),
    ] = None,
    output: options.Output = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Score again what has a record.", rich_help_panel="Results"
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what would be done.", rich_help_panel="Results"),
    ] = False,
    *,
    protocol: ProtocolGroup,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Scores models on datasets and prints a leaderboard. Without arguments: the demo."""
    from lowlabel.benchmarks import Request, make_plan
    from lowlabel.benchmarks.describe import describe_plan
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
    _carry_out(plan, request)


def _carry_out(plan: "Plan", request: "Request") -> None:
    """Runs a plan and prints its leaderboard; Ctrl-C leaves everything resumable."""
    from lowlabel.benchmarks import run_plan
    from lowlabel.cli import USER_ERROR, say_error
    from lowlabel.cli.galleries import gallery_writer
    from lowlabel.progress import interruptible
    from lowlabel.results import load_records, render_markdown, write_leaderboards

    for note in plan.skipped:
        typer.echo(f"left out: {note}", err=True)
    try:
        with interruptible():
            outcome = run_plan(plan, request, gallery_writer(request))
    except KeyboardInterrupt:
        typer.echo("\ninterrupted: the same command goes on where this one stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None
    for note in dict.fromkeys(outcome.left_out):
        typer.echo(f"left out: {note}", err=True)
    if outcome.records:
        typer.echo(render_markdown(outcome.records))
        files = write_leaderboards(load_records(request.output / "records"), request.output)
        typer.echo(f"\nwritten: {', '.join(str(file) for file in files)}", err=True)
    for failure in outcome.failures:
        say_error(failure)
    if outcome.failures:
        raise typer.Exit(USER_ERROR)
