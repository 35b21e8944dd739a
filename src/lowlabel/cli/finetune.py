"""`lowlabel finetune`: a backbone tuned on labelled images with a metric-learning loss."""

from shlex import quote

from lowlabel.cli.command import echo_once
from lowlabel.cli.finetune_options import LossGroup, TunedGroup, TuningRunGroup
from lowlabel.cli.groups import grouped


@grouped
def finetune(*, tuned: TunedGroup, loss: LossGroup, run: TuningRunGroup) -> None:
    """Tune a model for retrieval on a dataset's train classes; under torchrun, on many GPUs."""
    from lowlabel.datasets.io.listing import shown_counts
    from lowlabel.errors import InputError
    from lowlabel.features import ExtractionOptions
    from lowlabel.training.finetuning import finetune as tune
    from lowlabel.training.finetuning import make_finetune_plan, tune_frozen

    dataset, recipe = tuned.required(), loss.build(tuned)
    if tuned.skip_bad_images and not recipe.frozen:
        raise InputError(
            "--skip-bad-images leaves images out of the features of a --frozen backbone",
            "Leave it out: training replaces an image that cannot be read by another, and counts "
            "it; those of the validation classes must be readable.",
        )
    plan = make_finetune_plan(dataset, recipe, allow_partial=tuned.allow_partial)
    if note := shown_counts(plan.left_out):
        echo_once(f"left out: {plan.images.dataset}: {note}", err=True)
    for note in plan.notes():
        echo_once(note, err=True)
    if run.dry_run:
        echo_once(plan.describe())
        return
    options = run.build()
    if plan.recipe.frozen and (unused := run.unused_when_frozen()):
        raise InputError(
            f"{', '.join(unused)} mean nothing to --frozen, which runs the backbone once over "
            "each image",
            "Leave them out.",
        )
    if plan.recipe.frozen:
        extraction = ExtractionOptions(
            workers=max(1, options.workers), skip_bad_images=tuned.skip_bad_images
        )
        weights = tune_frozen(plan, options.output, run.device, extraction)
    else:
        weights = tune(plan, options, run.device)
    partial = " --allow-partial" if tuned.allow_partial else ""
    echo_once(
        f"{weights}\nscore it: lowlabel run --suite retrieval --dataset {quote(str(dataset))}"
        f"{partial} --model {quote(str(weights))}"
    )
