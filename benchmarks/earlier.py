"""Records of earlier versions, which knew images by their size, under their new identity."""

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lowlabel.features import Earlier
from lowlabel.results import Experiment, Record, delete_record, find_records, save_changed


def take_over_record(folder: Path, experiment: Experiment, earlier: Earlier) -> bool:
    """Moves an earlier version's record of an experiment, if it is surely of the same images.

    It is if its features were taken over and no image changed since it was made. Otherwise this is
    said, and the record stays as it is.

    Args:
        folder: Folder of the records.
        experiment: What is scored.
        earlier: How earlier versions identified the embeddings.

    Returns:
        Whether there is now a record of `experiment`.
    """
    found = find_records(folder, earlier_experiment(experiment, earlier).identity())
    name = experiment.model.name
    paths = sorted(found, key=lambda path: found[path].experiment.model.name != name)
    if not paths:
        return False
    path, was = paths[0], found[paths[0]]
    reason = _doubt(was, experiment, earlier)
    if reason:
        text = f"{path.name}, made by an earlier version, is not used: {reason}"
        print(text, file=sys.stderr, flush=True)
        return False
    save_changed(path, replace(was, experiment=experiment))
    if was.experiment.model.name == name:
        delete_record(path)
    return True


def _doubt(record: Record, experiment: Experiment, earlier: Earlier) -> str:
    made = datetime.fromisoformat(record.created).timestamp()
    if earlier.newest >= made * 1e9:
        return "images changed after it was made"
    if set(experiment.feature_keys.values()) & earlier.anew:
        return "its features were extracted again, since there were none to compare or they differ"
    return ""


def earlier_experiment(experiment: Experiment, earlier: Earlier) -> Experiment:
    """The experiment as earlier versions identified it."""
    dataset = replace(experiment.dataset, manifest="", manifest_sha256=earlier.manifest_sha256)
    keys = {part: earlier.keys.get(key, key) for part, key in experiment.feature_keys.items()}
    return replace(experiment, dataset=dataset, feature_keys=keys)
