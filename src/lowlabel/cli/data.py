"""`lowlabel list` and `lowlabel prepare`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowlabel.cli import names, options
from lowlabel.cli.options import option
from lowlabel.cli.tables import fitted
from lowlabel.errors import DataError, InputError

if TYPE_CHECKING:
    from lowlabel.datasets import Dataset

_DESCRIBED = ("name", "description")


def list_known() -> None:
    """List suites, protocols, models, datasets and methods, and which data and weights are here."""
    from lowlabel.datasets import DATASETS, is_present

    for title, headers, rows in _tables():
        if rows:
            typer.echo(f"{title}\n{fitted(headers, rows)}\n")
    absent = [each for each in DATASETS.values() if not is_present(each)]
    if absent:
        typer.echo("Datasets to get, for lowlabel prepare NAME --archive FILE")
    for dataset in absent:
        typer.echo(f"{dataset.name}: {dataset.obtain}")


def _tables() -> Iterator[tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]]:
    from lowlabel.benchmarks import load_suite
    from lowlabel.classification.budget import LEARNERS
    from lowlabel.datasets.torchvision_sets.declared import DECLARED
    from lowlabel.fewshot import METHODS
    from lowlabel.retrieval.post import POST_PROCESSING
    from lowlabel.retrieval.search import INDEXES
    from lowlabel.training import PRETRAIN_METHODS

    protocols = {
        name: import_module(f"lowlabel.benchmarks.protocols.{name.replace('-', '_')}")
        for name in names.protocols()
    }
    yield "Suites", _DESCRIBED, [(name, load_suite(name).title) for name in names.suites()]
    yield "Protocols", _DESCRIBED, _described(protocols)
    yield (
        "Models (also timm:NAME, hub:REPO:ENTRY, PATH.pth, random:ARCH and pixels)",
        (*_DESCRIBED, "weights"),
        _models(),
    )
    yield "Models of other libraries", _DESCRIBED, _libraries()
    yield (
        "Datasets (also folder:PATH, csv:FILE, hf:FOLDER, wds:PATTERN and torchvision:NAME)",
        ("name", "title", "divisions", "state"),
        _datasets(),
    )
    yield (
        "Datasets of torchvision, as torchvision:NAME",
        ("name", "title", "source"),
        [(name, each.title, each.source) for name, each in DECLARED.items()],
    )
    yield "Few-shot methods", _DESCRIBED, _described(METHODS)
    yield "Methods of label budgets (also the few-shot ones)", _DESCRIBED, _described(LEARNERS)
    yield "Post-processing of retrieval", _DESCRIBED, _described(POST_PROCESSING)
    yield "Search indexes of retrieval (also exact)", _DESCRIBED, _described(INDEXES)
    yield "Pretraining methods", _DESCRIBED, _described(PRETRAIN_METHODS)


def _described(known: Mapping[str, Any]) -> Sequence[tuple[str, ...]]:
    return [(name, (item.__doc__ or "").splitlines()[0]) for name, item in known.items()]


def _models() -> Sequence[tuple[str, ...]]:
    from lowlabel.features.models.aliases import ALIASES
    from lowlabel.features.models.shipped import SHIPPED_MODELS
    from lowlabel.paths import weights_dir

    weights = {path.stem for path in weights_dir().glob("*.*")}
    return [
        *(
            (name, alias.about, "in the weights folder" if alias.timm_name in weights else "")
            for name, alias in ALIASES.items()
        ),
        *((name, model.about, "in the package") for name, model in SHIPPED_MODELS.items()),
    ]


def _libraries() -> Sequence[tuple[str, ...]]:
    from lowlabel.features.models.libraries.catalogue import LIBRARIES

    return [(library.form, library.about) for library in LIBRARIES.values()]


def _datasets() -> Sequence[tuple[str, ...]]:
    from lowlabel.datasets import DATASETS

    return [
        (
            name,
            _title(dataset),
            ", ".join(division.name for division in dataset.divisions),
            _state(dataset),
        )
        for name, dataset in DATASETS.items()
    ]


def _title(dataset: "Dataset") -> str:
    """The title in tables, which a prepared subset may have of its own."""
    from lowlabel.datasets.prepare import read_card

    with suppress(DataError):  # its state says that the card is damaged
        if card := read_card(dataset):
            return card.title
    return dataset.title


def _state(dataset: "Dataset") -> str:
    """Whether a dataset is there, and all of it."""
    from lowlabel.datasets import is_present, prepared_folder
    from lowlabel.datasets.counts import check_divisions, find_root
    from lowlabel.datasets.prepare import read_card

    if dataset.make is not None:
        return "built in"
    if not is_present(dataset):
        return ""
    try:
        read_card(dataset)
        root = find_root(dataset, prepared_folder(dataset))
        notes = check_divisions(dataset, root, allow_partial=True)
    except DataError:
        return "damaged"
    return "present, partial" if notes else "present"


def prepare(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset; see lowlabel list.")],
    archive: Annotated[
        list[Path] | None,
        option(
            "Data",
            "Published archive (zip or tar), a list or a file of arrays (.pkl, .parquet), or an "
            "unpacked folder, which is linked. Repeats. Not needed with --pretext-split.",
        ),
    ] = None,
    title: Annotated[
        str | None,
        option(
            "Data", "Title in tables, for a subset of the dataset.", default="the dataset's own"
        ),
    ] = None,
    class_list: options.ClassList = None,
    allow_partial: options.AllowPartial = False,
    download: Annotated[
        bool,
        option(
            "Data",
            "Download torchvision:NAME from its authors' site by torchvision. Nothing else is "
            "downloaded.",
            "--download",
        ),
    ] = False,
    pretext_split: Annotated[
        Path | None,
        option(
            "Pretext split",
            "New folder for pretext/ without labels, train/CLASS and val/CLASS, as links to the "
            "images of the dataset, which may be NAME:DIVISION, folder:PATH or csv:FILE.",
            default="none",
        ),
    ] = None,
    pretext_without: Annotated[
        Path | None,
        option("Pretext split", "File of classes, one a line, that pretext/ leaves out."),
    ] = None,
    evaluation_without: Annotated[
        Path | None,
        option("Pretext split", "File of classes, one a line, that train/ and val/ leave out."),
    ] = None,
    validation_share: Annotated[
        float,
        option(
            "Pretext split", "Share of each class in val/, of datasets without such a division."
        ),
    ] = 0.2,
) -> None:
    """Unpack the archive of a dataset, check it, and put it where lowlabel looks for it."""
    if download:
        _download(dataset, allow_partial=allow_partial)
    if archive:
        _unpack(dataset, archive, title, class_list, allow_partial=allow_partial)
    if pretext_split is not None:
        lists = pretext_without, evaluation_without
        _split(dataset, pretext_split, lists, validation_share, allow_partial=allow_partial)
        return
    if pretext_without or evaluation_without:
        raise InputError(
            "classes are left out of a pretext split alone", "Add --pretext-split FOLDER."
        )
    if not archive and not download:
        raise _without_archive(dataset)


def _without_archive(name: str) -> InputError:
    """The error for a dataset of which no archive is given."""
    from lowlabel.datasets import find_dataset

    declared, _ = find_dataset(name)
    if declared.root is not None or declared.make is not None:
        return _ready(name)
    return InputError(f"prepare {name} needs an archive", f"Add --archive FILE: {declared.obtain}.")


def _ready(name: str) -> InputError:
    return InputError(
        f"{name} needs no archive: it is built in, or used where it lies",
        f"Run it as it is: lowlabel run --dataset {quote(name)}",
    )


def _download(dataset: str, *, allow_partial: bool) -> None:
    from lowlabel.datasets import open_dataset
    from lowlabel.datasets.counts import check_divisions
    from lowlabel.datasets.torchvision_sets.dataset import download

    folder = download(dataset)
    opened = open_dataset(dataset)
    for note in check_divisions(opened.dataset, opened.root, allow_partial=allow_partial):
        typer.echo(f"incomplete: {note}", err=True)
    typer.echo(f"{dataset} is ready in {folder}")


def _split(
    dataset: str,
    folder: Path,
    without: tuple[Path | None, Path | None],
    share: float,
    *,
    allow_partial: bool,
) -> None:
    from lowlabel.datasets import open_dataset
    from lowlabel.datasets.class_list import read_class_list
    from lowlabel.datasets.pretext_split import write_pretext_split

    pretext, evaluation = (read_class_list(path) if path else [] for path in without)
    found = write_pretext_split(
        open_dataset(dataset, allow_partial=allow_partial),
        folder,
        pretext_without=pretext,
        evaluation_without=evaluation,
        validation_share=share,
    )
    typer.echo(f"{found.folder}: {found}")
    typer.echo(f"pretrain on it: lowlabel pretrain --dataset {quote(f'folder:{folder}')}")


def _unpack(
    dataset: str,
    archive: list[Path],
    title: str | None,
    class_list: Path | None,
    *,
    allow_partial: bool,
) -> None:
    from lowlabel.datasets import find_dataset, open_dataset
    from lowlabel.datasets import prepare as unpack
    from lowlabel.datasets.class_list import only_classes
    from lowlabel.datasets.counts import check_divisions
    from lowlabel.progress import progress_bar

    declared, _ = find_dataset(dataset)
    if declared.root is not None:
        raise _ready(dataset)
    if class_list:
        divisions = tuple(only_classes(each, class_list) for each in declared.divisions)
        declared = replace(declared, divisions=divisions)
    with progress_bar(f"unpacking {', '.join(path.name for path in archive)}", "file") as progress:
        folder = unpack(
            declared, *archive, title=title, allow_partial=allow_partial, progress=progress
        )
    if allow_partial:
        root = open_dataset(declared.name).root
        for note in check_divisions(declared, root, allow_partial=True):
            typer.echo(f"incomplete: {note}", err=True)
    usage = f"; run it with --class-list {class_list}" if class_list else ""
    typer.echo(f"{declared.name} is ready in {folder}{usage}")
