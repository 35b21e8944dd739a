import numpy as np
import pytest

from lowlabel.analysis import find_outliers, nearest_others
from lowlabel.analysis.maps import embedding_map, map_embeddings
from lowlabel.errors import InputError


def clusters(per_class=30):
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), per_class)
    return (5 * np.eye(3, 16)[labels] + random.normal(0, 0.3, (len(labels), 16))), labels


@pytest.mark.slow
def test_near_embeddings_are_near_in_the_map_and_a_seed_gives_one_map():
    features, labels = clusters()
    found = map_embeddings(features, seed=3)
    assert found.points.shape == (90, 2) and np.isfinite(found.points).all()
    near = nearest_of(found.points)
    assert (labels[near] == labels).mean() > 0.95
    # lengths count for nothing
    again = map_embeddings(features * 4, seed=3)
    np.testing.assert_array_equal(again.points, found.points)
    assert (map_embeddings(features, seed=4).points != found.points).any()


def nearest_of(points):
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distances, np.inf)
    return distances.argmin(axis=1)


def test_outliers_are_those_of_the_embeddings():
    features, _ = clusters()
    features[7] = -np.eye(16)[9]
    found = map_embeddings(features, neighbours=5, k=12)
    expected = find_outliers(features, k=12)
    np.testing.assert_array_equal(found.outliers.distances, expected.distances)
    assert found.outliers.threshold == expected.threshold
    assert found.outliers.flagged[7]


@pytest.mark.parametrize("images", [3, 4, 16, 21])
def test_small_and_equal_sets_have_a_map(images):
    random = np.random.default_rng(images)
    assert map_embeddings(random.normal(size=(images, 5))).points.shape == (images, 2)
    assert np.isfinite(map_embeddings(np.ones((images, 5))).points).all()


def test_umap_is_given_the_exact_neighbours(monkeypatch):
    features, _ = clusters(20)
    given = {}

    class Fake:
        def __init__(self, **options):
            given.update(options)

        def fit_transform(self, rows):
            return np.zeros((len(rows), 2))

    monkeypatch.setattr("umap.UMAP", Fake)
    map_embeddings(features, neighbours=6, k=9)
    rows, distances = given["precomputed_knn"]
    others = nearest_others(features, 5)
    assert given["n_neighbors"] == 6
    assert rows[:, 0].tolist() == list(range(60)) and (distances[:, 0] == 0).all()
    np.testing.assert_array_equal(rows[:, 1:], others.rows)
    np.testing.assert_allclose(distances[:, 1:], 1 - others.cosines, rtol=1e-5, atol=1e-7)


def test_a_missing_umap_names_the_command(monkeypatch):
    monkeypatch.setattr(embedding_map, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="umap-learn, which is not installed") as error:
        map_embeddings(np.ones((5, 2)))
    assert error.value.hint == "pip install 'lowlabel[analysis]'"


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (2, {}, "at least 3 images, not 2"),
        (5, {"neighbours": 1}, "neighbours=1"),
        (5, {"min_dist": 1.5}, "min_dist=1.5"),
        (5, {"seed": -1}, "seed=-1"),
        (5, {"k": 0}, "k=0"),
        (5, {"spread": -1.0}, "spread=-1.0"),
    ],
)
def test_bad_options_are_named(images, options, message):
    with pytest.raises(InputError, match=message):
        map_embeddings(np.random.default_rng(0).normal(size=(images, 4)), **options)
