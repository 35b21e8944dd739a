"""Tasks whose queries are not the same number of each class."""

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.episodes import EpisodeSampler
from lowlabel.fewshot.query_counts import dirichlet_counts, query_slots

PLENTY = np.full((1, 5), 1000)


def largest_remainders(uniforms, total):
    """One task, in the plainest way."""
    gammas = [sum(-np.log(1 - u) for u in pair) for pair in uniforms]
    exact = [total * gamma / sum(gammas) for gamma in gammas]
    counts = [int(value) for value in exact]
    order = sorted(range(len(exact)), key=lambda k: exact[k] - counts[k], reverse=True)
    for k in order[: total - sum(counts)]:
        counts[k] += 1
    return counts


def test_counts_are_the_shares_made_whole():
    uniforms = np.random.default_rng(0).random((300, 5, 2))
    counts = dirichlet_counts(uniforms, 75, PLENTY)
    assert counts.tolist() == [largest_remainders(u, 75) for u in uniforms]


def test_shares_are_those_of_a_dirichlet_distribution():
    uniforms = np.random.default_rng(1).random((20_000, 5, 2))
    shares = dirichlet_counts(uniforms, 10_000, np.full((1, 5), 10_000)) / 10_000
    for k in range(5):  # each share of Dirichlet(2, 2, 2, 2, 2) is Beta(2, 8)
        assert stats.kstest(shares[:, k], stats.beta(2, 8).cdf).pvalue > 0.001
    assert np.cov(shares[:, 0], shares[:, 1])[0, 1] == pytest.approx(-0.04 / 11, rel=0.1)


def test_small_classes_pass_on_what_they_cannot_hold():
    random = np.random.default_rng(2)
    most = random.integers(15, 40, (2000, 5))
    uniforms = random.random((2000, 5, 2))
    free, counts = dirichlet_counts(uniforms, 75, PLENTY), dirichlet_counts(uniforms, 75, most)
    assert (counts.sum(1) == 75).all()
    assert (counts <= most).all()
    fits = (free <= most).all(1)
    assert 0 < fits.mean() < 1
    assert (counts[fits] == free[fits]).all()
    assert (counts >= np.minimum(free, most)).all()


def test_extreme_draws_still_make_whole_counts():
    uniforms = np.zeros((3, 5, 2))
    uniforms[1:] = 1e-12
    uniforms[:, 0] = 1 - 2.0**-53
    assert dirichlet_counts(uniforms, 75, PLENTY).tolist() == [[75, 0, 0, 0, 0]] * 3
    assert dirichlet_counts(uniforms, 75, np.full((1, 5), 15)).tolist() == [[15] * 5] * 3


def test_slots_run_class_by_class():
    ways, places = query_slots(np.array([[2, 0, 1], [1, 1, 1]]))
    assert ways.tolist() == [[0, 0, 2], [0, 1, 2]]
    assert places.tolist() == [[0, 1, 0], [0, 0, 0]]


LABELS = np.repeat([7, -1, 3, 100, 12, 5, 6], [25, 80, 40, 22, 60, 30, 90])


def draw(tasks=500, block=10_000, seed=0):
    sampler = EpisodeSampler(LABELS, 5, 2, 15, "dirichlet")
    blocks = list(sampler.blocks(tasks, seed, block))
    return tuple(
        np.concatenate([getattr(episodes, name) for episodes in blocks])
        for name in ("support", "query", "query_ways")
    )


def test_tasks_are_whole_and_without_repetition():
    support, query, ways = draw()
    assert query.shape == (500, 75)
    rows = np.sort(np.concatenate([support.reshape(500, -1), query], 1))
    assert (np.diff(rows) > 0).all()
    classes = LABELS[support][..., 0]
    assert (LABELS[support] == classes[..., None]).all()
    assert (LABELS[query] == np.take_along_axis(classes, ways, 1)).all()
    counts = (ways[:, :, None] == np.arange(5)).sum(1)
    assert counts.std() > 5


def test_all_images_of_a_class_are_equally_likely():
    support, query, _ = draw(5000)
    for rows in (support, query):
        per_image = np.bincount(rows.ravel(), minlength=len(LABELS))
        for name in np.unique(LABELS):
            assert stats.chisquare(per_image[name == LABELS]).pvalue > 0.001


@pytest.mark.parametrize("block", [1, 7, 300])
def test_blocks_change_nothing_and_a_longer_run_begins_with_the_shorter(block):
    for whole, parts, longer in zip(draw(60), draw(60, block), draw(200), strict=True):
        assert np.array_equal(whole, parts)
        assert np.array_equal(whole, longer[:60])


def test_evaluation_over_unequal_queries(novel):
    runs = {
        name: evaluate_fewshot(
            *novel, query_distribution=name, tasks=40, queries=5, interval="tasks", device="cpu"
        )
        for name in ("balanced", "dirichlet")
    }
    assert runs["dirichlet"].query_distribution == "dirichlet"
    assert runs["dirichlet"].task_hash != runs["balanced"].task_hash
    assert np.allclose(runs["dirichlet"].accuracies * 25 / 100 % 1, 0, atol=1e-9)
    assert abs(runs["dirichlet"].mean - runs["balanced"].mean) < 10


def test_methods_told_of_balance_lose_and_alpha_tim_does_not():
    """What the paper is about, on clusters that all methods find."""
    random = np.random.default_rng(0)
    labels = np.arange(8).repeat(60)
    features = np.abs(2 * random.random((8, 48))[labels] + random.random((480, 48)))

    def lost(method: str) -> float:
        balanced, unequal = (
            evaluate_fewshot(
                features, labels, method=method, query_distribution=name, tasks=60, device="cpu",
                queries=10, interval="tasks",
            ).mean
            for name in ("balanced", "dirichlet")
        )  # fmt: skip
        return balanced - unequal

    assert lost("pt-map") > 5
    assert lost("alpha-tim,iterations=50,rate=0.003") < 1


def test_what_is_not_possible(novel):
    with pytest.raises(UnknownNameError, match="Did you mean dirichlet"):
        evaluate_fewshot(*novel, query_distribution="dirichlt")
    with pytest.raises(InputError, match="need 40 images of each class"):
        evaluate_fewshot(*novel, query_distribution="dirichlet", shots=10, queries=30)
