"""Images with several labels: retrieval scores them, other protocols refuse them by name."""

import numpy as np
import pytest

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError
from lowlabel.features import extract_features, load_backbone
from lowlabel.results import load_scored
from lowlabel.retrieval import evaluate_several_labels

LABELS = ("red", "green", "round")


@pytest.fixture
def table(image_folder):
    """Writes a table of images with one or two of three labels each, and its matrix of labels."""

    def write(splits=("",)):
        lines, sets = [], []
        paths = sorted(image_folder.rglob("*.png"))
        for number, path in enumerate(paths):
            own = [label for bit, label in enumerate(LABELS) if (number % 6 + 1) >> bit & 1]
            sets.append([label in own for label in sorted(LABELS)])
            split = splits[number * len(splits) // len(paths)]
            name = path.relative_to(image_folder).as_posix()
            lines.append(f"{name},{'|'.join(own)},g{number // 3},{split}")
        columns = "path,labels,group,split"
        if splits == ("",):
            columns, lines = "path,labels,group", [line.rstrip(",") for line in lines]
        (image_folder / "own.csv").write_text("\n".join([columns, *lines]))
        return f"csv:{image_folder / 'own.csv'}", np.array(sets)

    return write


def features(spec, part):
    images = open_dataset(spec).load(part)
    return extract_features(load_backbone("pixels", resolution=4), images).features


def by_labels(sets, spec, *parts):
    """The rows of `sets`, which are in the order of the paths of all parts."""
    paths = [path for part in parts for path in open_dataset(spec).load(part).paths]
    return sets[np.argsort(np.argsort(paths))]


@pytest.mark.parametrize("ignore", [False, True])
def test_scores_are_those_of_shared_labels(ignore, table, run, tmp_path):
    spec, sets = table()
    run("retrieval", spec, options={"ignore_same_group": ignore, "k": (1, 2)})
    (scored,) = load_scored(tmp_path / "out" / "records")
    expected = evaluate_several_labels(
        features(spec, "all"),
        by_labels(sets, spec, "all"),
        ks=(1, 2),
        groups=np.arange(len(sets)) // 3,
        ignore_same_group=ignore,
    )
    found = {name: score.mean for name, score in scored.record.scores.items()}
    assert found == pytest.approx(expected.metrics)
    experiment = scored.record.experiment
    assert experiment.protocol.name.endswith("several labels")
    assert experiment.protocol.options["positives"] == "images that share a label"
    assert experiment.dataset.classes == len(LABELS)


def test_queries_are_searched_in_their_gallery(table, run, tmp_path):
    spec, sets = table(("gallery", "query"))
    opened = open_dataset(spec)
    assert (opened.division.kind, opened.division.gallery) == ("labels", "gallery")
    run("retrieval", spec, options={"k": (1,)})
    (scored,) = load_scored(tmp_path / "out" / "records")
    rows = by_labels(sets, spec, "gallery", "query")
    split = len(opened.load("gallery"))
    expected = evaluate_several_labels(
        features(spec, "query"),
        rows[split:],
        gallery=(features(spec, "gallery"), rows[:split]),
        ks=(1,),
    )
    found = {name: score.mean for name, score in scored.record.scores.items()}
    assert found == pytest.approx(expected.metrics)


@pytest.mark.parametrize("suite", ["fewshot", "classification", "label-budget"])
def test_protocols_of_one_label_refuse_it(suite, table, run):
    spec, _ = table(("train", "test"))
    with pytest.raises(InputError, match=r"several labels, and suite .* needs one label for each"):
        run(suite, spec)


@pytest.mark.parametrize("options", [{"nmi": True}, {"post": ("aqe:2",)}, {"worst": 3}])
def test_options_of_one_label_are_refused_by_name(options, table, run):
    spec, _ = table()
    with pytest.raises(DataError, match="several labels: leave --"):
        run("retrieval", spec, options=options)
