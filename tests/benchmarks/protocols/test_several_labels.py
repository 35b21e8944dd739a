"""Images with several labels: retrieval and classifiers score them, the others refuse them."""

from dataclasses import replace

import numpy as np
import pytest

from lowlabel.benchmarks.plan import make_plan
from lowlabel.benchmarks.protocols.label_kinds import SeveralLabels
from lowlabel.classification import (
    RECIPES,
    evaluate_knn_several_labels,
    evaluate_linear_several_labels,
    evaluate_logistic_several_labels,
)
from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError
from lowlabel.features import extract_features, load_backbone
from lowlabel.results import load_scored
from lowlabel.retrieval import evaluate_several_labels

LABELS = ("red", "green", "round")
SHORT = ("linear.recipe=dinov2", "linear.iterations=4", "linear.batch_size=16")
GRID = replace(RECIPES["dinov2"], iterations=4, batch_size=16)


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


def arrays(spec, sets, *parts):
    """Features and labels of each part; `sets` has the rows of all parts in turn."""
    rows = by_labels(sets, spec, *parts)
    ends = np.cumsum([len(open_dataset(spec).load(part)) for part in parts])[:-1]
    rows = np.split(rows, ends)
    return {part: (features(spec, part), own) for part, own in zip(parts, rows, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("interval", ["images", "groups", "classes"])
@pytest.mark.parametrize("parts", [("train", "test"), ("train", "val", "test")])
def test_classifiers_have_the_map_of_their_arrays(parts, interval, table, run, tmp_path):
    spec, sets = table(parts)
    settings = ("logistic-regression.c=(0.1, 1)", "knn.neighbours=(3, 5)", *SHORT)
    outcome = run("classification", spec, options={"interval": interval}, settings=settings)
    found = {
        scored.record.experiment.method.spec: scored
        for scored in load_scored(tmp_path / "out" / "records")
    }
    of = arrays(spec, sets, *parts)
    knn = evaluate_knn_several_labels(*of["train"], *of["test"], k=(3, 5))
    fitted = evaluate_logistic_several_labels(
        *of["train"], *of["test"], c=(0.1, 1.0), validation=of.get("val")
    )
    probe = evaluate_linear_several_labels(
        *of["train"], *of["test"], recipe=GRID, validation=of.get("val")
    )
    expected = {f"knn,k={k}": result for k, result in knn.items()} | {
        "logreg,c=(0.1, 1.0)": fitted,
        "linear-grid-cached,batch_size=16,iterations=4,recipe=dinov2": probe,
    }
    assert found.keys() == expected.keys()
    for name, result in expected.items():
        record = found[name].record
        (score,) = record.scores.values()
        assert record.scores.keys() == {"mean_ap"}
        assert score.mean == pytest.approx(result.metrics["mean_ap"])
        assert record.intervals["mean_ap"].keys() == {"images", "groups", "classes"}
        assert record.half_width("mean_ap", "images") == pytest.approx(result.ci95["mean_ap"])
        assert score.ci95 == record.half_width("mean_ap", interval)
        assert record.counts["labels"] == len(result.scored)
        assert record.experiment.protocol.name == "train → test, several labels"
    assert found["knn,k=3"].record.deterministic
    chosen = {name: scored.record.chosen for name, scored in found.items()}
    for name in expected.keys() - {"knn,k=3", "knn,k=5"}:
        where = "val" if "val" in parts else SeveralLabels.held_out
        assert chosen[name]["where"] == where
        assert chosen[name]["tried"] == pytest.approx(expected[name].chosen["tried"])
    assert outcome.left_out == []


def test_every_protocol_of_these_suites_scores_several_labels(table, request_of):
    spec, _ = table(("train", "test"))
    plan = make_plan(request_of("classification", spec))
    assert {job.protocol.name for job in plan.jobs} == {"knn", "linear", "logistic-regression"}
    assert not [note for note in plan.skipped if "several labels" in note]
    plan = make_plan(request_of("retrieval", spec))
    assert not [note for note in plan.skipped if "several labels" in note]


def test_labels_of_one_part_alone_are_named_and_counted(image_folder, run, tmp_path):
    paths = sorted(path.relative_to(image_folder) for path in image_folder.rglob("*.png"))
    lines = [
        f"{path.as_posix()},{'ab'[n % 2]},{('train', 'test')[n % 3 // 2]}"
        for n, path in enumerate(paths)
    ]
    train, test = (
        next(n for n, line in enumerate(lines) if line.endswith(part)) for part in ("train", "test")
    )
    for line, label in ((train, "of train"), (test, "of test")):
        path, own, part = lines[line].split(",")
        lines[line] = f"{path},{own}|{label},{part}"
    (image_folder / "own.csv").write_text("\n".join(["path,labels,split", *lines]))
    outcome = run("knn", f"csv:{image_folder / 'own.csv'}", options={"neighbours": (3,)})
    assert [note.rpartition(": ")[2] for note in outcome.left_out] == ["of train", "of test"]
    (scored,) = load_scored(tmp_path / "out" / "records")
    assert scored.record.counts["labels"] == 3
    assert scored.record.counts["labels without a test image"] == 1
    assert scored.record.counts["labels that train cannot tell"] == 1


def test_a_label_of_all_train_images_is_named(table, run, image_folder, tmp_path):
    spec, _ = table(("train", "test"))
    path = image_folder / spec.removeprefix("csv:").rpartition("/")[2]
    header, *rows = path.read_text().splitlines()
    place = header.split(",").index("labels")
    values = [row.split(",") for row in rows]
    for row in values:
        row[place] += "|of all"
    path.write_text("\n".join([header, *(",".join(row) for row in values)]))
    outcome = run("knn", spec, options={"neighbours": (3,)})
    (note,) = outcome.left_out
    assert note.endswith("on all train images and so with equal scores: of all")
    (scored,) = load_scored(tmp_path / "out" / "records")
    assert scored.record.counts["labels that train cannot tell"] == 1


@pytest.mark.parametrize("suite", ["fewshot", "label-budget", "label-free"])
def test_protocols_of_one_label_refuse_it(suite, table, run):
    spec, _ = table(("train", "test"))
    with pytest.raises(InputError, match=r"several labels, and suite .* needs one label for each"):
        run(suite, spec)


@pytest.mark.parametrize("suite", ["knn", "classification"])
def test_classifiers_need_a_train_part(suite, table, run):
    spec, _ = table()
    with pytest.raises(InputError, match="several labels and no train part"):
        run(suite, spec)
    spec, _ = table(("train", "test"))
    with pytest.raises(InputError, match=r"several labels and no train part.*\n.*voters=half"):
        run("knn", spec, settings=("knn.voters=half",))


def test_top_5_of_several_labels_is_refused(table, run):
    spec, _ = table(("train", "test"))
    with pytest.raises(DataError, match=r"knn\.unvoted is about top-5"):
        run("knn", spec, settings=("knn.unvoted=fill",))


def test_small_classes_of_several_labels_are_refused(table, run):
    spec, _ = table(("train", "test"))
    with pytest.raises(InputError, match="--min-images counts the images of classes"):
        run("knn", spec, min_images=3)


@pytest.mark.parametrize("options", [{"nmi": True}, {"post": ("aqe:2",)}, {"worst": 3}])
def test_options_of_one_label_are_refused_by_name(options, table, run):
    spec, _ = table()
    with pytest.raises(DataError, match="several labels: leave --"):
        run("retrieval", spec, options=options)


@pytest.fixture
def feature_file(tmp_path):
    """Saves embeddings with a matrix of labels, and gives the arrays of its parts."""

    def save(*parts, empty=False):
        directions = np.random.default_rng(0).normal(size=(3, 8))
        arrays, found = {}, []
        for seed, part in enumerate(parts):
            random = np.random.default_rng(seed)
            labels = random.random((40, 3)) < 0.4
            labels[~labels.any(axis=1), 0] = not empty
            x = (labels @ directions + random.normal(size=(40, 8))).astype(np.float32)
            arrays |= {f"{part}features": x, f"{part}labels": labels.astype(int)}
            found.append((x, labels))
        np.savez(tmp_path / "made.npz", **arrays)
        return tmp_path / "made.npz", *found

    return save


@pytest.mark.parametrize("parts", [("",), ("", "gallery_")])
def test_a_matrix_of_a_feature_file_is_scored_by_retrieval(parts, feature_file, run, tmp_path):
    path, (x, labels), *gallery = feature_file(*parts)
    run("retrieval", features=path, options={"k": (1,)})
    (scored,) = load_scored(tmp_path / "out" / "records")
    expected = evaluate_several_labels(x, labels, gallery=gallery[0] if gallery else None, ks=(1,))
    found = {name: score.mean for name, score in scored.record.scores.items()}
    assert found == pytest.approx(expected.metrics)
    assert scored.record.experiment.protocol.name.endswith("several labels")


@pytest.mark.parametrize("empty", [False, True])
def test_a_matrix_of_a_feature_file_is_scored_by_classifiers(empty, feature_file, run, tmp_path):
    path, test, train = feature_file("", "base_", empty=empty)
    settings = ("logistic-regression.c=0.1", "knn.neighbours=3", *SHORT)
    run("classification", features=path, settings=settings)
    found = {
        scored.record.experiment.method.spec: scored.record.scores["mean_ap"].mean
        for scored in load_scored(tmp_path / "out" / "records")
    }
    assert found == pytest.approx(
        {
            "knn,k=3": evaluate_knn_several_labels(*train, *test, k=3)[3].metrics["mean_ap"],
            "logreg,c=0.1": evaluate_logistic_several_labels(*train, *test, c=0.1).metrics[
                "mean_ap"
            ],
            "linear-grid-cached,batch_size=16,iterations=4,recipe=dinov2": (
                evaluate_linear_several_labels(*train, *test, recipe=GRID).metrics["mean_ap"]
            ),
        }
    )


@pytest.mark.parametrize(
    ("suite", "parts", "settings", "message"),
    [
        ("fewshot", ("",), (), "several labels of each row, and suite fewshot needs one"),
        ("label-budget", ("", "base_"), (), "several labels of each row, and suite label-budget"),
        ("classification", ("",), (), "learns from a train part, and made.npz has none"),
        ("knn", ("", "base_"), ("knn.voters=half",), "which the train part alone can vote for"),
    ],
)
def test_what_a_file_of_several_labels_lacks_is_said(
    suite, parts, settings, message, feature_file, request_of
):
    path, *_ = feature_file(*parts)
    with pytest.raises(InputError, match=message):
        make_plan(request_of(suite, features=path, settings=settings))


def test_a_file_that_no_protocol_of_a_suite_scores_is_refused(tmp_path, request_of):
    np.savez(tmp_path / "a.npz", features=np.eye(4), labels=[0, 0, 1, 1])
    with pytest.raises(InputError, match="has no protocol for embeddings made elsewhere"):
        make_plan(request_of("landmarks-dino", features=tmp_path / "a.npz"))
