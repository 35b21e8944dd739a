"""`lowlabel pretrain`: a backbone from unlabelled images."""

from pathlib import Path
from typing import Annotated

import typer

from lowlabel.cli import options

_INTERRUPTED = 130


def pretrain(
    method: Annotated[
        str | None, typer.Argument(help="dino, pw-self or scfs [default: the preset's, or dino].")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="NAME, NAME:DIVISION or folder:PATH, with or without class folders. "
            "A data set's learnt part is used.",
            rich_help_panel="What",
        ),
    ] = None,
    class_list: Annotated[
        Path | None,
        typer.Option(
            help="File with one class folder a line: only those are learnt from.",
            rich_help_panel="What",
        ),
    ] = None,
    allow_partial: options.AllowPartial = False,
    preset: Annotated[
        str | None,
        typer.Option(
            help="demo-vit, dino-vits16-100ep, dino-resnet50, pw-self-vitb8, scfs-r50-200ep, "
            "small-images, or a TOML file; what follows overrides it.",
            rich_help_panel="Recipe",
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            help="vit_tiny, vit_small, vit_base, resnet50 or timm:NAME; each with ,option=value…",
            rich_help_panel="Recipe",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the images.", rich_help_panel="Recipe")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Images in a step, over all processes.", rich_help_panel="Recipe"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Of weights, order and views.", rich_help_panel="Recipe"),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="float32; bfloat16 or float16 for mixed precision.", rich_help_panel="Recipe"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any other option=value of the method, the views or the optimiser, as "
            "prototypes=4096; --dry-run shows them all. Repeats.",
            rich_help_panel="Recipe",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Begin with the networks of a checkpoint of DINO's own code.",
            rich_help_panel="Run",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of checkpoint, metrics and weights; the same command goes on in it.",
            rich_help_panel="Run",
        ),
    ] = None,
    knn_every: Annotated[
        int,
        typer.Option(
            help="Epochs between k-NN scores on held-out labels; 0 for none.",
            rich_help_panel="Run",
        ),
    ] = 0,
    dino_format: Annotated[
        bool,
        typer.Option(
            "--dino-format",
            help="Also write dino_checkpoint.pth as DINO's own code does.",
            rich_help_panel="Run",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan.", rich_help_panel="Run")
    ] = False,
    device: options.Device = "auto",
    workers: Annotated[
        int,
        typer.Option(help="Processes that load images; 0 for none.", rich_help_panel="Machine"),
    ] = 2,
    accumulate: Annotated[
        int,
        typer.Option(
            help="Parts that a process cuts its batch into, to save memory.",
            rich_help_panel="Machine",
        ),
    ] = 1,
    augment: Annotated[
        str,
        typer.Option(
            help="Where views are made: cpu, device, or auto (the device if it is a GPU).",
            rich_help_panel="Machine",
        ),
    ] = "auto",
    compile_: Annotated[
        bool,
        typer.Option("--compile", help="Compile the backbone.", rich_help_panel="Machine"),
    ] = False,
    slurm: Annotated[
        str | None,
        typer.Option(
            help="Submit to Slurm: partition=…,gpus=…,nodes=…,hours=… (needs submitit).",
            rich_help_panel="Machine",
        ),
    ] = None,
) -> None:
    """Learns a backbone from images without their labels. Under torchrun: on many GPUs."""
    from lowlabel.errors import InputError
    from lowlabel.training import RunOptions, make_plan, make_recipe
    from lowlabel.training import pretrain as train

    if dataset is None:
        raise InputError("pretrain needs a --dataset", "Any folder: --dataset folder:PATH")
    recipe = make_recipe(
        method,
        preset,
        settings or (),
        arch=arch,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        dtype=dtype,
    )
    plan = make_plan(dataset, recipe, class_list, start, allow_partial=allow_partial)
    if dry_run:
        typer.echo(plan.describe())
        return
    if output is None:
        raise InputError("pretrain needs an --output folder", "As --output runs/dino")
    run = RunOptions(
        output,
        workers,
        accumulate,
        augment,
        compile_,
        knn_every,
        dino_format=dino_format,
    )
    if slurm is not None:
        from lowlabel.training.slurm import submit

        typer.echo(submit(slurm, plan, run))
        return
    try:
        weights = train(plan, run, device)
    except KeyboardInterrupt:
        typer.echo("\ninterrupted: the same command goes on where this one stopped", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    typer.echo(f"{weights}\nscore it: lowlabel run --model {weights}")
