"""`lowlabel extract`: features into the store, without scoring them."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from lowlabel.cli import options
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import option

if TYPE_CHECKING:
    from lowlabel.datasets import OpenDataset
    from lowlabel.features import Backbone, ExtractionOptions
    from lowlabel.processes.team import Team

T = TypeVar("T")


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
    """Extract the features of datasets into the store and print their shapes and files.

    Under torchrun all processes share the images.
    """
    from lowlabel.devices import keep_freed_memory
    from lowlabel.errors import InputError
    from lowlabel.processes.team import join_team

    if not model or not dataset:
        raise InputError("extract needs a --model and a --dataset", "See lowlabel list.")
    keep_freed_memory()
    with join_team() as team:
        extraction = machine.extraction(skip_bad_images=data.skip_bad_images, team=team)
        for model_spec in model:
            loaded = _agreed(team, partial(backbone.load, model_spec, machine.own_device))
            for dataset_spec in dataset:
                opened = _agreed(team, partial(_open, dataset_spec, data))
                for name in part or opened.division.parts:
                    _extract(loaded, opened, name, extraction)


def _agreed(team: "Team | None", make: "Callable[[], T]") -> "T":
    return team.agreed(make) if team else make()


def _open(dataset: str, data: DataGroup) -> "OpenDataset":
    from lowlabel.datasets import open_dataset

    return open_dataset(dataset, class_list=data.class_list, allow_partial=data.allow_partial)


def _extract(
    backbone: "Backbone", opened: "OpenDataset", part: str, extraction: "ExtractionOptions"
) -> None:
    from lowlabel.datasets.io.listing import shown_counts
    from lowlabel.errors import UnknownNameError
    from lowlabel.features import feature_path, read_features, store_shown

    if part not in opened.division.parts:
        raise UnknownNameError(f"part of {opened.name}", part, opened.division.parts)
    team = extraction.team
    images = _agreed(team, partial(opened.load, part))
    if team and not team.is_main:
        store_shown(backbone, images, extraction)
        return
    if note := shown_counts(opened.left_out(part)):
        typer.echo(f"left out: {opened.dataset.name} {part}: {note}", err=True)
    key = store_shown(backbone, images, extraction)
    shape = "×".join(map(str, read_features(key).features.shape))
    typer.echo(f"{shape} {feature_path(key)}")
