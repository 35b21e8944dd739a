"""The same array gets the same answer from every `evaluate_*` function."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from lowlabel.arrays import as_features, as_label_sets
from lowlabel.classification import (
    choose_method,
    evaluate_knn,
    evaluate_label_budget,
    evaluate_linear,
    evaluate_logistic_regression,
    label_free_measures,
    predict_labels,
)
from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.retrieval import (
    evaluate_copies,
    evaluate_retrieval,
    evaluate_revisited,
    learn_whitening,
    top_images,
)

IMAGES, WIDTH, CLASSES = 40, 6, 8
LABELS = np.arange(IMAGES) % CLASSES
TRUTH = [
    {
        "easy": np.flatnonzero(label == LABELS)[:3],
        "hard": np.flatnonzero(label == LABELS)[3:],
        "junk": [],
    }
    for label in LABELS
]


def features():
    """Floats that half precision holds exactly, so every dtype must give the same scores."""
    rng = np.random.default_rng(0)
    means = rng.integers(-12, 13, (CLASSES, WIDTH))
    return (means[LABELS] + rng.integers(-12, 13, (IMAGES, WIDTH)) + 0.5) / 4


def fewshot(x, labels=LABELS, **options):
    options = {"ways": 3, "queries": 2, "tasks": 20, "device": "cpu", **options}
    return evaluate_fewshot(x, labels, interval="tasks", **options).accuracies


def retrieval(x, labels=LABELS, **options):
    return evaluate_retrieval(x, labels, device="cpu", **options).per_query["map"]


def knn(x, labels=LABELS, **options):
    options = {"k": 3, "device": "cpu", **options}
    half = IMAGES // 2
    result = evaluate_knn(x, labels, features()[:half], LABELS[:half], **options)
    return result.correct["top1@3"]


def revisited(x, **options):
    return evaluate_revisited(x, x, TRUTH, device="cpu", **options).per_query["map_medium"]


def copies(x, labels=LABELS, **options):
    result = evaluate_copies(x, labels, x, labels, device="cpu", **options)
    return next(iter(result.per_query.values()))


def top(x, **options):
    return top_images(x, **{"k": 2, "queries": [0, 5], "device": "cpu", **options})[1]


def linear(x, labels=LABELS, **options):
    return evaluate_linear(x, labels, features(), LABELS, device="cpu", **options).metrics["top1"]


def logistic(x, labels=LABELS, **options):
    options = {"c": 1.0, "device": "cpu", **options}
    result = evaluate_logistic_regression(x, labels, features(), LABELS, **options)
    return result.metrics["top1"]


def validation(x, labels=LABELS):
    return logistic(features(), validation=(x, labels), c=(0.1, 1.0))


def budget(x, labels=LABELS, **options):
    options = {"budgets": 1, "methods": "linear-cached", "draws": 1, "device": "cpu", **options}
    return evaluate_label_budget(x, labels, features(), LABELS, **options).results


def label_free(x, labels=LABELS, **options):
    options = {"alpha_ranks": (1, 3), "device": "cpu", **options}
    return label_free_measures(x, labels, **options).metrics


def choose(x, labels=LABELS, **options):
    return choose_method(x, labels, **{"methods": "ncm", "device": "cpu", **options}).accuracy


def predict(x, labels=LABELS, **options):
    options = {"methods": "ncm", "device": "cpu", **options}
    return predict_labels(x, labels, features(), **options).labels


def predicted(x):
    return predict_labels(features(), LABELS, x, methods="ncm", device="cpu").labels


LABELLED = [fewshot, retrieval, knn, copies]
ALL = [*LABELLED, revisited]
LEARNING = [linear, logistic, validation, budget, label_free, choose, predict]
SEEDED = [fewshot, linear, logistic, budget, label_free, choose, predict]
EVERY = [*ALL, *LEARNING, top, predicted]
DIRECTIONS = [retrieval, knn, revisited, copies]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.slow
@pytest.mark.parametrize("evaluate", ALL)
@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype(np.float16),
        lambda x: x.astype(np.float32),
        lambda x: x.astype(np.longdouble),
        lambda x: x.astype(">f2"),
        lambda x: x.astype(">f4"),
        lambda x: x.astype(">f8"),
        np.asfortranarray,
        lambda x: np.repeat(x[::-1], 2, axis=1)[::-1, ::2],
        read_only,
        lambda x: x.tolist(),
        lambda x: tuple(map(tuple, x)),
        lambda x: torch.from_numpy(x).half(),
        lambda x: torch.from_numpy(x).bfloat16(),
        lambda x: torch.from_numpy(x).float().requires_grad_(),
        lambda x: torch.from_numpy(x).T.contiguous().T,
    ],
)
def test_floats_of_any_type_and_layout_give_the_same_scores(evaluate, convert):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = evaluate(convert(features()))
    np.testing.assert_array_equal(scores, evaluate(features()))


@pytest.mark.parametrize("evaluate", EVERY)
@pytest.mark.parametrize(
    ("convert", "message"),
    [
        (lambda x: x.astype(int), "features are int64, not floats"),
        (lambda x: x.astype(int).tolist(), "features are int64, not floats"),
        (lambda x: torch.from_numpy(x).int(), "features are int32, not floats"),
        (lambda x: x > 0, "features are bool, not floats"),
        (lambda x: x + 1j, "features are complex128, not floats"),
        (lambda x: x.astype("U8"), "features are <U8, not floats"),
        (lambda x: x.astype(object), "features are object, not floats"),
        (lambda x: [[1.0], *x.tolist()[1:]], "features are not an array"),
        (lambda _: None, "features are object, not floats"),
        (lambda x: (row for row in x), "features are object, not floats"),
        (lambda _: 1.0, r"features have the shape \(\), not"),
        (lambda x: x[:, 0], r"features have the shape \(40,\), not \[images, dimensions\]"),
        (lambda x: x[None], r"features have the shape \(1, 40, 6\)"),
        (lambda x: x[:0], r"features have the shape \(0, 6\)"),
        (lambda x: x[:, :0], r"features have the shape \(40, 0\)"),
        (lambda x: np.ma.masked_greater(x, x.max() - 1e-9), "features are a masked .* 1 values"),
        (lambda x: torch.from_numpy(x).to("meta"), "features are on the device meta"),
        (lambda x: torch.from_numpy(x).to_sparse(), "features are sparse"),
    ],
)
def test_features_that_are_not_a_matrix_of_floats(evaluate, convert, message):
    with pytest.raises(InputError, match=message):
        evaluate(convert(features()))


@pytest.mark.parametrize("evaluate", EVERY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_counted(evaluate, dtype, value):
    x = features().astype(dtype)
    x[[3, 8, 8], [0, 1, 2]] = value
    with pytest.raises(InputError, match=r"2 of 40 rows of .*features hold NaN or infinite"):
        evaluate(x)


@pytest.mark.parametrize("evaluate", DIRECTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_without_a_direction_are_counted(evaluate, dtype):
    x = features().astype(dtype)
    x[[3, 8]] = 0
    with pytest.raises(InputError, match=r"2 of 40 rows of .*features are all zero"):
        evaluate(x)


@pytest.mark.parametrize("evaluate", DIRECTIONS)
@pytest.mark.parametrize("scale", [2.0**1000, 2.0**-1000])
def test_float64_of_any_size_has_a_direction(evaluate, scale):
    np.testing.assert_array_equal(evaluate(scale * features()), evaluate(features()))


def test_fewshot_takes_rows_without_a_direction():
    x = features()
    x[3] = 0
    fewshot(x)


def test_a_fewshot_method_with_a_scale_of_its_own_takes_nothing_beyond_float32():
    with pytest.raises(InputError, match=r"40 of 40 rows of features hold .* in float32"):
        fewshot(1e300 * features(), method="logreg")
    np.testing.assert_array_equal(fewshot(2.0**1000 * features()), fewshot(features()))


@pytest.mark.parametrize("evaluate", LABELLED)
@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.tolist(),
        lambda y: tuple(y),
        lambda y: y.astype(np.int8),
        lambda y: y.astype(np.uint64),
        lambda y: y.astype(">i4"),
        lambda y: y.repeat(2)[::2],
        lambda y: torch.from_numpy(y).short(),
        lambda y: torch.from_numpy(y.astype(np.uint64)),
    ],
)
def test_integers_of_any_type_are_labels(evaluate, convert):
    np.testing.assert_array_equal(evaluate(features(), convert(LABELS)), evaluate(features()))


@pytest.mark.parametrize("evaluate", [fewshot, retrieval, copies])
def test_labels_stay_whole(evaluate):
    np.testing.assert_array_equal(evaluate(features(), 2**62 + LABELS), evaluate(features()))


@pytest.mark.parametrize("evaluate", [*LABELLED, *LEARNING])
@pytest.mark.parametrize(
    ("convert", "message"),
    [
        (lambda y: y.astype(float), "are float64, not integers"),
        (lambda y: torch.from_numpy(y).float(), "are float32, not integers"),
        (lambda y: torch.from_numpy(y).bfloat16(), "not integers"),
        (lambda y: y > 3, "are bool, not integers"),
        (lambda y: y.astype(str), "not integers"),
        (lambda y: [None, *y[1:]], "are object, not integers"),
        (lambda y: y[:-1], r"have the shape \(39,\) for 40 images"),
        (lambda y: y[:, None], r"have the shape \(40, 1\) for 40 images"),
        (lambda y: [], r"have the shape \(0,\) for 40 images"),
        (lambda y: [[1], *y[1:]], "are not an array"),
        (lambda y: y.astype(np.uint64) + 2**63, "go up to 9223372036854775815, beyond int64"),
    ],
)
def test_labels_that_are_not_one_integer_per_image(evaluate, convert, message):
    with pytest.raises(InputError, match=message):
        evaluate(features(), convert(LABELS))


@pytest.mark.parametrize(
    ("queries", "message"),
    [
        (None, r"queries have the shape \(\), not a list"),
        (3, r"queries have the shape \(\), not a list"),
        ([[1, 2]], r"queries have the shape \(1, 2\), not a list"),
        ([0.0], "queries are float64, not integers"),
    ],
)
def test_queries_that_are_no_list_of_rows(queries, message):
    with pytest.raises(InputError, match=message):
        top(features(), queries=queries)


@pytest.mark.parametrize("evaluate", SEEDED)
def test_seeds_are_what_every_generator_takes(evaluate):
    for value in (True, -1, 1.0, "1", None):
        with pytest.raises(InputError, match=r"seed=.* must be an integer of at least 0"):
            evaluate(features(), seed=value)
    with pytest.raises(InputError, match=r"seed=.* must be below"):
        evaluate(features(), seed=2**63)


@pytest.mark.parametrize("evaluate", [knn, choose, top])
def test_a_data_frame_of_pandas_own_floats_is_taken(evaluate):
    x = pd.DataFrame(features()).astype("Float64")
    np.testing.assert_array_equal(evaluate(x), evaluate(features()))
    with pytest.raises(InputError, match=r"of 40 rows of .*features hold NaN"):
        evaluate(x.mask(x == x.loc[3, 0]))


def test_a_regression_takes_nothing_beyond_float32_but_directions():
    with pytest.raises(InputError, match=r"40 of 40 rows of train features hold .* in float32"):
        logistic(1e300 * features())
    assert logistic(1e300 * features(), norm="l2") == logistic(features(), norm="l2")


def test_a_row_beside_which_no_other_counts_is_named():
    x = features()
    x[3] = 1e10
    with pytest.raises(InputError, match=r"cannot be solved .* in the median and 1e\+10 at most"):
        logistic(x)


COUNTS = [
    *[(fewshot, name) for name in ("ways", "shots", "queries", "tasks", "task_block")],
    *[(evaluate, "block_size") for evaluate in (retrieval, knn, revisited, copies)],
    (copies, "top"),
    (lambda x, **k: top_images(x, **{"queries": [0], **k}), "k"),
]


@pytest.mark.parametrize(("evaluate", "name"), COUNTS)
@pytest.mark.parametrize("value", [True, 0, -1, 2.0, "2", np.array([2]), np.bool_(True)])
def test_counts_are_integers_from_1(evaluate, name, value):
    with pytest.raises(InputError, match=f"{name}=.* must be an integer of at least 1"):
        evaluate(features(), **{name: value})


@pytest.mark.parametrize(("evaluate", "name"), COUNTS)
def test_counts_may_be_numpy_integers(evaluate, name):
    evaluate(features(), **{name: np.uint8(2)})


SEVERAL = [(retrieval, "ks"), (knn, "k"), (revisited, "ks")]


@pytest.mark.parametrize(("evaluate", "name"), SEVERAL)
@pytest.mark.parametrize("value", [(), 0, True, (True,), (1, 2.0), (0,), "1", None])
def test_several_counts_are_integers_from_1(evaluate, name, value):
    with pytest.raises(InputError, match=f"{name}=.* must be one or more integers of at least 1"):
        evaluate(features(), **{name: value})


@pytest.mark.parametrize(("evaluate", "name"), SEVERAL)
def test_several_counts_differ_and_fit(evaluate, name):
    evaluate(features(), **{name: 3})
    evaluate(features(), **{name: np.array([3, 1])})
    with pytest.raises(InputError, match=r"=\(3, 3\) holds a number more than once"):
        evaluate(features(), **{name: (3, 3)})
    with pytest.raises(InputError, match=f"{name}=41 exceeds the (39|40) .* images"):
        evaluate(features(), **{name: (3, 41)})


@pytest.mark.parametrize(
    ("evaluate", "message"),
    [
        (lambda x: fewshot(x, base=(x[:, :5], LABELS)), "features have 6 .* base features 5"),
        (
            lambda x: evaluate_retrieval(x, LABELS, gallery=(x[:, :5], LABELS)),
            "features have 6 dimensions, gallery features 5",
        ),
        (
            lambda x: evaluate_knn(x, LABELS, x[:, :5], LABELS),
            "train features have 6 dimensions, test features 5",
        ),
        (
            lambda x: evaluate_revisited(x, x[:, :5], TRUTH),
            "query features have 6 dimensions, gallery features 5",
        ),
        (
            lambda x: copies(x, distractors=[x, x[:, :5]]),
            r"query features have 6 dimensions, distractors\[1\] 5",
        ),
        (
            lambda x: learn_whitening(x[:, :5], x),
            "searched features have 6 dimensions, train features 5",
        ),
    ],
)
def test_features_of_two_widths_are_not_compared(evaluate, message):
    with pytest.raises(InputError, match=message):
        evaluate(features())


def test_float32_is_not_copied():
    x = np.ones((3, 2), np.float32)
    assert as_features(x).data_ptr() == x.ctypes.data
    tensor = torch.ones(3, 2)
    assert as_features(tensor).data_ptr() == tensor.data_ptr()


@pytest.mark.parametrize(
    "labels",
    [[[1, 0], [0, 1]], np.eye(2), torch.eye(2), torch.eye(2, dtype=torch.bool)],
)
def test_label_sets_of_every_form_are_booleans(labels):
    sets = as_label_sets(labels, 2)
    assert sets.dtype == np.bool_
    np.testing.assert_array_equal(sets, np.eye(2, dtype=bool))


def test_images_without_a_label_are_refused_unless_they_may_have_none():
    with pytest.raises(InputError, match="1 of 2 images have no label"):
        as_label_sets([[1, 0], [0, 0]], 2)
    assert as_label_sets([[1, 0], [0, 0]], 2, empty=True).sum() == 1


@pytest.mark.parametrize("labels", [[[1, 0], [1]], np.full((2, 2), np.nan), np.ones((2, 0)), "ab"])
def test_what_is_no_matrix_of_0_and_1_is_refused(labels):
    with pytest.raises(InputError, match="labels"):
        as_label_sets(labels, 2)
