"""Every measure against numpy's SVD in float64 and loops over all pairs."""

import numpy as np
import pytest
import torch

from lowlabel.classification import label_free_measures
from lowlabel.classification.label_free.measures import drawn_rows
from lowlabel.errors import InputError

MEASURES = {
    "rankme", "effective_rank", "alpha_req", "alpha_from_1", "nesum", "stable_rank",
    "feature_std", "uniformity", "class_alignment",
}  # fmt: skip


def drawn(images, dimensions, *, offset=0.5, decay=0.8, seed=0):
    """Features with a power-law spectrum about a mean, and labels of unequal classes."""
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.normal(size=(dimensions, dimensions)))[0]
    scales = np.arange(1, dimensions + 1) ** -decay
    features = random.normal(size=(images, dimensions)) * scales @ basis + offset
    return features, random.geometric(0.4, images)


def by_svd(features, labels, first=4, last=100):
    """The definitions, by numpy."""
    x = np.asarray(features, np.float64)
    s, c = (np.linalg.svd(m, compute_uv=False) for m in (x, x - x.mean(0)))
    c = c[: min(len(x) - 1, x.shape[1])]
    p, q = s / s.sum() + 1e-7, c / c.sum()
    last = min(last, len(c))
    ranks = np.arange(first, last + 1)
    weight = np.sqrt(1 / ranks)
    design = np.stack([-np.log(ranks), np.ones(len(ranks))], 1) * weight[:, None]
    alpha = np.linalg.lstsq(design, np.log(c[first - 1 : last] ** 2) * weight, rcond=None)[0][0]
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    distance = ((z[:, None] - z[None]) ** 2).sum(-1)
    pairs = distance[np.triu_indices(len(z), 1)]
    same = labels[:, None] == labels
    np.fill_diagonal(same, False)
    alone = ~same.any(1)
    near = [row[mates].mean() for row, mates in zip(distance[~alone], same[~alone], strict=True)]
    return {
        "rankme": np.exp(-(p * np.log(p)).sum()),
        "effective_rank": np.exp(-(q * np.log(q)).sum()),
        "alpha_req": alpha,
        "alpha_from_1": abs(alpha - 1),
        "nesum": (c**2).sum() / c[0] ** 2,
        "stable_rank": (s**2).sum() / s[0] ** 2,
        "feature_std": z.std(0, ddof=1).mean(),
        "uniformity": np.log(np.exp(-2 * pairs).mean()),
        "class_alignment": np.mean(near),
    }


@pytest.mark.parametrize(
    ("images", "dimensions"), [(300, 24), (150, 130), (40, 90), (12, 64), (700, 6)]
)
@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.from_numpy])
def test_every_measure_is_that_of_the_definition(images, dimensions, kind):
    features, labels = drawn(images, dimensions)
    given = kind(features)
    found = label_free_measures(given, labels)
    assert not found.undefined
    assert found.metrics == pytest.approx(by_svd(given, labels), rel=1e-8)
    assert set(found.metrics) == MEASURES


def test_blocks_change_nothing(monkeypatch):
    features, labels = drawn(200, 30)
    wide = drawn(30, 200)
    expected = [label_free_measures(*each).metrics for each in ((features, labels), wide)]
    monkeypatch.setattr("lowlabel.classification.label_free.spectrum._BLOCK_ELEMENTS", 210)
    monkeypatch.setattr("lowlabel.classification.label_free.geometry._PAIR_BLOCK", 7)
    found = [label_free_measures(*each).metrics for each in ((features, labels), wide)]
    for before, after in zip(expected, found, strict=True):
        assert after == pytest.approx(before, rel=1e-9)


def test_the_order_of_images_and_a_rotation_change_nothing():
    features, labels = drawn(120, 20)
    expected = label_free_measures(features, labels).metrics
    order = np.random.default_rng(1).permutation(120)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(20, 20)))[0]
    permuted = label_free_measures(features[order], labels[order]).metrics
    assert permuted == pytest.approx(expected, rel=1e-9)
    rotated = label_free_measures(features @ rotation, labels).metrics
    rotated["feature_std"] = expected["feature_std"]  # of single dimensions
    assert rotated == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_scale_by_powers_of_two_changes_no_digit(dtype):
    features, labels = drawn(60, 8)
    features = np.sign(features) * (np.abs(features) + 0.25)
    features = features.astype(np.float32).astype(dtype)
    expected = label_free_measures(features, labels).metrics
    most = 110 if dtype == np.float32 else 900
    for power in (-most, -63, 63, most):
        assert label_free_measures(np.ldexp(features, power), labels).metrics == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_the_features_stay_as_they_are(dtype, shape):
    features, labels = drawn(*shape)
    given = 100 * features.astype(dtype)
    before = given.copy()
    label_free_measures(given, labels)
    np.testing.assert_array_equal(given, before)


def test_each_image_twice_changes_no_spectrum():
    features, _ = drawn(80, 12)
    once, twice = (label_free_measures(x).metrics for x in (features, np.tile(features, (2, 1))))
    for name in ("rankme", "effective_rank", "alpha_req", "nesum", "stable_rank"):
        assert twice[name] == pytest.approx(once[name], rel=1e-9)


@pytest.mark.parametrize("rank", [1, 3, 6])
@pytest.mark.parametrize("images", [20, 400])
def test_features_of_low_rank(rank, images):
    """Singular values that squares do not resolve count as zero, not as noise."""
    random = np.random.default_rng(0)
    features = random.normal(size=(images, rank)) @ random.normal(size=(rank, 50))
    s = np.linalg.svd(features, compute_uv=False)
    s[rank:] = 0
    p = s / s.sum() + 1e-7
    found = label_free_measures(features).metrics
    assert found["rankme"] == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-9)
    assert found["effective_rank"] <= rank * (1 + 1e-12)
    assert ("alpha_req" in found) == (rank > 4)


def test_known_values():
    """Orthogonal rows: a flat spectrum, one of whose directions the mean takes."""
    found = label_free_measures(3 * np.eye(8), np.repeat([0, 1], 4)).metrics
    assert found["rankme"] == pytest.approx(8, abs=1e-4)
    assert found["effective_rank"] == pytest.approx(7)
    assert found["nesum"] == pytest.approx(7)
    assert found["stable_rank"] == pytest.approx(8)
    assert found["alpha_req"] == pytest.approx(0, abs=1e-9)
    assert found["uniformity"] == pytest.approx(-4)
    assert found["class_alignment"] == pytest.approx(2)
    assert found["feature_std"] == pytest.approx(1 / np.sqrt(8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_rows_are_a_collapse(dtype):
    rows = np.tile(np.random.default_rng(0).normal(size=9), (2000, 1)).astype(dtype)
    found = label_free_measures(rows, np.arange(2000) % 3)
    assert set(found.undefined) == {"effective_rank", "nesum", "alpha_req", "alpha_from_1"}
    assert found.undefined["nesum"] == "all embeddings are equal"
    assert found.metrics == pytest.approx(
        {
            "rankme": 1,
            "stable_rank": 1,
            "feature_std": 0,
            "uniformity": 0,
            "class_alignment": 0,
        },
        abs=1e-4,
    )


def test_one_image_has_a_rank_and_no_more():
    found = label_free_measures(np.ones((1, 5)), [3])
    assert found.metrics == pytest.approx({"rankme": 1, "stable_rank": 1})
    assert set(found.metrics) | set(found.undefined) == MEASURES
    assert found.undefined["uniformity"] == "there is one image"


def test_images_alone_in_their_class_have_no_pair():
    features, _ = drawn(6, 4)
    found = label_free_measures(features, [0, 0, 1, 2, 2, 3])
    assert np.isnan(found.per_image["class_alignment"]).tolist() == [0, 0, 1, 0, 0, 1]
    alone = label_free_measures(features, range(6))
    assert alone.undefined["class_alignment"] == "none of 6 classes has two images"
    assert "class_alignment" not in label_free_measures(features).undefined


def test_a_short_spectrum_shortens_the_fit_and_says_so():
    assert label_free_measures(drawn(300, 150)[0]).fitted == 97
    assert label_free_measures(drawn(300, 20)[0]).fitted == 17
    assert label_free_measures(drawn(11, 20)[0]).fitted == 7
    few = label_free_measures(drawn(5, 20)[0])
    assert few.undefined["alpha_req"].startswith("1 eigenvalues above zero")
    assert label_free_measures(drawn(5, 20)[0], alpha_ranks=(1, 3)).fitted == 3


def test_pairs_of_drawn_images_are_those_of_the_draw():
    features, _ = drawn(90, 5)
    rows = drawn_rows(90, 30, 7)
    assert len(set(rows)) == 30
    found = label_free_measures(features, pair_images=30, seed=7)
    assert found.metrics["uniformity"] == label_free_measures(features[rows]).metrics["uniformity"]
    assert np.flatnonzero(~np.isnan(found.per_image["uniformity"])).tolist() == rows.tolist()
    assert found.metrics["rankme"] == label_free_measures(features).metrics["rankme"]


def test_intervals_hold_the_measures_of_many_images():
    """95 % of the intervals of 100 samples should; 3.5 standard errors of that are 8 %."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(3, 6))

    def sample(images):
        labels = random.integers(0, 3, images)
        return centres[labels] + random.normal(size=(images, 6)), labels

    truth = label_free_measures(*sample(8000)).metrics
    held = dict.fromkeys(("feature_std", "uniformity", "class_alignment"), 0)
    for _ in range(100):
        found = label_free_measures(*sample(120))
        for name in held:
            held[name] += abs(found.metrics[name] - truth[name]) <= found.ci95[name]
            assert np.nanmean(found.per_image[name]) == pytest.approx(found.metrics[name])
    assert all(count / 100 >= 0.87 for count in held.values()), held


def test_functions_of_the_spectrum_have_no_interval():
    found = label_free_measures(*drawn(50, 8))
    without = {name for name, width in found.ci95.items() if np.isnan(width)}
    assert without == MEASURES - set(found.per_image)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"features": np.ones((3, 2), int)}, "int64, not floats"),
        ({"features": np.array([[1.0, np.nan], [1.0, 2.0]])}, "1 of 2 rows .* NaN"),
        ({"features": np.array([[0.0, 0.0], [1.0, 2.0]])}, "1 of 2 rows .* all zero"),
        ({"labels": [1, 2]}, "shape .* for 6 images"),
        ({"alpha_ranks": (4, 4)}, "alpha_ranks"),
        ({"pair_images": 1}, "pair_images=1"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_input_is_refused(change, problem):
    arguments = {"features": drawn(6, 3)[0]} | change
    with pytest.raises(InputError, match=problem):
        label_free_measures(**arguments)
