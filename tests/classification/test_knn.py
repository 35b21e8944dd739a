import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from lowlabel.classification import DEFAULT_KS, evaluate_knn
from lowlabel.errors import InputError, UnknownNameError


def clusters(seed=0, train=300, test=120, classes=7, dimensions=12, noise=1.2):
    """Overlapping classes with labels far from 0, 1, …"""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, dimensions))
    names = rng.choice(10**12, classes, replace=False) - 10**11
    sets = []
    for images in (train, test):
        drawn = rng.integers(0, classes, images)
        features = centres[drawn] + noise * rng.normal(size=(images, dimensions))
        sets += [features.astype(np.float32), names[drawn]]
    return sets


def brute_force(train, train_labels, test, test_labels, k, temperature):
    """Top-1 and top-5 of each test image, by loops in float64."""
    unit = [row / np.linalg.norm(row) for row in np.asarray(train, np.float64)]
    hits = {1: [], 5: []}
    for row, label in zip(np.asarray(test, np.float64), test_labels, strict=True):
        cosines = [float(row @ other) / np.linalg.norm(row) for other in unit]
        near = sorted(range(len(unit)), key=lambda i: (-round(cosines[i], 10), i))[:k]
        votes = {}
        for i in near:
            name = int(train_labels[i])
            votes[name] = votes.get(name, 0.0) + math.exp(cosines[i] / temperature)
        ranking = sorted(votes, key=lambda name: (-float(f"{votes[name]:.9e}"), name))
        for top, found in hits.items():
            found.append(int(label) in ranking[:top])
    return hits


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_every_hit_equals_a_brute_force_search(temperature):
    data = clusters()
    ks = (200, 1, 10, 20)
    result = evaluate_knn(*data, k=ks, temperature=temperature, device="cpu")
    assert result.ks == ks
    for k in ks:
        expected = brute_force(*data, k, temperature)
        for top in (1, 5):
            np.testing.assert_array_equal(result.correct[f"top{top}@{k}"], expected[top])
    assert 20 < result.metrics["top1@20"] < 95


@pytest.mark.parametrize("k", [1, 5, 50])
@pytest.mark.parametrize("images", [300, 9000])  # one block of train images, and two
def test_every_hit_equals_scikit_learn(k, images):
    train, train_labels, test, test_labels = clusters(1, train=images)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in np.float64([*train, *test])[None]]
    unit_train, unit_test = unit[0][: len(train)], unit[0][len(train) :]
    oracle = KNeighborsClassifier(
        k, metric="cosine", weights=lambda distance: np.exp((1 - distance) / 0.07)
    )
    oracle.fit(unit_train, train_labels)
    result = evaluate_knn(train, train_labels, test, test_labels, k=k, device="cpu")
    np.testing.assert_array_equal(
        result.correct[f"top1@{k}"], oracle.predict(unit_test) == test_labels
    )
    order = np.argsort(-oracle.predict_proba(unit_test), axis=1, kind="stable")[:, :5]
    voted = np.take_along_axis(oracle.predict_proba(unit_test), order, 1) > 0
    top5 = ((oracle.classes_[order] == test_labels[:, None]) & voted).any(1)
    np.testing.assert_array_equal(result.correct[f"top5@{k}"], top5)


def test_votes_are_in_float64():
    """In float32, exp(-200) would be no vote."""
    train, test = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    found = evaluate_knn(train, [3, 5], test, [3, 5], k=2, temperature=0.01, device="cpu")
    assert found.metrics == {"top1@2": 50, "top5@2": 100}


def test_blocks_and_lengths_change_nothing():
    train, train_labels, test, test_labels = clusters(2)
    whole = evaluate_knn(train, train_labels, test, test_labels, k=DEFAULT_KS, device="cpu")
    lengths = np.random.default_rng(0).uniform(0.01, 100, (len(train), 1))
    blocks = evaluate_knn(
        torch.from_numpy(lengths * train), torch.from_numpy(train_labels), 3 * test, test_labels,
        k=DEFAULT_KS, device="cpu", block_size=7,
    )  # fmt: skip
    for name, hits in whole.correct.items():
        np.testing.assert_array_equal(blocks.correct[name], hits)


def test_equal_similarities_go_by_row_and_equal_votes_by_label():
    train = np.ones((4, 3), np.float32)
    test = np.ones((2, 3), np.float32)
    result = evaluate_knn(train, [9, 5, 5, 9], test, [9, 5], k=(1, 2, 3, 4), device="cpu")
    assert result.correct["top1@1"].tolist() == [True, False]  # row 0 is nearest
    assert result.correct["top1@2"].tolist() == [False, True]  # one vote each: the lower label
    assert result.correct["top1@3"].tolist() == [False, True]
    assert result.correct["top1@4"].tolist() == [False, True]
    assert result.correct["top5@1"].tolist() == [True, False]  # class 5 has no vote


@pytest.mark.parametrize("k", [1, 2, 3, 7, 30])
def test_places_that_no_vote_takes_are_filled_as_in_the_code_of_dino(k):
    train, names, test, test_names = clusters(5)
    train_labels, test_labels = (np.searchsorted(np.unique(names), x) for x in (names, test_names))
    unit = train / np.linalg.norm(train.astype(float), axis=1, keepdims=True)
    queries = test / np.linalg.norm(test.astype(float), axis=1, keepdims=True)
    cosines = queries @ unit.T
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    votes = np.zeros((len(test), train_labels.max() + 1))
    for row, images in enumerate(nearest):
        for image in images:
            votes[row, train_labels[image]] += np.exp(cosines[row, image] / 0.07)
    first = np.argsort(-votes, axis=1, kind="stable")[:, : min(5, k)]
    expected = (first == test_labels[:, None]).any(1)
    data = (train, train_labels, test, test_labels)
    filled = evaluate_knn(*data, k=k, unvoted="fill", device="cpu")
    np.testing.assert_array_equal(filled.correct[f"top5@{k}"], expected)
    voted = evaluate_knn(*data, k=k, device="cpu")
    assert not (voted.correct[f"top5@{k}"] & ~expected).any()
    np.testing.assert_array_equal(filled.correct[f"top1@{k}"], voted.correct[f"top1@{k}"])


def test_filling_gives_more_than_the_votes():
    train, test = np.eye(6), np.eye(6)[:1] + 0.01
    labels = [4, 4, 4, 4, 4, 2]
    found = [
        evaluate_knn(train, labels, test, [2], k=5, unvoted=unvoted, device="cpu")
        for unvoted in ("never", "fill")
    ]
    assert [result.metrics["top5@5"] for result in found] == [0, 100]
    with pytest.raises(UnknownNameError, match="treatment of classes without a vote"):
        evaluate_knn(train, labels, test, [2], k=1, unvoted="all", device="cpu")


def test_equal_similarities_of_turned_vectors():
    """Cosines equal on paper but not in floating point are a tie as well."""
    rng = np.random.default_rng(3)
    row = rng.normal(size=64)
    train = np.stack([rng.permutation(row) for _ in range(50)])
    result = evaluate_knn(train, np.arange(50), np.ones((1, 64)), [0], k=1, device="cpu")
    assert result.metrics["top1@1"] == 100


def test_accuracies_and_intervals():
    data = clusters(4)
    result = evaluate_knn(*data, k=20, device="cpu")
    hits = 100.0 * result.correct["top1@20"]
    assert result.metrics["top1@20"] == pytest.approx(hits.mean())
    assert result.ci95["top1@20"] == pytest.approx(1.96 * hits.std(ddof=1) / math.sqrt(len(hits)))
    assert result.classes == 7
    assert result.unseen == 0
    single = evaluate_knn(data[0], data[1], data[2][:1], data[3][:1], device="cpu")
    assert math.isnan(single.ci95["top1@20"])


def test_unseen_classes_are_wrong_and_counted():
    train, test = np.eye(3), np.eye(3)[[0, 1, 2, 2]]
    result = evaluate_knn(train, [1, 2, 3], test, [1, 2, 3, 4], k=3, device="cpu")
    assert result.unseen == 1
    assert result.correct["top5@3"].tolist() == [True, True, True, False]
    assert result.metrics["top1@3"] == 75


def test_tiny_sets_and_clipping():
    train, labels = np.eye(3), [0, 1, 1]
    result = evaluate_knn(train, labels, train, labels, k=DEFAULT_KS, clip_k=True, device="cpu")
    assert result.ks == (3,)
    two = evaluate_knn(train[:2], [5, 6], train[:2], [5, 6], k=1, device="cpu")
    assert two.metrics == {"top1@1": 100, "top5@1": 100}
    with pytest.raises(InputError, match="all 3 train images have the class 5"):
        evaluate_knn(train, [5, 5, 5], train, [5, 5, 5], k=1, device="cpu")


def test_half_precision_and_progress():
    train, train_labels, test, test_labels = clusters(5)
    seen = []
    half = evaluate_knn(
        torch.from_numpy(train).half(), train_labels, torch.from_numpy(test).half(), test_labels,
        block_size=50, device="cpu", progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    rounded = [train.astype(np.float16).astype(np.float64), test.astype(np.float16)]
    expected = brute_force(rounded[0], train_labels, rounded[1], test_labels, 20, 0.07)
    np.testing.assert_array_equal(half.correct["top1@20"], expected[1])
    assert seen == [(50, 120), (100, 120), (120, 120)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: (d[0], d[1], d[2] * 0, d[3]), "120 of 120 rows of test features are all zero"),
        (lambda d: (d[0], d[1], d[2], d[3] * 1.0), "test labels are float64, not integers"),
        (lambda d: (d[0], d[1], d[2], d[3] * 0 + 1), "none of the 120 test images"),
    ],
)
def test_bad_arrays(change, message):
    with pytest.raises(InputError, match=message):
        evaluate_knn(*change(clusters()), device="cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 301}, r"k=301 exceeds the 300 train images\nChoose .* or pass clip_k=True"),
        ({"k": (10, 400)}, "k=400 exceeds the 300 train images"),
        ({"temperature": 0}, "temperature=0 must be"),
        ({"temperature": math.nan}, "temperature=nan must be"),
        ({"temperature": True}, "temperature=True must be"),
        ({"device": "nowhere"}, "nowhere"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        evaluate_knn(*clusters(), **{"device": "cpu", **options})


def test_all_metrics_are_those_of_the_shares_of_the_votes():
    train, train_labels, test, test_labels = clusters(classes=6)
    names = np.unique(train_labels)
    result = evaluate_knn(
        train, train_labels, test, test_labels, k=(3, 200), all_metrics=True, device="cpu"
    )
    for k in result.ks:
        weights = np.zeros((len(test), len(names)))
        unit = [
            x / np.linalg.norm(x, axis=1, keepdims=True) for x in map(np.float64, (train, test))
        ]
        cosines = unit[1] @ unit[0].T
        for row, line in enumerate(cosines):
            for near in np.argsort(-line, kind="stable")[:k]:
                weights[row, names == train_labels[near]] += math.exp(line[near] / 0.07)
        shares = weights / weights.sum(1, keepdims=True)
        predicted = names[shares.argmax(1)]
        found = result.of(k).metrics
        auroc = roc_auc_score(test_labels, shares, multi_class="ovr", labels=names)
        assert found["auroc"] == pytest.approx(100 * auroc)
        assert found["macro_f1"] == pytest.approx(
            100 * f1_score(test_labels, predicted, average="macro")
        )
        for top in (1, 5):
            assert found[f"top{top}"] == pytest.approx(result.metrics[f"top{top}@{k}"])
            assert result.of(k).ci95[f"top{top}"] == pytest.approx(result.ci95[f"top{top}@{k}"])
    with pytest.raises(KeyError):
        evaluate_knn(train, train_labels, test, test_labels, k=3, device="cpu").of(3)
