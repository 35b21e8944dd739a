"""Label budgets: against scikit-learn on the same draws, and what must not matter."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.neighbors import NearestCentroid
from sklearn.svm import LinearSVC

from lowlabel.classification import (
    LinearRecipe,
    evaluate_knn,
    evaluate_label_budget,
    evaluate_linear,
)
from lowlabel.classification.budget import few_shot
from lowlabel.classification.budget.budgets import build_budgets
from lowlabel.classification.budget.draws import drawn
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import many_queries

SIZES = (40, 9, 130, 22, 65)
NAMES = np.array([3, -7, 12, 1000, 5])
BUDGETS = (1, 4, "10%")


def clusters(sizes, seed, width=12, spread=0.9):
    """Overlapping classes of unequal size, shuffled."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(len(sizes), width))
    classes = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    features = spread * centres[classes] + random.normal(size=(len(classes), width)) + 0.5
    return features.astype(np.float32), NAMES[classes]


@pytest.fixture(scope="module")
def train():
    return clusters(SIZES, 0)


@pytest.fixture(scope="module")
def test():
    return clusters((30, 12, 55, 8, 25), 1)


def scored(train, test, **options):
    options = {"budgets": BUDGETS, "methods": "ncm", "device": "cpu", **options}
    return evaluate_label_budget(*train, *test, **options)


def rows_of(labels, budgets, draws=5, seed=0):
    """The drawn rows of each budget."""
    _, classes = np.unique(labels, return_inverse=True)
    return drawn(build_budgets(budgets), classes, np.bincount(classes), draws, seed)


@pytest.mark.parametrize(
    ("method", "theirs"),
    [
        ("ncm", NearestCentroid()),
        ("ridge", RidgeClassifier(alpha=1.0)),
        ("ridge,alpha=50.0", RidgeClassifier(alpha=50.0)),
        ("logreg", LogisticRegression(tol=1e-9, max_iter=10_000)),
        ("svm", LinearSVC(tol=1e-9, max_iter=100_000)),
    ],
)
def test_methods_are_those_of_scikit_learn_on_the_same_draws(train, test, method, theirs):
    found = scored(train, test, methods=method, budgets=(4, "10%", "100%"))
    x, y = train[0].astype(np.float64), train[1]
    for budget, draws in zip(("4", "10%", "100%"), rows_of(y, (4, "10%", "100%")), strict=True):
        ours = found.of(budget, method)
        assert ours.task_hash == draws.digest
        for number, rows in enumerate(draws.rows):
            predicted = theirs.fit(x[rows], y[rows]).predict(test[0].astype(np.float64))
            expected = {
                "top1": (predicted == test[1]).mean(),
                "balanced_accuracy": balanced_accuracy_score(test[1], predicted),
                "macro_f1": f1_score(test[1], predicted, average="macro"),
            }
            for name, value in expected.items():
                assert ours.by_draw[name][number] == pytest.approx(100 * value, abs=1e-9), name


@pytest.mark.parametrize(
    "method", ["ncm,norm=l2", "cosine", "logreg,norm=l2", "knn", "linear-cached,epochs=3"]
)
def test_images_without_a_label_change_nothing(train, test, method):
    options = {"methods": method, "budgets": (2, "10%"), "draws": 2}
    expected = scored(train, test, **options)
    used = np.unique(np.concatenate([d.used for d in rows_of(train[1], (2, "10%"), 2)]))
    rest = np.setdiff1d(np.arange(len(train[1])), used)
    poisoned = train[0].copy()
    poisoned[rest] = 1e6 * np.random.default_rng(5).normal(size=(len(rest), 12))
    found = scored((poisoned, train[1]), test, **options)
    for ours, clean in zip(found.results, expected.results, strict=True):
        assert ours.task_hash == clean.task_hash
        for name in clean.values:
            assert np.array_equal(ours.values[name], clean.values[name]), name


def test_labels_that_are_not_drawn_change_nothing(train, test):
    """A list fixes the labelled images: all other labels may be wrong."""
    names = np.unique(train[1])
    listed = np.concatenate([np.flatnonzero(train[1] == name)[:6] for name in names])
    wrong = train[1].copy()
    rest = np.setdiff1d(np.arange(len(wrong)), listed)
    wrong[rest] = np.roll(names, 1)[np.searchsorted(names, wrong[rest])]
    methods = ("ncm", "ridge", "knn", "logreg")
    options = {"methods": methods, "budgets": "1%", "lists": {"six": listed.tolist()}}
    clean, found = (scored((train[0], y), test, **options) for y in (train[1], wrong))
    for method in methods:
        ours, expected = found.of("six", method), clean.of("six", method)
        assert ours.labelled == 30 and ours.draws == 1
        assert np.array_equal(ours.values["macro_f1"], expected.values["macro_f1"])


def test_the_full_budget_is_training_on_everything(train, test):
    found = scored(train, test, budgets="100%", methods=("knn", "linear-cached,epochs=4", "ncm"))
    by_class = np.argsort(train[1], kind="stable")
    ordered = train[0][by_class], train[1][by_class]
    knn = evaluate_knn(*ordered, *test, k=20, device="cpu").metrics["top1@20"]
    assert found.of("100%", "knn").metrics["top1"] == pytest.approx(knn)
    linear = evaluate_linear(*ordered, *test, recipe=LinearRecipe(epochs=4), device="cpu")
    ours = found.of("100%", "linear-cached,epochs=4")
    assert ours.metrics["top1"] == pytest.approx(linear.metrics["top1"])
    assert ours.draws == 1 and ours.labelled == sum(SIZES)
    assert ours.ci95["top1"] == pytest.approx(
        1.96 * ours.values["top1"].std(ddof=1) / np.sqrt(len(test[1]))
    )


@pytest.mark.parametrize(("budget", "k"), [(1, 1), (4, 4), ("10%", 13), ("100%", 20)])
def test_no_more_neighbours_than_a_class_has_labels(train, test, budget, k):
    ours = scored(train, test, methods="knn,k=20", budgets=budget, draws=2).results[0]
    (draws,) = rows_of(train[1], budget, 2)
    expected = [
        evaluate_knn(train[0][rows], train[1][rows], *test, k=k, device="cpu").metrics[f"top1@{k}"]
        for rows in draws.rows
    ]
    assert ours.by_draw["top1"] == pytest.approx(expected)
    assert ours.counts.get("neighbours", 20) == k


def test_reruns_are_equal_and_other_embeddings_get_the_same_draws(train, test):
    methods = ("ncm", "knn", "dc-sslvit,samples=10")
    first, again = (scored(train, test, methods=methods, base=train) for _ in range(2))
    other = scored((train[0][:, :5], train[1]), (test[0][:, :5], test[1]))
    for ours, theirs in zip(first.results, again.results, strict=True):
        assert all(np.array_equal(ours.values[n], theirs.values[n]) for n in ours.values)
        assert ours.task_hash == theirs.task_hash == other.of(ours.budget, "ncm").task_hash
    assert len({result.task_hash for result in first.results}) == len(BUDGETS)


def test_other_names_of_the_classes_change_nothing(train, test):
    renamed = [(x, np.searchsorted(np.sort(NAMES), y)) for x, y in (train, test)]
    ours, theirs = scored(train, test), scored(*renamed)
    for one, other in zip(ours.results, theirs.results, strict=True):
        assert np.array_equal(one.values["top1"], other.values["top1"])


@pytest.mark.parametrize("method", ["ncm", "ridge", "logreg", "svm", "dc-sslvit,samples=20"])
def test_the_block_of_queries_does_not_matter(train, test, method, monkeypatch):
    options = {"methods": method, "budgets": (3, "10%"), "base": train}
    whole = scored(train, test, **options)
    monkeypatch.setattr(many_queries, "_BLOCK_ELEMENTS", 12 * 7)
    for ours, theirs in zip(scored(train, test, **options).results, whole.results, strict=True):
        assert ours.metrics == pytest.approx(theirs.metrics, abs=1)  # an image at most


def test_transductive_methods_take_all_test_images_at_once(train, test):
    found = scored(train, test, methods="soft-kmeans,norm=l2", budgets="10%").results[0]
    halves = [
        scored(train, (test[0][part], test[1][part]), methods="soft-kmeans,norm=l2", budgets="10%")
        for part in (slice(0, 65), slice(65, None))
    ]
    joined = np.concatenate([half.results[0].values["top1"] for half in halves])
    assert not np.array_equal(joined, found.values["top1"])


def test_classes_without_train_images_count_as_wrong(train, test):
    kept = train[1] != 12
    ours = scored((train[0][kept], train[1][kept]), test).of(4, "ncm")
    assert ours.counts["unseen"] == 55
    assert ours.values["top1"][test[1] == 12].max() == 0


def test_small_classes_are_an_error_left_out_or_labelled_whole(train, test):
    with pytest.raises(InputError, match=r"class -7 has 9, class 1000 has 22") as caught:
        scored(train, test, budgets=(5, 30))
    assert "at most 9" in caught.value.hint
    left = scored(train, test, budgets=(5, 30), short="leave-out")
    assert [result.budget for result in left.results] == ["5"]
    assert "class -7 has 9" in left.left_out["30", "ncm"]
    whole = scored(train, test, budgets=(5, 30), short="all").of(30, "ncm")
    assert whole.labelled == 30 + 9 + 30 + 22 + 30
    assert whole.counts["short"] == 2


def test_what_does_not_fit_is_left_out_with_the_reason(train, test, monkeypatch):
    monkeypatch.setattr(few_shot, "MOST_BYTES", 200_000)
    methods = ("svm", "ncm", "dc", "ncm,norm=cl2n", "linear-cached,iterations=2,recipe=dinov2")
    found = scored(train, test, methods=methods, budgets=(1, "100%"))
    assert {(r.budget, r.method.split(",")[0]) for r in found.results} == {
        ("1", "svm"),
        ("1", "ncm"),
        ("100%", "ncm"),
        ("100%", "linear-cached"),
    }
    assert "GiB" in found.left_out["100%", "svm"]
    assert "base classes" in found.left_out["1", "ncm,norm=cl2n"]
    assert "two labels" in found.left_out["1", "linear-cached,iterations=2,recipe=dinov2"]
    with pytest.raises(InputError, match="nothing can be scored"):
        scored(train, test, methods="dc")


def test_one_test_image_and_two_train_images_are_enough():
    x = np.eye(2, dtype=np.float32)
    ours = evaluate_label_budget(x, [4, 9], x[:1], [4], budgets=(1, "1%"), methods=("ncm", "knn"))
    assert all(result.metrics["top1"] == 100 for result in ours.results)
    assert all(np.isnan(result.ci95["top1"]) for result in ours.results)


def test_torch_and_float64_arrays_give_the_same(train, test):
    tensors = [(torch.from_numpy(x).double(), torch.from_numpy(y)) for x, y in (train, test)]
    assert scored(*tensors).of(4, "ncm").metrics == scored(train, test).of(4, "ncm").metrics


def test_progress_ends_with_all_draws(train, test):
    told = []
    scored(train, test, methods=("ncm", "cosine"), progress=lambda *done: told.append(done))
    assert told == [(done, 30) for done in range(1, 31)]


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"budgets": 0}, InputError, "budget 0"),
        ({"budgets": (2, 2)}, InputError, "more than once"),
        ({"budgets": ()}, InputError, "no budget"),
        ({"methods": "nvm"}, UnknownNameError, "nvm"),
        ({"methods": ()}, InputError, "methods"),
        ({"methods": ("ncm", "ncm,norm=none")}, InputError, "different methods"),
        ({"methods": "knn,k=0"}, InputError, "k=0"),
        ({"methods": "knn,neighbours=3"}, InputError, "neighbours"),
        ({"methods": "linear-cached,recipe=none"}, UnknownNameError, "recipe"),
        ({"methods": "linear-cached,learning_rate=-1.0"}, InputError, "learning_rate"),
        ({"draws": 0}, InputError, "draws"),
        ({"seed": -1}, InputError, "seed"),
        ({"short": "some"}, UnknownNameError, "some"),
        ({"lists": {"mine": [0, 9999]}}, InputError, "list mine"),
        ({"lists": {"mine": []}}, InputError, "list mine"),
        ({"lists": {"mine": [0]}}, InputError, "no image of 4 of the 5"),
    ],
)
def test_bad_options_are_refused(train, test, options, error, match):
    with pytest.raises(error, match=match):
        scored(train, test, **options)


def test_bad_arrays_are_refused(train, test):
    broken = train[0].copy()
    broken[3, 2] = np.nan
    with pytest.raises(InputError, match="1 of 266 rows of train features"):
        scored((broken, train[1]), test)
    with pytest.raises(InputError, match="dimensions"):
        scored((train[0][:, :4], train[1]), test)
    with pytest.raises(InputError, match="none of the 130 test images"):
        scored(train, (test[0], test[1] + 5000))
    with pytest.raises(InputError, match="nothing can be told apart"):
        scored((train[0], np.zeros(266, int)), test)


def test_no_time_goes_into_what_no_budget_shows(monkeypatch):
    monkeypatch.setattr("lowlabel.classification.metrics._auroc", None)
    train, test = clusters(SIZES, 0), clusters(SIZES, 1)
    methods = ("knn", "linear-cached,epochs=2", "ncm")
    found = evaluate_label_budget(*train, *test, budgets=2, methods=methods, draws=1)
    for each in found.results:
        assert set(each.metrics) == {"top1", "top5", "balanced_accuracy", "macro_f1"}
