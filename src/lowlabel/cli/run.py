"""`lowlabel run`: the main job, from images to a leaderboard."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.messages import USER_ERROR, say_error
from lowlabel.cli.resumable import resumable
from lowlabel.cli.run_options import ProtocolGroup, WhatGroup

if TYPE_CHECKING:
    from lowlabel.benchmarks import Plan, Request, Run
    from lowlabel.benchmarks.from_labels import MakeTrainer

_NEXT = (
    "lowlabel run --suite fewshot --model dino_vits16 --dataset folder:PATH\n"
    "(or --suite retrieval or classification; --model PATH.pth:ARCH; names: lowlabel list)"
)


@grouped
def run(
    *,
    what: WhatGroup,
    protocol: ProtocolGroup,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Score models on datasets and print a leaderboard; without arguments, the demo.

    Under torchrun all processes extract, and the first scores.
    """
    from lowlabel.benchmarks import make_plan, run_plan
    from lowlabel.benchmarks.describe import describe_plan
    from lowlabel.cli.galleries import gallery_writer
    from lowlabel.processes.world import planned_processes, will_be_main

    request = _request(what, protocol, data, backbone, machine)
    plan = make_plan(request)
    if what.dry_run:
        if will_be_main():
            typer.echo(describe_plan(plan, request))
        return
    if planned_processes() > 1:
        _extract_together(plan, request)
        if not will_be_main():
            return
    for note in plan.skipped:
        typer.echo(f"left out: {note}", err=True)
    with resumable():
        outcome = run_plan(plan, request, gallery_writer(request), _show)
    _report(outcome, request.output, f"your own model: {_NEXT}\n" * (request.suite == "demo"))


def _request(
    what: WhatGroup,
    protocol: ProtocolGroup,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> "Request":
    from lowlabel.benchmarks import Request
    from lowlabel.paths import results_dir

    if what.trust_code:
        from lowlabel.features import trust_code

        for model in what.model or ():
            trust_code(model)
    named = what.model or protocol.dataset or what.features
    return Request(
        suite=what.suite or ("all" if named else "demo"),
        output=what.output or results_dir(),
        model=tuple(what.model or ()),
        label=tuple(what.label or ()),
        features=what.features,
        features_key=what.features_key,
        features_of=what.features_of,
        ranking=what.ranking,
        options=protocol.asked(),
        settings=tuple(what.setting or ()),
        backbone=backbone.options(machine.own_device),
        extraction=machine.extraction(skip_bad_images=data.skip_bad_images),
        class_list=data.class_list,
        min_images=what.min_images,
        allow_partial=data.allow_partial,
        overwrite=what.overwrite,
        without=what.without,
        reasons=tuple(what.reason or ()),
        leakage=what.leakage,
        overlap=what.overlap,
        make_trainer=_trainer(what.model or (), machine.workers),
    )


def _extract_together(plan: "Plan", request: "Request") -> None:
    from lowlabel.benchmarks.embedding import extract_plan
    from lowlabel.processes.team import join_team

    with resumable(), join_team() as team:
        assert team is not None
        extract_plan(plan, request, team)


def _trainer(models: Sequence[str], workers: int) -> "MakeTrainer | None":
    """What trains models on labels; None, without importing it, if no model needs it."""
    from lowlabel.benchmarks.from_labels import is_scratch

    if not any(map(is_scratch, models)):
        return None
    from functools import partial

    from lowlabel.training.from_labels import make_label_trainer

    return partial(make_label_trainer, workers=workers)


def _show(outcome: "Run") -> None:
    """Shows the scores before a stage that takes long; the table at the end has them too."""
    from lowlabel.results.report import render_terminal

    typer.echo(f"{render_terminal(outcome.records)}\n\nWhat takes longer follows.", err=True)


def _report(outcome: "Run", output: Path, hint: str) -> None:
    """Prints the leaderboard of a run and writes that of all records; says what is missing.

    The path of the report comes last, below the hint.
    """
    from lowlabel.results import open_records, write_leaderboards
    from lowlabel.results.leaderboard import make_board
    from lowlabel.results.report import render_terminal, write_report

    for note in dict.fromkeys(outcome.left_out):
        typer.echo(f"left out: {note}", err=True)
    if outcome.records:
        found = open_records(output / "records")
        board = make_board(found.records, scored=found.scored)
        mine = found.of(outcome.records)
        others = len(mine) < len(found.records)  # of earlier runs, which the files show too
        shown = make_board(mine, scored=found.scored) if others else board
        typer.echo(render_terminal(shown))
        files = write_leaderboards(board, output)
        typer.echo(f"\nwritten: {', '.join(str(file) for file in files)}", err=True)
        if hint:
            typer.echo(f"\n{hint}", err=True)
        typer.echo(f"report: {write_report(board, output / 'report.html')}", err=True)
    for failure in outcome.failures:
        say_error(failure)
    if outcome.failures:
        raise typer.Exit(USER_ERROR)
