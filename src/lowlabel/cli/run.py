"""`lowlabel run`: the main job, from images to a leaderboard."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options

if TYPE_CHECKING:
    from lowlabel.benchmarks import Plan, Request

INTERRUPTED = 130


def run(
    suite: Annotated[
        str | None,
        typer.Option(
            help="fewshot, fewshot-dc, fewshot-transductive, fewshot-all, fewshot-10way, "
            "fewshot-20way, knn, retrieval, all or demo "
            "[default: all; demo if nothing is named].",
            rich_help_panel="What",
        ),
    ] = None,
    model: options.Models = None,
    dataset: options.Datasets = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Few-shot method, as ncm,norm=cl2n; the suite's own by default. Repeats.",
            rich_help_panel="What",
        ),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            help="Score embeddings made elsewhere (.npz or .h5: features, labels, and if wanted "
            "base_… and gallery_features, …_labels).",
            rich_help_panel="What",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Name of a model in tables, once per --model.", rich_help_panel="What"),
    ] = None,
    allow_partial: options.AllowPartial = False,
    skip_bad_images: options.SkipBadImages = False,
    tasks: Annotated[
        int | None, typer.Option(help="Few-shot tasks.", rich_help_panel="Protocol")
    ] = None,
    ways: Annotated[
        int | None, typer.Option(help="Classes in a task.", rich_help_panel="Protocol")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(help="Labelled images per class.", rich_help_panel="Protocol")
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(help="Query images per class, on average.", rich_help_panel="Protocol"),
    ] = None,
    query_distribution: Annotated[
        str | None,
        typer.Option(
            help="balanced [default] or dirichlet: class shares that differ by task.",
            rich_help_panel="Protocol",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Equal seeds are equal tasks for all.", rich_help_panel="Protocol"),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            help="95 % interval of few-shot means: normal (1.96·σ/√n) or student-t.",
            rich_help_panel="Protocol",
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Choose few-shot hyper-parameters on tasks of the validation part.",
            rich_help_panel="Protocol",
        ),
    ] = False,
    k: Annotated[
        list[int] | None,
        typer.Option(
            help="K of Recall@K; the suite's own by default. Repeats.", rich_help_panel="Protocol"
        ),
    ] = None,
    post: options.Posts = None,
    search: Annotated[
        str | None,
        typer.Option(
            help="exact, or an index of faiss, as flat, ivf,probe=32 or hnsw, whose recall is "
            "measured [default: exact].",
            rich_help_panel="Protocol",
        ),
    ] = None,
    nmi: Annotated[
        bool,
        typer.Option(
            "--nmi", help="Score k-means clusters, too, in retrieval.", rich_help_panel="Protocol"
        ),
    ] = False,
    train_features: options.TrainFeatures = None,
    distractors: Annotated[
        str | None,
        typer.Option(
            help="Data set whose images join the gallery of landmarks or copies, as revisitop1m "
            "or folder:PATH.",
            rich_help_panel="Protocol",
        ),
    ] = None,
    pooling: options.Pooling = None,
    resolution: options.Resolution = None,
    framing: options.Framing = None,
    multi_scale: options.MultiScale = False,
    dtype: options.Dtype = "float32",
    device: options.Device = "auto",
    batch_size: options.BatchSize = 32,
    workers: options.Workers = 4,
    output: options.Output = None,
    worst: Annotated[
        int,
        typer.Option(
            help="Draw so many of retrieval's worst queries with their nearest images into the "
            "folder of results.",
            rich_help_panel="Results",
        ),
    ] = 0,
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
) -> None:
    """Scores models on data sets and prints a leaderboard. Without arguments: the demo."""
    from lowlabel.benchmarks import BackboneOptions, Request, make_plan
    from lowlabel.features import ExtractionOptions, known_framing
    from lowlabel.paths import results_dir
    from lowlabel.progress import interruptible

    choices = {
        "tasks": tasks,
        "ways": ways,
        "shots": shots,
        "queries": queries,
        "query_distribution": query_distribution,
        "seed": seed,
        "interval": interval,
    }
    request = Request(
        suite=suite or ("all" if model or dataset or features else "demo"),
        output=output or results_dir(),
        models=tuple(model or ()),
        labels=tuple(label or ()),
        datasets=tuple(dataset or ()),
        methods=tuple(method or ()),
        features=features,
        overrides={name: value for name, value in choices.items() if value is not None},
        tune=tune,
        ks=tuple(k or ()),
        posts=tuple(post or ()),
        search=search,
        nmi=nmi,
        train_features=train_features,
        distractors=distractors,
        backbone=BackboneOptions(
            pooling,
            resolution,
            known_framing(framing),
            options.MULTI_SCALE if multi_scale else None,
            dtype,
            device,
        ),
        extraction=ExtractionOptions(batch_size, workers, skip_bad_images),
        allow_partial=allow_partial,
        overwrite=overwrite,
    )
    plan = make_plan(request)
    if dry_run:
        from lowlabel.benchmarks.describe import describe_plan

        typer.echo(describe_plan(plan, request))
        return
    try:
        with interruptible():
            _carry_out(plan, request, worst)
    except KeyboardInterrupt:
        typer.echo("\ninterrupted: the same command goes on where this one stopped", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _carry_out(plan: "Plan", request: "Request", worst: int) -> None:
    from lowlabel.benchmarks import run_plan
    from lowlabel.cli import USER_ERROR, say_error
    from lowlabel.cli.analyze_retrieval import gallery_writer
    from lowlabel.results import load_records, render_markdown, write_leaderboards

    for note in plan.skipped:
        typer.echo(f"left out: {note}", err=True)
    watch = gallery_writer(worst, request.output, request.backbone.device) if worst else None
    outcome = run_plan(plan, request, watch)
    if outcome.records:
        typer.echo(render_markdown(outcome.records))
        files = write_leaderboards(load_records(request.output / "records"), request.output)
        typer.echo(f"\nwritten: {', '.join(str(file) for file in files)}", err=True)
    for failure in outcome.failures:
        say_error(failure)
    if outcome.failures:
        raise typer.Exit(USER_ERROR)
