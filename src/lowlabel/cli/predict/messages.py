"""What `lowlabel predict` says of its images and of the method that it chose."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lowlabel.errors import number_of

if TYPE_CHECKING:
    from lowlabel.classification.predict import MethodChoice
    from lowlabel.datasets import ImageSet, OpenDataset
    from lowlabel.datasets.sources.unlabelled import Unlabelled
    from lowlabel.features import EmbeddingTable, FeaturesToLabel

_MOST_SHOWN = 20


def say_labelled(opened: "OpenDataset", images: "ImageSet", table: "EmbeddingTable") -> None:
    """Says what is learned from, and which parts are not."""
    typer.echo(f"labelled: {opened.dataset.name} {images.part}: {images.counts}")
    if others := [part for part in opened.division.parts if part != images.part]:
        typer.echo(f"not learned from: {', '.join(others)} (see --part)", err=True)
    _say_bad("labelled", table.bad_images)


def say_unlabelled(unlabelled: "Unlabelled", labelled: "ImageSet", table: "EmbeddingTable") -> None:
    """Says what is labelled, what is left out, and what has a label already."""
    from lowlabel.datasets.io.listing import shown_counts

    typer.echo(f"unlabelled: {number_of(len(unlabelled.images), 'images')}")
    if note := shown_counts(unlabelled.left_out):
        typer.echo(f"left out: {note}", err=True)
    _say_bad("unlabelled", table.bad_images)
    every = [images.manifest.contents for images in (labelled, unlabelled.images)]
    known, new = ([each[at : at + 32] for at in range(0, len(each), 32)] for each in every)
    if shared := sum(content in {*known} for content in new):
        typer.echo(f"{shared:,} of them are among the labelled images", err=True)


def say_features(found: "FeaturesToLabel") -> None:
    """Says how many embeddings are learned from and labelled, and which have a label already."""
    known = found.labelled
    classes = len(found.class_names)
    typer.echo(
        f"labelled: {number_of(len(known.labels), 'embeddings')} of {number_of(classes, 'classes')}"
    )
    _say_bad("labelled", known.bad_images)
    typer.echo(f"unlabelled: {number_of(len(found.new_features), 'embeddings')}")
    if shared := found.among_labelled:
        typer.echo(f"{shared:,} of them are among the labelled ones", err=True)


def _say_bad(kind: str, paths: Sequence[str]) -> None:
    from lowlabel.datasets.io.lists import first_few

    if paths:
        listed = first_few(paths, _MOST_SHOWN)
        typer.echo(
            f"left out: {number_of(len(paths), f'{kind} images')} cannot be decoded: {listed}",
            err=True,
        )


def say_choice(choice: "MethodChoice", class_names: Sequence[str]) -> None:
    """Prints the methods that were tried, and what to expect of the one that was chosen."""
    from lowlabel.cli.tables import fitted
    from lowlabel.datasets.io.lists import first_few

    for spec, reason in choice.left_out.items():
        typer.echo(f"left out: {spec}: {reason}", err=True)
    if lone := choice.unscored_classes:
        listed = first_few([class_names[label] for label in lone], _MOST_SHOWN)
        typer.echo(
            f"classes of one image or group: {len(lone):,} ({listed}); they are learned and "
            "predicted, but not part of the expected accuracy",
            err=True,
        )
    if not choice.folds:
        typer.echo(
            f"method: {choice.method}\nexpected accuracy: unknown, since no class has two images; "
            "scores are not calibrated"
        )
        return
    rows = [(spec, f"{accuracy:.1f}") for spec, accuracy in choice.tried.items()]
    headers = "method", f"accuracy in {choice.folds} folds, %"
    typer.echo(f"\n{fitted(headers, rows, right=1)}\n\nmethod: {choice.method}")
    nested = "nested cross-validation" if len(rows) > 1 else "cross-validation"
    low, high = choice.interval
    typer.echo(
        f"expected accuracy: {choice.accuracy:.1f} % (95 % interval {low:.1f} to {high:.1f}), by "
        f"{nested} on {number_of(choice.scored, 'labelled images')}, for images drawn as they were"
    )
