import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.episodes import EpisodeSampler

ALPHA, SAMPLES = 0.21, 120


@pytest.fixture(scope="module")
def base(skewed_base):
    return skewed_base


@pytest.fixture(scope="module")
def novel(skewed_novel):
    return skewed_novel


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def reference_accuracies(novel, base, *, name, shots, tasks, seed, ways=5, queries=15):
    """Distribution Calibration task by task, as its authors number the steps."""
    random = np.random.default_rng(seed)
    features, labels = novel[0].astype(float), novel[1]
    base_features = base[0].astype(float)
    if name == "dc":
        features = features**0.5
    else:
        features, base_features = unit(features), unit(base_features)
    names = np.unique(base[1])
    means = np.stack([base_features[base[1] == c].mean(0) for c in names])
    covariances = np.stack([np.cov(base_features[base[1] == c].T, ddof=1) for c in names])
    (episodes,) = EpisodeSampler(labels, ways, shots, queries).blocks(tasks, 0, tasks)
    accuracies = []
    for support, query, truth in zip(
        episodes.support, episodes.query, episodes.query_ways, strict=True
    ):
        x, y = [features[support.ravel()]], [np.arange(ways).repeat(shots)]
        for way, image in zip(y[0].copy(), x[0], strict=True):
            near = np.argsort(((means - image) ** 2).sum(1))[:2]
            mean = (means[near].sum(0) + image) / 3
            covariance = covariances[near].mean(0) + ALPHA
            x.append(random.multivariate_normal(mean, covariance, SAMPLES // shots))
            y.append(np.full(SAMPLES // shots, way))
        model = LogisticRegression(max_iter=1000).fit(np.concatenate(x), np.concatenate(y))
        accuracies.append(100 * (model.predict(features[query]) == truth).mean())
    return np.array(accuracies)


@pytest.mark.slow
@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize("name", ["dc", "dc-sslvit"])
def test_the_mean_is_that_of_a_plain_loop_over_the_same_tasks(novel, base, name, shots):
    spec = f"{name},samples={SAMPLES}"
    tasks = 150
    ours = evaluate_fewshot(
        *novel, base=base, method=spec, shots=shots, tasks=tasks, device="cpu", interval="tasks"
    ).accuracies
    theirs = reference_accuracies(novel, base, name=name, shots=shots, tasks=tasks, seed=5)
    difference = ours - theirs
    assert 30 < theirs.mean() < 97
    assert np.corrcoef(ours, theirs)[0, 1] > 0.6
    assert abs(difference.mean()) < 2.6 * stats.sem(difference)  # 99 %


@pytest.mark.parametrize("name", ["dc", "dc-sslvit"])
def test_blocks_and_the_number_of_tasks_change_nothing(novel, base, name):
    def run(tasks, block):
        options = {"method": f"{name},samples=50", "tasks": tasks, "task_block": block}
        return evaluate_fewshot(
            *novel, base=base, device="cpu", interval="tasks", **options
        ).accuracies

    whole = run(24, 24)
    one_query = 1.4
    assert np.abs(run(24, 5) - whole).max() < one_query
    assert np.abs(run(10, 3) - whole[:10]).max() < one_query


def test_classes_of_fewer_images_than_dimensions_will_do(novel):
    base = novel[0][::20], novel[1][::20]
    rows = np.concatenate([np.flatnonzero(base[1] == c)[:2] for c in np.unique(base[1])[:3]])
    result = evaluate_fewshot(
        *novel,
        base=(base[0][rows], base[1][rows]),
        method="dc,samples=60",
        tasks=20,
        device="cpu",
        interval="tasks",
    )
    assert 25 < result.mean <= 100


@pytest.mark.parametrize(("ways", "shots", "queries"), [(2, 1, 3), (7, 3, 2), (1, 2, 4)])
def test_any_task_will_do(novel, base, ways, shots, queries):
    result = evaluate_fewshot(
        *novel,
        base=base,
        method="dc,samples=40",
        ways=ways,
        shots=shots,
        queries=queries,
        tasks=12,
        device="cpu",
        interval="tasks",
    )
    assert result.mean > 130 / ways or ways == 1


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_constant_features_score_about_chance(value):
    labels = np.arange(6).repeat(25)
    features = np.full((150, 8), value, dtype=np.float32)
    result = evaluate_fewshot(
        features,
        labels,
        base=(features, labels),
        method="dc,samples=20",
        tasks=30,
        device="cpu",
        interval="tasks",
    )
    assert result.mean == pytest.approx(20)  # every query falls into one class


def test_what_dc_cannot_do_without(novel, base):
    def run(base, method="dc"):
        evaluate_fewshot(*novel, base=base, method=method, tasks=3, device="cpu", interval="tasks")

    with pytest.raises(InputError, match="dc needs the base classes' features"):
        run(None)
    with pytest.raises(InputError, match="k=10 of dc needs 10 base classes, but there are 9"):
        run(base, "dc,k=10")
    alone = base[0][[0, 1, -1]], base[1][[0, 1, -1]]
    with pytest.raises(InputError, match=r"1 of the 2 base classes have one .* class 20"):
        run(alone)
