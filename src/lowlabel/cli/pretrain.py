"""`lowlabel pretrain`: a backbone from unlabelled images."""

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from lowlabel.cli import names
from lowlabel.cli.command import echo_once
from lowlabel.cli.groups import grouped
from lowlabel.cli.pretrain_options import ImagesGroup, RecipeGroup, RunGroup


@grouped
def pretrain(
    method: Annotated[
        str | None,
        typer.Argument(
            help=f"{', '.join(names.pretraining_methods())}.",
            show_default="the preset's, else dino",
        ),
    ] = None,
    *,
    images: ImagesGroup,
    recipe: RecipeGroup,
    run: RunGroup,
) -> None:
    """Train a backbone on images without their labels; under torchrun, on many GPUs."""
    from lowlabel.datasets.io.listing import shown_counts
    from lowlabel.errors import InputError
    from lowlabel.processes.torchrun import planned_processes
    from lowlabel.training import make_plan, preset_facts
    from lowlabel.training import pretrain as train

    if images.dataset is None:
        raise InputError("pretrain needs a --dataset", "Any folder works: --dataset folder:PATH")
    preset = preset_facts(recipe.preset)
    listed = Path(preset.class_list) if preset.class_list else None
    plan = make_plan(
        images.dataset,
        recipe.build(method),
        images.class_list or listed,
        recipe.start,
        allow_partial=images.allow_partial,
    )
    if note := shown_counts(plan.data.left_out):
        echo_once(f"left out: {plan.data.images.dataset}: {note}", err=True)
    sharing = preset.sharing(
        *(plan.batch_size, planned_processes(), run.accumulate),
        batch_norm=preset.gpus > 0 and plan.has_batch_norm,  # builds the networks to find out
    )
    if sharing:
        echo_once(sharing, err=True)
    if run.dry_run:
        echo_once(plan.describe())
        return
    run_options = run.build()
    if run.launcher is not None:
        from lowlabel.processes.launchers import make_launcher
        from lowlabel.training.submitted import submit

        typer.echo(submit(make_launcher(run.launcher), plan, run_options, run.device))
        return
    weights = train(plan, run_options, run.device)
    echo_once(f"{weights}\nscore it: lowlabel run --model {quote(str(weights))}")
