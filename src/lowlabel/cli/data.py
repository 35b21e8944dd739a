"""`lowlabel list` and `lowlabel prepare`."""

from pathlib import Path
from typing import Annotated

import typer

from lowlabel.cli import options


def list_known() -> None:
    """Lists suites, models, data sets and methods, with what is present."""
    from tabulate import tabulate

    from lowlabel.benchmarks.suite import load_suite, suite_names
    from lowlabel.datasets import DATASETS, is_present
    from lowlabel.features.models.aliases import ALIASES
    from lowlabel.features.models.shipped import SHIPPED_MODELS
    from lowlabel.fewshot import METHODS
    from lowlabel.paths import weights_dir
    from lowlabel.retrieval.post import POSTS
    from lowlabel.retrieval.search import INDEXES

    suites = [(name, load_suite(name).title) for name in suite_names()]
    weights = {path.stem for path in weights_dir().glob("*.*")}
    models = [
        (name, alias.about, "in the weights folder" if alias.timm_name in weights else "")
        for name, alias in ALIASES.items()
    ]
    models += [(name, model.about, "in the package") for name, model in SHIPPED_MODELS.items()]
    datasets = [
        (
            name,
            dataset.title,
            ", ".join(division.name for division in dataset.divisions),
            "present" if is_present(dataset) else f"get {dataset.obtain}",
        )
        for name, dataset in DATASETS.items()
    ]
    kinds = [
        [(name, (kind.__doc__ or "").splitlines()[0]) for name, kind in known.items()]
        for known in (METHODS, POSTS, INDEXES)
    ]
    for title, headers, rows in (
        ("Suites", ("name", "what"), suites),
        (
            "Models (further: timm:NAME, hub:REPO:ENTRY, PATH.pth, random:ARCH, pixels)",
            ("name", "what", "weights"),
            models,
        ),
        ("Data sets (further: folder:PATH)", ("name", "title", "divisions", "state"), datasets),
        ("Few-shot methods", ("name", "what"), kinds[0]),
        ("Post-processing of retrieval", ("name", "what"), kinds[1]),
        ("Search indexes of retrieval (further: exact)", ("name", "what"), kinds[2]),
    ):
        typer.echo(f"{title}\n{tabulate(rows, headers=headers, tablefmt='simple')}\n")


def prepare(
    dataset: Annotated[str, typer.Argument(help="The data set's name; see lowlabel list.")],
    archive: Annotated[
        list[Path],
        typer.Option(
            help="A zip or tar file in the published layout, a list beside it, or a folder of it, "
            "which is linked. Repeats."
        ),
    ],
    title: Annotated[
        str | None, typer.Option(help="Honest name in tables, for a subset of the full set.")
    ] = None,
    allow_partial: options.AllowPartial = False,
) -> None:
    """Unpacks an archive of a data set, checks it, and puts it where the suite looks."""
    from lowlabel.datasets import find_dataset
    from lowlabel.datasets import prepare as unpack
    from lowlabel.progress import progress_bar

    declared, _ = find_dataset(dataset)
    with progress_bar(f"unpacking {', '.join(path.name for path in archive)}", "file") as progress:
        folder = unpack(
            declared, *archive, title=title, allow_partial=allow_partial, progress=progress
        )
    typer.echo(f"{declared.name} is ready in {folder}")
