"""Groups of a table reach every protocol: intervals by hand, ignored images, tasks."""

import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from lowlabel.benchmarks import make_plan
from lowlabel.classification import evaluate_label_budget
from lowlabel.datasets import open_dataset
from lowlabel.datasets.tables.groups import group_numbers
from lowlabel.errors import DataError
from lowlabel.features import extract_features, load_backbone
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.results import load_scored
from lowlabel.retrieval import evaluate_retrieval

LINEAR = ("linear.epochs=2", "linear.iterations=2", "linear.batch_size=16")
BUDGETS = ("label-budget.budgets=(1,)", "label-budget.draws=2")


@pytest.fixture
def table(image_folder):
    """Writes the images of `parts`, in groups of two or of one, with the splits of `parts`."""

    def write(parts):
        lines = []
        for part, split in parts.items():
            for path in sorted((image_folder / part).rglob("*.png")):
                group = f"{path.parent.name}-{int(path.stem) // 2}" if path.stem != "5" else ""
                name = path.relative_to(image_folder)
                lines.append(f"{name},{path.parent.name},{split},{group}")
        (image_folder / "own.csv").write_text("\n".join(["path,label,split,group", *lines]))
        return f"csv:{image_folder / 'own.csv'}"

    return write


@pytest.fixture
def learned(table, image_folder):
    """A table whose train part has the classes of its test part."""
    shutil.copytree(image_folder / "base", image_folder / "again")
    rng = np.random.default_rng(0)
    for path in sorted((image_folder / "again").rglob("*.png"))[::2]:  # that classes do not tell
        _noise(rng, path)
    return table({"base": "train", "again": "test"})


@pytest.fixture
def scored(run, tmp_path):
    """Runs a suite over groups, and returns its records with their values."""

    def score(suite, spec, **changes):
        options = {"interval": "groups", **changes.pop("options", {})}
        run(suite, spec, options=options, **changes)
        return load_scored(tmp_path / "out" / "records")

    return score


def embedded(spec, part):
    images = open_dataset(spec).load(part)
    table = extract_features(load_backbone("pixels", resolution=4), images)
    return table.features, table.labels


def groups_of(spec, part):
    """Integers: the group of each image, or one of its own."""
    images = open_dataset(spec).load(part)
    names = [name or path for name, path in zip(images.groups, images.paths, strict=True)]
    return np.unique(names, return_inverse=True)[1]


def _noise(rng, path):
    Image.fromarray(rng.integers(0, 256, (20, 24, 3)).astype(np.uint8)).save(path)


def by_hand(values, groups):
    """The half-width of the jackknife over groups."""
    without = np.array([values[groups != group].mean() for group in np.unique(groups)])
    g = len(without)
    variance = (g - 1) / g * ((without - without.mean()) ** 2).sum()
    return stats.t.ppf(0.975, g - 1) * np.sqrt(variance)


def checked(records, groups):
    """The metrics whose intervals are those by hand."""
    found = set()
    for each in records:
        for metric, score in each.record.scores.items():
            if "groups" not in each.record.intervals.get(metric, {}):
                continue
            expected = by_hand(each.per_item[metric], groups)
            assert score.ci95 == pytest.approx(expected, abs=1e-6), metric
            assert "groups" in each.record.ci95_definition
            found.add(metric)
    return found


def test_knn_by_half_of_each_class(scored, table):
    spec = table({"novel": "test", "base": "train"})
    odd = np.arange(18) % 2 == 1
    assert "top1" in checked(scored("knn", spec), groups_of(spec, "test")[odd])


def test_classifiers(scored, learned):
    records = scored("classification", learned, settings=LINEAR)
    methods = {each.record.experiment.method.name.partition(",")[0] for each in records}
    assert {"knn", "logreg"} < methods  # and linear probes
    assert {"top1", "auroc", "ece"} & checked(records, groups_of(learned, "test"))


def test_retrieval(scored, table):
    spec = table({"novel": "test", "base": "train"})
    found = checked(scored("retrieval", spec, options={"k": (1, 2)}), groups_of(spec, "test"))
    assert {"recall@1", "recall@2", "map"} <= found


def test_label_budgets(scored, learned):
    (each,) = scored("label-budget", learned, options={"method": ("ncm",)}, settings=BUDGETS)
    sets = *embedded(learned, "train"), *embedded(learned, "test")
    groups = groups_of(learned, "test")
    (result,) = evaluate_label_budget(*sets, methods="ncm", budgets=(1,), draws=2).results
    draws, g = result.by_draw["top1"], len(np.unique(groups))
    by_draw = draws.var(ddof=1) / 2
    by_group = (by_hand(result.values["top1"], groups) / stats.t.ppf(0.975, g - 1)) ** 2
    freedom = (by_draw + by_group) ** 2 / (by_draw**2 + by_group**2 / (g - 1))
    expected = stats.t.ppf(0.975, freedom) * np.sqrt(by_draw + by_group)
    assert each.record.scores["top1"].ci95 == pytest.approx(expected, abs=1e-6)


def test_few_shot(scored, table, image_folder):
    rng = np.random.default_rng(0)
    for folder in sorted((image_folder / "novel").iterdir()):
        for number in range(6, 24):
            _noise(rng, folder / f"{number}.png")
    spec = table({"novel": "test", "base": "train"})
    task = {"ways": 2, "queries": 3, "tasks": 20}
    options = {**task, "shots": (1,), "method": ("ncm",)}
    (each,) = scored("fewshot", spec, options=options)
    parts = {part: open_dataset(spec).load(part) for part in ("test",)}
    sets, groups = embedded(spec, "test"), group_numbers(parts)["test"]
    result = evaluate_fewshot(*sets, groups=groups, groups_apart=True, interval="groups", **task)
    assert each.record.scores["accuracy"].ci95 == pytest.approx(result.ci95)
    assert each.record.task_hash == result.task_hash
    assert each.record.experiment.protocol.options["groups"] == "apart"
    mixed = scored("fewshot", spec, options=options, settings=("fewshot.groups='mixed'",))
    hashes = {each.record.experiment.protocol.name: each.record.task_hash for each in mixed}
    plain = evaluate_fewshot(*sets, interval="tasks", **task)
    assert hashes["2-way 1-shot"] == plain.task_hash
    assert hashes["2-way 1-shot, groups apart"] == result.task_hash


def test_a_query_ignores_its_own_group(scored, table):
    spec = table({"novel": "test", "base": "train"})
    records = scored("retrieval", spec, options={"k": (1, 2), "ignore_same_group": True})
    result = evaluate_retrieval(
        *embedded(spec, "test"), groups=groups_of(spec, "test"), ignore_same_group=True, ks=(1, 2)
    )
    (each,) = records
    assert each.record.experiment.protocol.name == "leave-one-out, other groups"
    for metric, mean in result.metrics.items():
        assert each.record.scores[metric].mean == pytest.approx(mean)
    plain = scored("retrieval", spec, options={"k": (1, 2)})
    assert len({each.record.identity() for each in plain}) == 2


def test_other_groups_are_another_record(scored, table, image_folder):
    spec = table({"novel": "test", "base": "train"})
    scored("retrieval", spec, options={"k": (1,)})
    changed = (image_folder / "own.csv").read_text().replace("novel0-0", "novel0-1")
    (image_folder / "own.csv").write_text(changed)
    records = scored("retrieval", spec, options={"k": (1,)})
    assert len({each.record.identity() for each in records}) == 2
    assert len({each.record.experiment.dataset.manifest_sha256 for each in records}) == 1


@pytest.mark.parametrize(
    ("suite", "options"),
    [
        ("retrieval", {"ignore_same_group": True}),
        *((suite, {"interval": "groups"}) for suite in ("retrieval", "knn", "fewshot")),
    ],
)
def test_images_without_groups_are_told_so(request_of, image_folder, suite, options):
    request = request_of(suite, f"folder:{image_folder}", options=options)
    with pytest.raises(DataError, match="its images have no groups"):
        make_plan(request)
