import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler, normalize

from lowlabel.classification import DEFAULT_CS, evaluate_logistic_regression, held_out
from lowlabel.errors import InputError, UnknownNameError

FEW = (1e-3, 0.1, 10.0)


def drawn(images, seed=0, classes=4, width=10):
    """Features and labels of classes that overlap; labels are neither dense nor sorted."""
    random = np.random.default_rng(seed)
    labels = random.choice(np.array([30, -2, 7, 11])[:classes], images, p=_shares(classes))
    labels[:classes] = np.array([30, -2, 7, 11])[:classes]
    centres = {label: np.random.default_rng(label + 50).normal(size=width) for label in labels}
    x = np.stack([centres[label] for label in labels]) + 1.5 * random.normal(size=(images, width))
    return x, labels


def _shares(classes):
    shares = np.array([0.55, 0.25, 0.15, 0.05])[:classes]
    return shares / shares.sum()


def theirs(x, labels, c):
    return LogisticRegression(C=c, tol=1e-10, max_iter=100_000).fit(x, labels)


TRAIN, VALIDATION, TEST = drawn(200), drawn(80, 1), drawn(150, 2)


@pytest.mark.parametrize("norm", ["none", "l2", "standard"])
@pytest.mark.parametrize("classes", [2, 4])
def test_one_c_gives_the_scores_of_scikit_learn(norm, classes):
    train, test = drawn(120, classes=classes), drawn(90, 2, classes=classes)
    scaler = StandardScaler().fit(train[0])
    change = {"none": np.asarray, "l2": normalize, "standard": scaler.transform}[norm]
    model = theirs(change(train[0]), train[1], 0.3)
    probabilities = model.predict_proba(change(test[0]))
    predicted = model.predict(change(test[0]))
    found = evaluate_logistic_regression(*train, *test, c=0.3, norm=norm, device="cpu")
    assert found.metrics["top1"] == pytest.approx(100 * np.mean(predicted == test[1]))
    balanced = balanced_accuracy_score(test[1], predicted)
    assert found.metrics["balanced_accuracy"] == pytest.approx(100 * balanced)
    scores = probabilities if classes > 2 else probabilities[:, 1]
    area = roc_auc_score(test[1], scores, multi_class="ovr", average="macro")
    assert found.metrics["auroc"] == pytest.approx(100 * area, abs=1e-3)
    assert found.chosen == {}
    assert (found.classes, found.unseen) == (classes, 0)


def accuracies(train, validation):
    return {f"logreg,c={c}": 100 * theirs(*train, c).score(*validation) for c in (1e-3, 0.1, 10.0)}


def test_c_is_chosen_on_the_validation_images_and_fitted_to_train():
    expected = accuracies(TRAIN, VALIDATION)
    best = max(FEW, key=lambda c: expected[f"logreg,c={c}"])
    found = evaluate_logistic_regression(*TRAIN, *TEST, validation=VALIDATION, c=FEW, device="cpu")
    assert found.chosen == {"method": f"logreg,c={best}", "tried": pytest.approx(expected)}
    assert found.metrics["top1"] == pytest.approx(100 * theirs(*TRAIN, best).score(*TEST))


def test_without_validation_a_tenth_of_train_is_held_out_and_used_again():
    x, labels = TRAIN
    held = held_out(labels, seed=3)
    expected = accuracies((x[~held], labels[~held]), (x[held], labels[held]))
    best = max(FEW, key=lambda c: expected[f"logreg,c={c}"])
    found = evaluate_logistic_regression(*TRAIN, *TEST, c=FEW, seed=3, device="cpu")
    assert found.chosen == {"method": f"logreg,c={best}", "tried": pytest.approx(expected)}
    assert found.metrics["top1"] == pytest.approx(100 * theirs(*TRAIN, best).score(*TEST))
    other = evaluate_logistic_regression(*TRAIN, *TEST, c=FEW[::-1], seed=3, device="cpu")
    assert other.chosen == found.chosen


def test_of_equally_good_values_the_smallest_is_chosen():
    x = np.array([[0.0, 5.0], [0.1, 5.0], [5.0, 0.0], [5.0, 0.1]])
    labels = np.array([0, 0, 1, 1])
    found = evaluate_logistic_regression(x, labels, x, labels, validation=(x, labels), device="cpu")
    assert len(found.chosen["tried"]) == len(DEFAULT_CS) == 12
    assert set(found.chosen["tried"].values()) == {100.0}
    assert found.chosen["method"] == "logreg,c=1e-06"


def test_test_labels_and_images_never_reach_the_fit():
    poisoned = TEST[0] * 1e3, np.roll(TEST[1], 1)
    plain, other = (
        evaluate_logistic_regression(*TRAIN, *test, c=FEW, device="cpu")
        for test in (TEST, poisoned)
    )
    assert plain.chosen == other.chosen


def test_the_order_of_rows_and_the_numbers_of_classes_change_nothing():
    order = np.random.default_rng(0).permutation(len(TRAIN[1]))
    renamed = {30: 1, -2: 2, 7: 3, 11: 4}
    plain = evaluate_logistic_regression(*TRAIN, *TEST, c=1.0, device="cpu")
    shuffled = evaluate_logistic_regression(
        TRAIN[0][order],
        [renamed[label] for label in TRAIN[1][order]],
        TEST[0],
        [renamed[label] for label in TEST[1]],
        c=1.0,
        device="cpu",
    )
    for name, value in plain.metrics.items():
        assert shuffled.metrics[name] == pytest.approx(value, abs=1e-2)


def test_classes_of_one_image_and_few_images_in_many_dimensions():
    random = np.random.default_rng(0)
    x = random.normal(size=(7, 40)).astype(np.float32)
    labels = np.array([0, 1, 2, 3, 3, 3, 4])
    found = evaluate_logistic_regression(x, labels, x, labels, device="cpu")
    assert set(found.chosen["tried"].values()) <= {0.0, 100.0}  # one image is held out
    assert found.classes == 5
    single = evaluate_logistic_regression(x, labels, x, labels, c=1e3, device="cpu")
    assert single.metrics["top1"] == 100.0
    one = evaluate_logistic_regression(x, labels, x[:1], labels[:1], c=1e3, device="cpu")
    assert one.metrics["top1"] == 100.0
    assert np.isnan(one.ci95["top1"])


def test_classes_that_train_lacks_are_wrong_and_counted():
    labels = TEST[1].copy()
    labels[:10] = 99
    found = evaluate_logistic_regression(*TRAIN, TEST[0], labels, c=1.0, device="cpu")
    assert found.unseen == 10
    assert (found.values["top1"][:10] == 0).all()
    strange = VALIDATION[0], np.where(np.arange(80) < 40, 99, VALIDATION[1])
    chosen = evaluate_logistic_regression(*TRAIN, *TEST, validation=strange, c=FEW, device="cpu")
    assert max(chosen.chosen["tried"].values()) <= 50.0


def test_a_fit_that_does_not_converge_is_said_and_recorded():
    with pytest.warns(UserWarning, match="logreg,c=10.0 did not converge in 1 Newton steps"):
        found = evaluate_logistic_regression(*TRAIN, *TEST, c=10.0, max_iter=1, device="cpu")
    assert found.chosen == {"not_converged": ["logreg,c=10.0"]}


def test_progress_counts_the_fits():
    seen = []
    evaluate_logistic_regression(
        *TRAIN, *TEST, c=FEW, device="cpu", progress=lambda *counts: seen.append(counts)
    )
    assert seen == sorted(seen)
    assert seen[0][0] == 0
    assert seen[-1] == (4, 4)


def test_arrays_of_every_kind_give_the_same():
    expected = evaluate_logistic_regression(*TRAIN, *TEST, c=1.0, device="cpu").metrics
    for make in (torch.as_tensor, np.asfortranarray, lambda a: np.asarray(a).astype(a.dtype)):
        train, test = (tuple(map(make, part)) for part in (TRAIN, TEST))
        found = evaluate_logistic_regression(*train, *test, c=1.0, device="cpu").metrics
        assert found == pytest.approx(expected, abs=1e-2)


BROKEN = TRAIN[0].copy()
BROKEN[3, 2] = np.nan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_features": BROKEN}, "1 of 200 rows of train features"),
        ({"test_features": BROKEN[:150]}, "1 of 150 rows of test features"),
        ({"validation": (BROKEN[:80], VALIDATION[1])}, "1 of 80 rows of validation features"),
        ({"validation": (VALIDATION[0][:, :3], VALIDATION[1])}, "validation features 3"),
        ({"validation": (VALIDATION[0], VALIDATION[1] + 500)}, "none of the 80 validation images"),
        ({"test_features": TEST[0][:, :3]}, "test features 3"),
        ({"train_labels": np.zeros(200, int)}, "all 200 train images have the class 0"),
        ({"test_labels": TEST[1] + 500}, "none of the 150 test images"),
        ({"train_labels": np.arange(200) - 2, "c": FEW}, "no class of the 200 train images"),
        ({"c": 0.0}, "c=0.0 must be a finite number above 0"),
        ({"c": (1.0, -1.0)}, "c=-1.0"),
        ({"c": (1.0, float("nan"))}, "c=nan"),
        ({"c": (1.0, float("inf"))}, "c=inf"),
        ({"c": True}, "c=True"),
        ({"c": "1"}, "c='1'"),
        ({"c": ()}, r"c=\(\) must be one or more"),
        ({"c": (1.0, 1)}, r"c=\(1.0, 1\) must be one or more different"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_input(changes, message):
    arguments = {
        "train_features": TRAIN[0],
        "train_labels": TRAIN[1],
        "test_features": TEST[0],
        "test_labels": TEST[1],
        "device": "cpu",
    }
    with pytest.raises(InputError, match=message):
        evaluate_logistic_regression(**(arguments | changes))


def test_an_unknown_norm():
    with pytest.raises(UnknownNameError, match="standart"):
        evaluate_logistic_regression(*TRAIN, *TEST, norm="standart", device="cpu")
