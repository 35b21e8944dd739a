"""The options of `lowlabel run`, in groups."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from lowlabel.cli import names, options
from lowlabel.cli.options import option

_SUITE = "the suite's own"


@dataclass(frozen=True)
class WhatGroup:
    """What to score, and where the results go."""

    suite: Annotated[
        list[str] | None,
        option(
            "What",
            f"{', '.join(names.suites())}. Repeats.",
            default="all; demo if nothing is named",
        ),
    ] = None
    model: options.Models = None
    label: Annotated[
        list[str] | None, option("Model", "Name of a model in tables, once per --model. Repeats.")
    ] = None
    trust_code: Annotated[
        bool,
        typer.Option(
            "--trust-code",
            help="Allow the code of the hub: models to run, as it is now; asked for once.",
            rich_help_panel="Model",
        ),
    ] = False
    features: Annotated[
        Path | None,
        option(
            "Data",
            "Score embeddings made elsewhere (.npz or .h5 with features and labels; base_features, "
            "base_labels, gallery_features and gallery_labels are optional; or a pickle from class "
            "to features).",
        ),
    ] = None
    features_key: Annotated[
        str | None,
        option(
            "Data",
            "Names of the arrays in the file of --features: FEATURES or FEATURES,LABELS.",
            default="features,labels",
        ),
    ] = None
    features_of: Annotated[
        str | None,
        option(
            "Data",
            "Dataset and published model that the embeddings are of, by your word, which records "
            "repeat: mini-imagenet:ravi,model=dc-wrn-28-10. Sets the published numbers of such "
            "features beside the scores.",
        ),
    ] = None
    ranking: Annotated[
        Path | None,
        option(
            "Data",
            "Score ranked lists made elsewhere, in retrieval, landmarks and copies of one "
            "--dataset: ranking [Q, K], optionally scores, queries and gallery, in .npz or .h5; or "
            "a CSV or parquet file with the columns query, image and optionally score.",
        ),
    ] = None
    setting: Annotated[
        list[str] | None,
        option(
            "Protocol",
            "Set a field of one protocol: PROTOCOL.field=value, as knn.neighbours=10. Repeats. "
            f"Protocols: "
            f"{', '.join(names.protocols())}.",
            "--set",
        ),
    ] = None
    min_images: Annotated[
        int,
        option(
            "Data",
            "Leave out the classes of folder:PATH or csv:FILE that have fewer images; few-shot "
            "tasks need shots + queries of each.",
            default="none",
        ),
    ] = 0
    without: Annotated[
        Path | None,
        option(
            "Data",
            "Score the dataset without the images that a file flags: flags.csv of lowlabel "
            "analyze, or one path per line.",
        ),
    ] = None
    reason: Annotated[
        list[str] | None,
        option(
            "Data",
            "Reason of the flags that --without leaves out, as exact-duplicate. Repeats.",
            default="all",
        ),
    ] = None
    leakage: Annotated[
        Path | None,
        option(
            "Data",
            "Mark scores on images that the models were pretrained on: leakage.csv of lowlabel "
            "analyze leakage. The mark stays on the records.",
        ),
    ] = None
    overlap: Annotated[
        Path | None,
        option(
            "Data",
            "Mark scores on images or classes that you know the pretraining data hold: a path or a "
            "class per line, or a CSV with a column path or class. The mark stays on the records.",
        ),
    ] = None
    launcher: options.LauncherSpec = None
    output: options.Output = None
    overwrite: Annotated[
        bool, option("Results", "Score again what has a record.", "--overwrite")
    ] = False
    dry_run: options.DryRun = False


@dataclass(frozen=True)
class ProtocolGroup:
    """Fields of protocols to override, by their names; None leaves the suite's own."""

    dataset: options.Datasets = None
    method: Annotated[
        list[str] | None,
        option(
            "Protocol",
            f"Few-shot method with its options, as ncm,norm=cl2n. Repeats. Known: "
            f"{', '.join(names.fewshot_methods())}; for label budgets also "
            f"{', '.join(names.label_budget_methods())}.",
            default=_SUITE,
        ),
    ] = None
    tasks: Annotated[
        int | None, option("Protocol", "Number of few-shot tasks.", default=_SUITE)
    ] = None
    ways: Annotated[int | None, option("Protocol", "Classes in a task.", default=_SUITE)] = None
    shots: Annotated[
        list[int] | None,
        option("Protocol", "Labelled images per class. Repeats.", default=_SUITE),
    ] = None
    queries: Annotated[
        int | None, option("Protocol", "Query images per class, on average.", default=_SUITE)
    ] = None
    query_distribution: Annotated[
        str | None,
        option(
            "Protocol",
            "balanced, or dirichlet for class shares that differ by task.",
            default=_SUITE,
        ),
    ] = None
    seed: Annotated[
        int | None,
        option(
            "Protocol",
            "Random seed. The same seed gives every model the same tasks.",
            default=_SUITE,
        ),
    ] = None
    interval: Annotated[
        str | None,
        option(
            "Protocol",
            "What the 95 % intervals in tables are about: tasks, images, classes, queries, groups "
            "or open (disjoint tasks). In few-shot, tasks is fastest; normal and student-t are "
            "over tasks.",
            default="the protocol's own: images in few-shot",
        ),
    ] = None
    tune: Annotated[
        bool | None,
        option(
            "Protocol",
            "Choose few-shot hyper-parameters on tasks of the validation part.",
            "--tune/--no-tune",
            default=_SUITE,
        ),
    ] = None
    k: Annotated[
        list[int] | None,
        option("Protocol", "K of Recall@K. Repeats.", default=f"{_SUITE}, else the dataset's"),
    ] = None
    post: options.Posts = None
    search: Annotated[
        str | None,
        option(
            "Protocol",
            "exact, or a faiss index with its options, as ivf,probe=32, whose recall is measured. "
            f"Known: {', '.join(names.search_indexes())}.",
            default=_SUITE,
        ),
    ] = None
    nmi: Annotated[
        bool | None,
        option(
            "Protocol",
            "Score k-means clusters, too, in retrieval.",
            "--nmi/--no-nmi",
            default=_SUITE,
        ),
    ] = None
    ignore_same_group: Annotated[
        bool | None,
        option(
            "Protocol",
            "In retrieval, ignore the images of a query's own group (column group of csv:FILE): "
            "they are neither positives nor negatives.",
            "--ignore-same-group",
            default="off",
        ),
    ] = None
    train_features: options.TrainFeatures = None
    distractors: Annotated[
        str | None,
        option(
            "Protocol",
            "Dataset whose images join the gallery of landmarks or copies, as revisitop1m or "
            "folder:PATH.",
            default=_SUITE,
        ),
    ] = None
    worst: Annotated[
        int | None,
        option(
            "Results", "Save a picture of the N worst queries of each retrieval.", default="none"
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
