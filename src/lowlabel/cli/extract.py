"""`lowlabel extract`: features into the store, without scoring them."""

from typing import Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped


@grouped
def extract(
    model: options.Models = None,
    dataset: options.Datasets = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="Part to extract, such as train, test, base or novel. Repeats.",
            show_default="all parts",
            rich_help_panel="Data",
        ),
    ] = None,
    *,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Extracts the features of datasets into the store and prints the paths of the files."""
    from lowlabel.datasets import open_dataset
    from lowlabel.devices import keep_freed_memory
    from lowlabel.errors import InputError, UnknownNameError
    from lowlabel.features import FeatureKey, extract_features, feature_path
    from lowlabel.progress import progress_bar

    if not model or not dataset:
        raise InputError("extract needs a --model and a --dataset", "See lowlabel list.")
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    keep_freed_memory()
    for model_spec in model:
        loaded = backbone.load(model_spec, machine.device)
        for dataset_spec in dataset:
            opened = open_dataset(dataset_spec, allow_partial=data.allow_partial)
            for name in part or opened.division.parts:
                if name not in opened.division.parts:
                    raise UnknownNameError(f"part of {opened.name}", name, opened.division.parts)
                images = opened.load(name)
                with progress_bar(f"{loaded.name} on {opened.name} {name}", "img") as progress:
                    table = extract_features(loaded, images, extraction, progress)
                shape = "×".join(map(str, table.features.shape))
                typer.echo(f"{shape} {feature_path(FeatureKey.of(loaded, images))}")
