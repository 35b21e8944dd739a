"""`lowlabel run`: the main job, from images to a leaderboard."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from lowlabel.cli.command import LoadingCommand, echo_once
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.outcome import run_jobs, show_outcome
from lowlabel.cli.run_options import ProtocolGroup, WhatGroup

if TYPE_CHECKING:
    from lowlabel.benchmarks import Plan, Request, Run
    from lowlabel.benchmarks.from_labels import MakeTrainer

_NEXT = (
    "lowlabel run --suite fewshot --model dino_vits16 --dataset folder:PATH\n"
    "(or --suite retrieval or classification; --model PATH.pth:ARCH; names: lowlabel list)"
)


class RunCommand(LoadingCommand):
    """Draws the demo's pictures, if they are wanted, while torch is imported on one core."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command beside the process that draws."""
        given = ctx.params
        suites = _suites(*map(given.get, ("suite", "model", "dataset", "features")))
        elsewhere = given["launcher"] or given["dry_run"] or "torch" in sys.modules
        if suites != ["demo"] or elsewhere:
            return super().invoke(ctx)
        from lowlabel.datasets.demo.ahead import drawn_ahead

        with drawn_ahead():
            return super().invoke(ctx)


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
    from lowlabel.benchmarks import Run, make_plan, run_plan
    from lowlabel.benchmarks.describe import describe_plan
    from lowlabel.cli.galleries import gallery_writer
    from lowlabel.processes.torchrun import planned_processes, will_be_main

    suites = _suites(what.suite, what.model, protocol.dataset, what.features)
    requests = [_request(suite, what, protocol, data, backbone, machine) for suite in suites]
    planned = [(make_plan(request), request) for request in requests]
    if what.launcher is not None:
        run_jobs(what.launcher, planned, dry_run=what.dry_run)
        return
    if what.dry_run:
        echo_once("\n\n".join(describe_plan(*each) for each in planned))
        return
    if planned_processes() > 1:
        _extract_together(planned)
        if not will_be_main():
            return
    outcome = Run()
    for plan, request in planned:
        for note in plan.skipped:
            typer.echo(f"left out: {note}", err=True)
        outcome.add(run_plan(plan, request, gallery_writer(request), _show))
    hint = f"your own model: {_NEXT}\n" if "demo" in suites else ""
    show_outcome(outcome, requests[0].output, hint)


def _suites(suite: Sequence[str] | None, *named: object) -> list[str]:
    """The suites that are asked for, once each; the demo if nothing is named."""
    return list(dict.fromkeys(suite or ["all" if any(named) else "demo"]))


def _request(
    suite: str,
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
    return Request(
        suite=suite,
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


def _extract_together(planned: "Sequence[tuple[Plan, Request]]") -> None:
    from lowlabel.benchmarks.embedding import extract_plan
    from lowlabel.processes.team import join_team

    with join_team() as team:
        assert team is not None
        for plan, request in planned:
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
