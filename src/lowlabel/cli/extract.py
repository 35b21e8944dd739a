"""`lowlabel extract`: features into the store, without scoring them."""

from typing import Annotated

import typer

from lowlabel.cli import options


def extract(
    model: options.Models = None,
    dataset: options.Datasets = None,
    part: Annotated[
        list[str] | None,
        typer.Option(help="base, val, novel, train or test; all parts by default. Repeats."),
    ] = None,
    allow_partial: options.AllowPartial = False,
    skip_bad_images: options.SkipBadImages = False,
    pooling: options.Pooling = None,
    resolution: options.Resolution = None,
    framing: options.Framing = None,
    multi_scale: options.MultiScale = False,
    dtype: options.Dtype = "float32",
    device: options.Device = "auto",
    batch_size: options.BatchSize = 32,
    workers: options.Workers = 4,
) -> None:
    """Extracts features of data sets into the store and prints where they lie."""
    from lowlabel.datasets import open_dataset
    from lowlabel.devices import keep_freed_memory
    from lowlabel.errors import InputError, UnknownNameError
    from lowlabel.features import (
        ExtractionOptions,
        FeatureKey,
        extract_features,
        feature_path,
        known_framing,
        load_backbone,
    )
    from lowlabel.progress import progress_bar

    if not model or not dataset:
        raise InputError("extract needs a --model and a --dataset", "See lowlabel list.")
    extraction = ExtractionOptions(batch_size, workers, skip_bad_images)
    keep_freed_memory()
    for model_spec in model:
        backbone = load_backbone(
            model_spec,
            pooling=pooling,
            resolution=resolution,
            framing=known_framing(framing) or "crop",
            scales=options.MULTI_SCALE if multi_scale else (1.0,),
            dtype=dtype,
            device=device,
        )
        for dataset_spec in dataset:
            opened = open_dataset(dataset_spec, allow_partial=allow_partial)
            for name in part or opened.division.parts:
                if name not in opened.division.parts:
                    raise UnknownNameError(f"part of {opened.name}", name, opened.division.parts)
                images = opened.load(name)
                with progress_bar(f"{backbone.name} on {opened.name} {name}", "img") as progress:
                    table = extract_features(backbone, images, extraction, progress)
                shape = "×".join(map(str, table.features.shape))
                typer.echo(f"{shape} {feature_path(FeatureKey.of(backbone, images))}")
