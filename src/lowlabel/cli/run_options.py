"""Options of `lowlabel run` that belong to protocols; each is named after the field it sets."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from lowlabel.cli import options

_PANEL = "Protocol"
_SUITE = "the suite's own"


@dataclass(frozen=True)
class ProtocolGroup:
    """Fields of protocols to override; None leaves the suite's own."""

    dataset: options.Datasets = None
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Few-shot method, as ncm,norm=cl2n. Repeats.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    tasks: Annotated[
        int | None,
        typer.Option(help="Number of few-shot tasks.", show_default=_SUITE, rich_help_panel=_PANEL),
    ] = None
    ways: Annotated[
        int | None,
        typer.Option(help="Classes in a task.", show_default=_SUITE, rich_help_panel=_PANEL),
    ] = None
    shots: Annotated[
        list[int] | None,
        typer.Option(
            help="Labelled images per class. Repeats.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    queries: Annotated[
        int | None,
        typer.Option(
            help="Query images per class, on average.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    query_distribution: Annotated[
        str | None,
        typer.Option(
            help="balanced, or dirichlet for class shares that differ by task.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            help="Random seed. The same seed gives every model the same tasks.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    interval: Annotated[
        str | None,
        typer.Option(
            help="95 % interval of few-shot means: normal (1.96·σ/√n) or student-t.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    tune: Annotated[
        bool | None,
        typer.Option(
            "--tune/--no-tune",
            help="Choose few-shot hyper-parameters on tasks of the validation part.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    k: Annotated[
        list[int] | None,
        typer.Option(help="K of Recall@K. Repeats.", show_default=_SUITE, rich_help_panel=_PANEL),
    ] = None
    post: options.Posts = None
    search: Annotated[
        str | None,
        typer.Option(
            help="exact, or a faiss index, as flat, ivf,probe=32 or hnsw, whose recall is "
            "measured.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    nmi: Annotated[
        bool | None,
        typer.Option(
            "--nmi/--no-nmi",
            help="Score k-means clusters, too, in retrieval.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    train_features: options.TrainFeatures = None
    distractors: Annotated[
        str | None,
        typer.Option(
            help="Dataset whose images join the gallery of landmarks or copies, as revisitop1m "
            "or folder:PATH.",
            show_default=_SUITE,
            rich_help_panel=_PANEL,
        ),
    ] = None
    worst: Annotated[
        int | None,
        typer.Option(
            help="Save a picture of the N worst queries of each retrieval.",
            metavar="N",
            rich_help_panel="Results",
        ),
    ] = None

    def asked(self) -> dict[str, Any]:
        """The fields that were given, by name."""
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in vars(self).items()
            if value is not None and value != []
        }
        return given | ({"strict": True} if "method" in given else {})
