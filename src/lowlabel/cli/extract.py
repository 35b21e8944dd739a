"""`lowlabel extract`: features into the store, without scoring them."""

from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import option
from lowlabel.cli.resumable import resumable

if TYPE_CHECKING:
    from lowlabel.datasets import OpenDataset
    from lowlabel.features import Backbone, ExtractionOptions


@grouped
def extract(
    model: options.Models = None,
    dataset: options.Datasets = None,
    part: Annotated[
        list[str] | None,
        option(
            "Data", "Part to extract, such as train, test, base or novel. Repeats.", default="all"
        ),
    ] = None,
    *,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Extract the features of datasets into the store and print their shapes and files."""
    from lowlabel.datasets import open_dataset
    from lowlabel.devices import keep_freed_memory
    from lowlabel.errors import InputError

    if not model or not dataset:
        raise InputError("extract needs a --model and a --dataset", "See lowlabel list.")
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    keep_freed_memory()
    with resumable():
        for model_spec in model:
            loaded = backbone.load(model_spec, machine.device)
            for dataset_spec in dataset:
                opened = open_dataset(
                    dataset_spec, class_list=data.class_list, allow_partial=data.allow_partial
                )
                for name in part or opened.division.parts:
                    _extract(loaded, opened, name, extraction)


def _extract(
    backbone: "Backbone", opened: "OpenDataset", part: str, extraction: "ExtractionOptions"
) -> None:
    from lowlabel.datasets.io.listing import shown_counts
    from lowlabel.errors import UnknownNameError
    from lowlabel.features import FeatureKey, extract_features, feature_path
    from lowlabel.progress import progress_bar

    if part not in opened.division.parts:
        raise UnknownNameError(f"part of {opened.name}", part, opened.division.parts)
    images = opened.load(part)
    if note := shown_counts(opened.left_out(part)):
        typer.echo(f"left out: {opened.dataset.name} {part}: {note}", err=True)
    with progress_bar(f"{backbone.name} on {opened.name} {part}", "img") as progress:
        table = extract_features(backbone, images, extraction, progress)
    shape = "×".join(map(str, table.features.shape))
    typer.echo(f"{shape} {feature_path(FeatureKey.of(backbone, images))}")
