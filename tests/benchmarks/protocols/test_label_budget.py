"""The protocol of label budgets: records, draws, lists, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lowlabel.benchmarks import make_plan, run_plan
from lowlabel.benchmarks.protocols.label_budget import LabelBudget
from lowlabel.classification import evaluate_label_budget
from lowlabel.classification.budget import DrawState
from lowlabel.classification.unfinished import Unfinished
from lowlabel.datasets.base import Division
from lowlabel.errors import DataError, InputError, UnknownNameError, UserError
from lowlabel.features import embedded_file
from lowlabel.features.embedded import FILE

SIZES = {"crow": 12, "gull": 5, "finch": 20}
COLOURS = {"crow": 40, "gull": 200, "finch": 120}


@pytest.fixture
def birds(tmp_path):
    """A folder of unequal classes; file names are unique."""
    random = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        for part, images in (("train", SIZES[name]), ("test", 3)):
            folder = tmp_path / "birds" / part / name
            folder.mkdir(parents=True)
            for index in range(images):
                noise = random.integers(-30, 30, (16, 16, 3))
                picture = Image.fromarray((colour + noise).astype(np.uint8))
                picture.save(folder / f"{name}_{part}_{index}.png")
    return f"folder:{tmp_path / 'birds'}"


@pytest.fixture
def learned(tmp_path):
    """Features of four unequal classes with their train features in a file of their own."""
    random = np.random.default_rng(1)
    centres = random.normal(size=(9, 16))

    def part(counts, first=0):
        labels = np.repeat(np.arange(first, first + len(counts)), counts)
        features = centres[labels] + random.normal(size=(len(labels), 16))
        return features, labels

    (x, y), (bx, by), (tx, ty) = part((10,) * 4), part((20,) * 5, 4), part((6, 14, 9, 30))
    scored, train = tmp_path / "scored.npz", tmp_path / "train.npz"
    np.savez(scored, features=x, labels=y, base_features=bx, base_labels=by)
    np.savez(train, features=tx, labels=ty)
    return scored, train


def options(**changes):
    return {"method": ("ncm", "knn"), **changes}


def test_records_are_those_of_the_function(run, learned):
    scored, train = learned
    asked = options(method=("ncm", "ncm,norm=cl2n", "ridge"), train_features=train)
    settings = ("label-budget.budgets=(1, '10%', '100%')", "label-budget.draws=3")
    records = run("label-budget", features=scored, options=asked, settings=settings).records
    file, base = np.load(train), np.load(scored)
    found = evaluate_label_budget(
        file["features"],
        file["labels"],
        base["features"],
        base["labels"],
        base=(base["base_features"], base["base_labels"]),
        budgets=(1, "10%", "100%"),
        methods=asked["method"],
        draws=3,
        device="cpu",
    )
    assert len(records) == len(found.results) == 9
    for record, ours in zip(records, found.results, strict=True):
        assert record.experiment.method.spec == ours.method
        assert record.task_hash == ours.task_hash
        means = {name: score.mean for name, score in record.scores.items()}
        assert means == pytest.approx(ours.metrics)
        assert record.counts == {
            "images": 40,
            "draws": ours.draws,
            "labelled": ours.labelled,
            "classes": 4,
            **ours.counts,
        }
    names = [record.experiment.protocol.name for record in records[::3]]
    assert names == ["per class 1", "percent 10", "percent 100"]
    assert [set(r.experiment.feature_keys) for r in records[:2]] == [
        {"train", "all"},
        {"train", "base", "all"},
    ]


def test_a_folder_of_unequal_classes_is_scored(run, birds):
    settings = ("label-budget.budgets=(1, 5, '25%')",)
    records = run("label-budget", birds, options=options(), settings=settings).records
    assert [r.counts["labelled"] for r in records] == [3, 3, 15, 15, 9, 9]
    assert [r.counts.get("neighbours") for r in records] == [None, 1, None, 5, None, 5]
    assert all(set(r.experiment.feature_keys) == {"train", "test"} for r in records)
    again = run("label-budget", birds, options=options(), settings=settings)
    assert again.records == records


def test_the_suites_own_budgets_are_left_out_and_said(run, birds):
    outcome = run("label-budget", birds, options=options(method=("ncm", "dc-sslvit")))
    budgets = {r.experiment.protocol.name for r in outcome.records}
    assert budgets == {"per class 1", "per class 2", "per class 5", "percent 10", "percent 100"}
    notes = "\n".join(outcome.left_out)
    assert "label budgets 10, 20, 50, 100, 200, 500, 1000" in notes
    assert "class gull has 5" in notes
    assert "label budget 1% on birds: it labels the same images as 1 per class" in notes
    assert "dc-sslvit on birds: it needs base classes" in notes


def test_budgets_of_the_command_line_must_be_possible(birds, request_of):
    settings = ("label-budget.budgets=(2, 6)",)
    request = request_of("label-budget", birds, options=options(), settings=settings)
    (failure,) = run_plan(make_plan(request), request).failures
    assert "class gull has 5" in failure.message and "at most 5" in failure.hint
    request = replace(request, settings=(*settings, "label-budget.short=all"))
    outcome = run_plan(make_plan(request), request)
    assert not outcome.failures
    assert [r.counts.get("short") for r in outcome.records] == [None, None, 1, 1]


def test_a_list_of_labelled_images_is_a_budget(run, birds, tmp_path):
    names = [f"{name}_train_{index}.png" for name in SIZES for index in range(2)]
    listed = tmp_path / "mine.txt"
    listed.write_text("\n".join([*names, "other.png"]))
    settings = ("label-budget.budgets=1", f"label-budget.labelled={listed}")
    outcome = run("label-budget", birds, options=options(), settings=settings)
    by_list = [r for r in outcome.records if r.experiment.protocol.name == "list mine.txt"]
    assert [r.counts["labelled"] for r in by_list] == [6, 6]
    assert all(r.counts["draws"] == 1 for r in by_list)
    assert any("1 images of" in note and "mine.txt" in note for note in outcome.left_out)
    listed.write_text("\n".join(names[1:]))
    changed = run("label-budget", birds, options=options(), settings=settings).records
    assert not {r.identity() for r in changed} >= {r.identity() for r in by_list}


def test_a_class_that_a_list_lacks_is_an_error(birds, request_of, tmp_path):
    (tmp_path / "mine.txt").write_text("crow_train_0.png\ngull_train_1.png")
    settings = ("label-budget.budgets=1", f"label-budget.labelled={tmp_path / 'mine.txt'}")
    request = request_of("label-budget", birds, options=options(), settings=settings)
    (failure,) = run_plan(make_plan(request), request).failures
    assert "class finch" in failure.message


@pytest.mark.parametrize("method", ["dc-sslvit", "ncm,norm=cl2n"])
def test_a_named_method_that_does_not_fit_is_an_error(birds, request_of, method):
    asked = options(method=("ncm", method), strict=True)
    settings = ("label-budget.budgets=1",)
    request = request_of("label-budget", birds, options=asked, settings=settings)
    (failure,) = run_plan(make_plan(request), request).failures
    assert f"{method} on birds: it needs base classes" in failure.message


def test_nothing_that_can_be_scored_is_an_error(birds, request_of):
    request = request_of(
        "label-budget-1000", birds, options={}, settings=("label-budget.method=dc-sslvit",)
    )
    (failure,) = run_plan(make_plan(request), request).failures
    assert "no budget and method can be scored" in failure.message


def test_base_classes_are_embedded_where_a_division_has_them_beside_train():
    division = Division("d", ("train", "base", "test"), lambda *_: [], shared_classes=True)
    assert LabelBudget(method=("ncm",), budgets=(1,)).needs(division) == ("train", "test")
    needs = LabelBudget(method=("ncm,norm=cl2n",), budgets=(1,)).needs(division)
    assert needs == ("train", "base", "test")
    only = Division(FILE, ("base", "all"), lambda *_: [], shared_classes=True)
    assert LabelBudget(method=("dc",), budgets=(1,)).needs(only) == ("base", "all")


def test_a_suite_that_includes_another_adds_its_methods():
    one = LabelBudget(method=("ncm", "knn"), budgets=(1,))
    joined = one.joined(LabelBudget(method=("ridge", "ncm"), budgets=(2,)))
    assert [each.spec for each in joined.method] == ["ncm", "knn", "ridge"]
    assert joined.budgets == (1,) and joined.short == "leave-out"


@pytest.mark.parametrize("dataset", ["demo-copies", "cub:closerlook"])
def test_a_dataset_without_a_train_part_is_refused(request_of, dataset):
    with pytest.raises(UserError) as caught:
        make_plan(request_of("label-budget", dataset))
    assert dataset in caught.value.message
    assert "train part" in caught.value.hint


def test_a_list_does_not_go_with_a_file(learned, request_of, tmp_path):
    (tmp_path / "l.txt").write_text("a.png")
    request = request_of(
        "label-budget",
        features=learned[0],
        options={"train_features": learned[1]},
        settings=(f"label-budget.labelled={tmp_path / 'l.txt'}",),
    )
    with pytest.raises(UserError, match="names image files"):
        make_plan(request)


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        ({"budgets": [0]}, InputError, "budget 0"),
        ({"budgets": []}, InputError, "no budget"),
        ({"budgets": [5, 5]}, InputError, "more than once"),
        ({"budgets": [1], "draws": 0}, InputError, "draws"),
        ({"budgets": [1], "method": ["nvm"]}, UnknownNameError, "nvm"),
        ({"budgets": [1], "short": "some"}, UnknownNameError, "some"),
        ({"budgets": [1], "labelled": "none.txt"}, DataError, "none.txt"),
        ({"budget": [1]}, UnknownNameError, "budget"),
    ],
)
def test_options_are_checked_before_any_work(table, error, match):
    with pytest.raises(error, match=match):
        LabelBudget.from_table(table)


def test_a_file_with_train_features_of_the_same_classes_is_scored(run, learned):
    with np.load(learned[0]) as scored, np.load(learned[1]) as train:
        arrays = {"base_features": train["features"], "base_labels": train["labels"]}
        np.savez(learned[1].with_name("both.npz"), **{**scored, **arrays})
    data = embedded_file(learned[1].with_name("both.npz"))
    protocol = LabelBudget(method=("ncm", "dc-sslvit"), budgets=(2,))
    trials = list(protocol.trials(data, "cpu"))
    assert [t.experiments[0].method.spec for t in trials] == ["ncm"]
    assert protocol.left_out(data)


def test_the_plan_counts_one_budget_draw_and_method_in_the_singular():
    assert LabelBudget(method=("ncm",), budgets=(16,), draws=1).describe() == (
        "1 label budget × 1 draw × 1 method"
    )
    assert LabelBudget(method=("ncm", "knn"), budgets=(1, "10%"), draws=1000).describe() == (
        "2 label budgets × 1,000 draws × 2 methods"
    )


def test_a_killed_budget_goes_on_in_the_file_beside_its_record(learned, tmp_path, monkeypatch):
    monkeypatch.setattr(Unfinished, "is_due", property(lambda self: True))
    with np.load(learned[0]) as scored, np.load(learned[1]) as train:
        arrays = {"base_features": train["features"], "base_labels": train["labels"]}
        np.savez(tmp_path / "both.npz", **{**scored, **arrays})
    data = embedded_file(tmp_path / "both.npz")
    protocol = LabelBudget(method=("ncm",), budgets=(3,), draws=4)
    (expected,) = next(protocol.trials(data, "cpu")).run()
    trial, path, add = next(protocol.trials(data, "cpu")), tmp_path / "a.partial", DrawState.add
    added = []

    def killed_after_two(self, values):
        add(self, values)
        added.append(self.sums.draws)
        if added == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(DrawState, "add", killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        trial.resume(path)
    (found,) = trial.resume(path)
    assert added == [1, 2, 3, 4]
    assert found.scores == expected.scores
