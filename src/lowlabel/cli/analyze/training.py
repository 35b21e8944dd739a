"""`lowlabel analyze training` and `lowlabel analyze epochs`: a run, and what it learned when."""

from pathlib import Path
from typing import Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.options import option
from lowlabel.cli.pictures import picture_format, save_picture


def training(
    run: Annotated[Path, typer.Argument(help="The --output folder of pretrain or finetune.")],
    output: Annotated[
        Path | None,
        option("Results", "Picture to write (.png or .jpg).", default="training.png in RUN"),
    ] = None,
) -> None:
    """Draw a run's loss, k-NN, learning rate, teacher temperature and entropy from its metrics."""
    from lowlabel.analysis import draw_training, training_curves
    from lowlabel.errors import DataError
    from lowlabel.training.engine.metrics import FILE_NAME, read_metrics

    output = output or run / "training.png"
    picture_format(output)
    if not (run / FILE_NAME).is_file():
        raise DataError(
            f"{run} holds no {FILE_NAME}",
            "Name the --output folder of lowlabel pretrain or finetune.",
        )
    curves = training_curves(read_metrics(run))
    last = {name: points[-1] for values in curves.values() for name, points in values.items()}
    save_picture(draw_training(run.resolve().name, curves), output)
    for name, (epoch, value) in last.items():
        typer.echo(f"{name:<20} {value:.6g} at epoch {epoch:g}")


def epochs(
    records: Annotated[
        Path | None,
        typer.Argument(
            help="A results folder, a folder of records or an archive (.tar.xz).",
            show_default=options.RESULTS_FOLDER,
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        option(
            "Results",
            "Metric to draw, as accuracy, top1 or recall@1. Repeats.",
            default="those that compare tests",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        option("Results", "Figure to write (.png).", default="epochs.png beside the records"),
    ] = None,
) -> None:
    """Draw scores against the epoch of the pretraining (.png, .svg and .csv)."""
    from lowlabel.errors import DataError, InputError, UnknownNameError
    from lowlabel.paths import results_dir, writable_dir, write_files
    from lowlabel.results import load_records
    from lowlabel.results.figures.epoch_scores import epoch_metrics
    from lowlabel.results.figures.epochs import epochs_table, panels_by_metric, render_epochs
    from lowlabel.results.metrics import find_metric, metric_order

    source = records or results_dir()
    loaded = load_records(source)
    known = sorted(epoch_metrics(loaded), key=metric_order)
    for name in metric or ():
        if known and name not in known:
            raise UnknownNameError("metric", name, known)
    chosen = metric or [name for name in known if find_metric(name).compared] or known
    panels = panels_by_metric(loaded, chosen)
    if not panels:
        raise DataError(
            f"no run in {source} has scores at two epochs",
            "lowlabel pretrain --save-every N keeps epochs; then: "
            "lowlabel run --model 'RUN/checkpoints/*.safetensors'",
        )
    folder = source if source.is_dir() else source.parent
    path = output or folder / "epochs.png"
    if path.suffix.lower() != ".png":
        raise InputError(f"cannot write the figure to {path}", "Name a .png file.")
    table, figures = epochs_table(panels), render_epochs(panels)
    writable_dir(path.parent)
    files: dict[Path, str | bytes] = {
        path.with_suffix(f".{kind}"): content for kind, content in figures.items()
    }
    files[path.with_suffix(".csv")] = table.to_csv(index=False)
    write_files(files)
    typer.echo(table.to_string(index=False))
    typer.echo(f"written: {', '.join(map(str, files))}", err=True)
