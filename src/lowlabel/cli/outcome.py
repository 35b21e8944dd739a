"""The end of `lowlabel run`: what it prints and writes; and its jobs of a launcher."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lowlabel.cli.messages import USER_ERROR, say_error
from lowlabel.errors import number_of

if TYPE_CHECKING:
    from lowlabel.benchmarks import Plan, Request, Run
    from lowlabel.benchmarks.sweep import Sweep


def show_outcome(outcome: "Run", output: Path, hint: str) -> None:
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


def run_jobs(
    spec: str, planned: "Sequence[tuple[Plan, Request]]", *, dry_run: bool = False
) -> None:
    """Runs plans as jobs of a launcher, and says what became of them.

    Args:
        spec: The launcher.
        planned: Each suite's plan with what was asked for.
        dry_run: Print the jobs and stop.
    """
    from lowlabel.benchmarks.sweep import describe_jobs, run_sweep, sweep_jobs
    from lowlabel.cli.galleries import gallery_writer
    from lowlabel.processes.launchers import make_launcher

    launcher, output = make_launcher(spec), planned[0][1].output
    jobs = [job for plan, request in planned for job in sweep_jobs(plan, request)]
    for plan, _ in planned:
        for note in plan.skipped:
            typer.echo(f"left out: {note}", err=True)
    if dry_run:
        typer.echo(describe_jobs(jobs))
        return
    sweep = run_sweep(jobs, launcher, output, gallery_writer)
    _say(sweep)
    if not launcher.waits and (sweep.started or sweep.running):
        typer.echo("when they have ended, the same command shows the scores", err=True)
    show_outcome(sweep.run, output, "")


def _say(sweep: "Sweep") -> None:
    for job, log in sweep.again:
        typer.echo(f"failed before, started again: {job.title}; log: {log}", err=True)
    for job, submission in sweep.running:
        typer.echo(f"not ended: {job.title}, job {submission.job}; log: {submission.log}", err=True)
    for job, submission in sweep.started:
        typer.echo(f"started: {job.title}, job {submission.job}; log: {submission.log}", err=True)
    count = len(sweep.done) + len(sweep.running) + len(sweep.started)
    typer.echo(f"{number_of(count, 'jobs')}, done before: {len(sweep.done)}", err=True)
