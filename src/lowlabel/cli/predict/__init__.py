"""`lowlabel predict`: labels for images without one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli import names
from lowlabel.cli.groups import BackboneGroup, DataGroup, MachineGroup, grouped
from lowlabel.cli.options import option

if TYPE_CHECKING:
    from lowlabel.cli.predict.given import Given
    from lowlabel.datasets import OpenDataset


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


@dataclass(frozen=True)
class WhatGroup:
    """What is learned from: images of a dataset, or embeddings made elsewhere."""

    dataset: Annotated[
        str | None,
        option("Data", "Labelled images: folder:PATH with class folders, csv:FILE, or NAME."),
    ] = None
    model: Annotated[str | None, option("Model", "A model, as for lowlabel run.")] = None
    features: Annotated[
        Path | None,
        option(
            "Data",
            "Embeddings made elsewhere, in place of images: .npz or .h5 with features, labels and "
            "new_features; groups and new_paths are optional.",
        ),
    ] = None
    new_features: Annotated[
        Path | None,
        option(
            "Data",
            "Embeddings to label: .npz or .h5 with features; paths are optional.",
            default="new_features in the file of --features",
        ),
    ] = None
    features_key: Annotated[
        str | None,
        option(
            "Data",
            "Names of the arrays in both files: FEATURES or FEATURES,LABELS.",
            default="features,labels",
        ),
    ] = None


@grouped
def predict(
    image: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Images to label: folders, image files, or CSV or parquet files with a column "
            "path.",
            show_default=False,
        ),
    ] = None,
    *,
    what: WhatGroup,
    choice: ChoiceGroup,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> None:
    """Label images with the method that does best on labelled ones, and say how good it is."""
    from lowlabel.classification.predict import DEFAULT_METHODS, choose_method, predict_labels
    from lowlabel.classification.predict.candidates import build_classifiers
    from lowlabel.cli.predict.files import written
    from lowlabel.cli.predict.given import given_features
    from lowlabel.cli.predict.messages import say_choice
    from lowlabel.cli.predict.zeros import can_be_labelled
    from lowlabel.errors import ClassError
    from lowlabel.progress import progress_bar

    _check(image, what, choice, data, backbone)
    files = _files(choice)
    methods = tuple(choice.method or DEFAULT_METHODS)
    build_classifiers(methods)
    if what.features is not None:
        given = given_features(what.features, what.new_features, what.features_key)
    else:
        given = _images(image or [], what, choice, data, backbone, machine)
    known, labelled = given.known, can_be_labelled(given)
    with progress_bar("cross-validation", "fit", delay=1.0) as progress:
        try:
            found = choose_method(
                known.features,
                known.labels,
                methods=methods,
                folds=choice.folds,
                groups=known.groups,
                seed=choice.seed,
                device=machine.device,
                progress=progress,
            )
        except ClassError as error:
            raise error.named(given.class_names) from None
    say_choice(found, given.class_names)
    predictions = predict_labels(
        known.features,
        known.labels,
        given.new if labelled.all() else given.new[labelled],
        choice=found,
        seed=choice.seed,
        device=machine.device,
    )
    written(files, predictions, given, labelled, choice.seed)


def _check(
    image: list[Path] | None,
    what: WhatGroup,
    choice: ChoiceGroup,
    data: DataGroup,
    backbone: BackboneGroup,
) -> None:
    """Refuses a mixture of images and embeddings made elsewhere, and parts of either."""
    from lowlabel.errors import InputError

    if what.features is None:
        for flag, value in (
            ("--new-features", what.new_features),
            ("--features-key", what.features_key),
        ):
            if value is not None:
                raise InputError(f"{flag} means nothing without --features", "Add --features FILE.")
        needed = {"images to label": image, "--dataset": what.dataset, "--model": what.model}
        if missing := [name for name, value in needed.items() if not value]:
            raise InputError(
                f"{' and '.join(missing)} must be named",
                "lowlabel predict new/ --dataset folder:birds --model dino_vits16 --output "
                "labels.csv (or embeddings made elsewhere: --features FILE)",
            )
        return
    given = {
        "images to label": image,
        "--dataset": what.dataset,
        "--model": what.model,
        "--part": choice.part,
        "--class-list": data.class_list,
        "--allow-partial": data.allow_partial,
        "--skip-bad-images": data.skip_bad_images,
        "--resolution, --pooling and other options of preprocessing": (
            backbone.options("cpu").preprocesses
        ),
    }
    if unmet := [name for name, value in given.items() if value]:
        raise InputError(
            f"--features brings its own embeddings, so {unmet[0]} "
            f"{'do' if ' ' in unmet[0] else 'does'} not go with it",
            "Leave one of them out.",
        )


def _images(
    image: list[Path],
    what: WhatGroup,
    choice: ChoiceGroup,
    data: DataGroup,
    backbone: BackboneGroup,
    machine: MachineGroup,
) -> "Given":
    """Opens the labelled images, loads the model and embeds all."""
    from lowlabel.cli.predict.given import given_images
    from lowlabel.datasets import open_dataset
    from lowlabel.datasets.sources.unlabelled import list_unlabelled

    assert what.dataset is not None and what.model is not None
    unlabelled = list_unlabelled(image)
    opened = open_dataset(
        what.dataset, class_list=data.class_list, allow_partial=data.allow_partial
    )
    part = _part(opened, choice.part)
    opened.check_classes(part)
    for note in opened.not_taken(part):
        typer.echo(f"left out: {opened.dataset.name} {part}: {note}", err=True)
    extraction = machine.extraction(skip_bad_images=data.skip_bad_images)
    loaded = backbone.load(what.model, machine.device)
    return given_images(unlabelled, opened, part, loaded, extraction)


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
    if division.kind == "labels":
        raise InputError(
            f"images of {opened.name} have several labels, and predict gives each image one",
            "Write a table with one label for each image, in the column label.",
        )
    if division.kind != "classes":
        raise InputError(
            f"{opened.name} has no classes to learn", "Name labelled images: folder:PATH."
        )
    if asked is not None:
        require_name(f"part of {opened.name}", asked, division.parts)
        return asked
    return (division.shared_classes and division.train_part) or division.evaluated
