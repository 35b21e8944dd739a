"""`lowlabel predict`: labels for images without one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import names
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import option
from lowlabel.cli.resumable import resumable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lowlabel.datasets import ImageSet, OpenDataset
    from lowlabel.features import Backbone, EmbeddingTable, ExtractionOptions


@dataclass(frozen=True)
class ChoiceGroup:
    """How a method is chosen and where the labels go."""

    output: Annotated[
        Path,
        option("Results", "CSV to write: path, label, score, runner_up, runner_up_score."),
    ]
    part: Annotated[
        str | None,
        option(
            "Data",
            "Part of the dataset that is learned from.",
            default="train if the others have its classes, else the evaluated part",
        ),
    ] = None
    method: Annotated[
        list[str] | None,
        option(
            "Protocol",
            f"Method to choose from, with its options, as ridge,norm=l2; a single one is taken. "
            f"Repeats. Known: knn, {', '.join(names.fewshot_methods())}, but for those that "
            "classify images together or need base classes.",
            default="ncm, knn, three of ridge and two of logreg",
        ),
    ] = None
    folds: Annotated[int, option("Protocol", "Folds of the cross-validation.")] = 5
    seed: Annotated[int, option("Protocol", "Random seed of the folds.")] = 0
    overwrite: Annotated[bool, option("Results", "Replace existing files.", "--overwrite")] = False


@grouped
def predict(
    image: Annotated[
        list[Path],
        typer.Argument(
            help="Images to label: folders, image files, or CSV or parquet files with a column "
            "path."
        ),
    ],
    dataset: Annotated[
        str,
        option("Data", "Labelled images: folder:PATH with class folders, csv:FILE, or NAME."),
    ],
    model: Annotated[str, option("Model", "A model, as for lowlabel run.")],
    *,
    choice: ChoiceGroup,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Label images with the method that does best on labelled ones, and say how good it is."""
    from lowlabel.classification.predict import DEFAULT_METHODS, choose_method, predict_labels
    from lowlabel.classification.predict.candidates import build_classifiers
    from lowlabel.cli.predict.files import written
    from lowlabel.cli.predict.messages import say_choice, say_labelled, say_unlabelled
    from lowlabel.datasets import open_dataset
    from lowlabel.datasets.sources.unlabelled import list_unlabelled
    from lowlabel.features import extract_shown
    from lowlabel.progress import progress_bar

    files = _files(choice)
    methods = tuple(choice.method or DEFAULT_METHODS)
    build_classifiers(methods)
    unlabelled = list_unlabelled(image)
    opened = open_dataset(dataset, class_list=data.class_list, allow_partial=data.allow_partial)
    labelled = opened.load(_part(opened, choice.part))
    opened.check_classes(labelled.part)
    for note in opened.not_taken(labelled.part):
        typer.echo(f"left out: {opened.dataset.name} {labelled.part}: {note}", err=True)
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    with resumable():
        loaded = backbone.load(model, machine.device)
        known, groups = _embedded(loaded, labelled, extraction)
        say_labelled(opened, labelled, known)
        new = extract_shown(loaded, unlabelled.images, extraction)
        say_unlabelled(unlabelled, labelled, new)
        with progress_bar("cross-validation", "fit", delay=1.0) as progress:
            found = choose_method(
                known.features,
                known.labels,
                methods=methods,
                folds=choice.folds,
                groups=groups,
                seed=choice.seed,
                device=machine.device,
                progress=progress,
            )
        say_choice(found, labelled.class_names)
        predictions = predict_labels(
            known.features,
            known.labels,
            new.features,
            choice=found,
            seed=choice.seed,
            device=machine.device,
        )
    written(files, predictions, (loaded, labelled, known), (unlabelled, new), choice.seed)


def _files(choice: ChoiceGroup) -> tuple[Path, Path]:
    """The CSV, and the JSON beside it that says how it was made."""
    from lowlabel.errors import InputError
    from lowlabel.paths import writable_dir

    if choice.output.suffix.lower() != ".csv":
        raise InputError(f"--output {choice.output} is no .csv file", "Name one: labels.csv")
    files = choice.output, choice.output.with_suffix(".json")
    if (existing := [str(file) for file in files if file.exists()]) and not choice.overwrite:
        raise InputError(
            f"{' and '.join(existing)} would be replaced",
            "Choose another --output, or add --overwrite.",
        )
    writable_dir(choice.output.parent)
    return files


def _part(opened: "OpenDataset", asked: str | None) -> str:
    from lowlabel.arrays import require_name
    from lowlabel.errors import InputError

    division = opened.division
    if division.kind != "classes":
        raise InputError(
            f"{opened.name} has no classes to learn", "Name labelled images: folder:PATH."
        )
    if asked is not None:
        require_name(f"part of {opened.name}", asked, division.parts)
        return asked
    return (division.shared_classes and division.train_part) or division.evaluated


def _embedded(
    backbone: "Backbone", images: "ImageSet", extraction: "ExtractionOptions"
) -> "tuple[EmbeddingTable, NDArray[np.int64] | None]":
    """Labelled embeddings, and the group of each if images have groups."""
    import numpy as np

    from lowlabel.datasets.tables.groups import group_numbers
    from lowlabel.features import extract_shown

    table = extract_shown(backbone, images, extraction)
    groups = group_numbers({images.part: images}).get(images.part)
    if groups is not None and table.bad_images:
        groups = groups[~np.isin(images.paths, table.bad_images)]
    return table, groups
