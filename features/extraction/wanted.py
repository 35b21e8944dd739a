"""What is extracted of a dataset for its scores, in an order that is the same everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lowlabel.datasets import ImageSet, OpenDataset
from lowlabel.features.backbone import Backbone
from lowlabel.features.embedded import train_view
from lowlabel.features.extract import store_shown
from lowlabel.features.extraction.options import ExtractionOptions

Wanted = tuple[Backbone, ImageSet, ExtractionOptions]


def store_dataset(
    backbone: Backbone,
    opened: OpenDataset,
    parts: Sequence[str],
    options: ExtractionOptions,
    *,
    stored: Mapping[str, OpenDataset] | None = None,
    view_seeds: Sequence[int] = (),
) -> None:
    """Extracts what `embed_dataset` extracts and reads nothing, as one of the options' team."""

    def wanted() -> list[Wanted]:
        images = {part: opened.load(part) for part in parts}
        own, joining = wanted_sets(backbone, opened, images, options, stored or {}, view_seeds)
        return [*own.values(), *joining.values()]

    for each in options.team.agreed(wanted) if options.team else wanted():
        store_shown(*each)


def wanted_sets(
    backbone: Backbone,
    opened: OpenDataset,
    images: Mapping[str, ImageSet],
    options: ExtractionOptions,
    stored: Mapping[str, OpenDataset],
    view_seeds: Sequence[int],
) -> tuple[dict[str, Wanted], dict[str, Wanted]]:
    """What to extract, by its name: of the dataset itself, and of those that join it."""
    division = opened.division
    strict = replace(options, skip_bad_images=False) if division.ground_truth else options
    own = {part: (backbone, each, strict) for part, each in images.items()}
    for number, seed in enumerate(view_seeds if division.train_part else ()):
        train = images[division.train_part or ""]
        own[train_view(number)] = (backbone.view(number, seed), train, strict)
    return own, {
        part: (backbone, other.load(other.division.evaluated), options)
        for part, other in stored.items()
    }
