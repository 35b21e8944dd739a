"""The evaluated classes that a model was pretrained or tuned on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lowlabel.datasets import ImageSet, OpenDataset, classes_seen, is_own
from lowlabel.features.models.checkpoints import card


def seen_classes(
    name: str,
    pretrained_on: str | None,
    tuning: Mapping[str, Any],
    opened: OpenDataset,
    images: ImageSet,
) -> str:
    """How many evaluated classes a model was pretrained or tuned on, as a sentence.

    Args:
        name: The model's name.
        pretrained_on: The images that it was pretrained on; None if unknown.
        tuning: The facts of its tuning; empty if there was none.
        opened: The dataset.
        images: The evaluated images.
    """
    seen = classes_seen(images, pretrained_on) if pretrained_on else None
    last = str(tuning.get("dataset", ""))
    folders = tuning.get(card.FOLDERS_BEFORE, ())
    told = {facts["dataset"] for facts in folders}
    before = [spec for spec in tuning.get("tuned_before", ()) if spec not in {last, *told}]
    earlier = [
        *((spec, dict[str, Any]()) for spec in before),
        *((facts["dataset"], facts) for facts in folders),
    ]
    tunings = (_tuned_classes(*each, opened, images) for each in (*earlier, (last, tuning)))
    sentences = dict.fromkeys(filter(None, (seen, *tunings)))
    return "; ".join(f"{name} was {sentence}" for sentence in sentences)


def _tuned_classes(
    spec: str, facts: Mapping[str, Any], opened: OpenDataset, images: ImageSet
) -> str:
    """How many evaluated classes are in the part that a model was tuned on, as a sentence.

    A folder is known by its place or the images to tune on, if the facts of the tuning have them.
    """
    name, _, division_name = spec.rpartition(":")
    divisions = {each.name: each for each in opened.dataset.divisions}
    division = divisions.get(division_name)
    is_folder = is_own(name) and card.TRAIN_MANIFEST in facts
    alike = is_own(opened.dataset.name) if is_folder else name == opened.dataset.name
    if not alike or division is None or division.train_part is None:
        return ""
    tuned_on = replace(opened, division=division, allow_partial=True, _parts={})
    train = tuned_on.load(division.train_part)
    known = train.manifest_sha256, card.folder_sha256(train.root)
    if is_folder and not {facts[card.TRAIN_MANIFEST], facts.get(card.TRAIN_FOLDER)} & {*known}:
        return ""
    if not (shared := {*images.class_names} & {*train.class_names}):
        return ""
    return (
        f"tuned on {spec} {train.part}: {len(shared)} of the {len(images.class_names)} "
        f"{images.part} classes"
    )
