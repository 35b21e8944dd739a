import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression

from lowlabel.errors import InputError
from lowlabel.fewshot import build_method, evaluate_fewshot
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.episodes import EpisodeSampler
from lowlabel.fewshot.gaussians import BaseGaussians
from lowlabel.fewshot.methods.calibration import Calibration
from lowlabel.fewshot.methods.normals import standard_normals

WIDTH, ALPHA, SAMPLES = 16, 0.21, 120


def skewed(classes, images, seed):
    """Features of at least 0 with unequal, correlated spreads, as after a ReLU."""
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.full(images + 5 * i, 3 * i - 4) for i in range(classes)])
    centers = random.gamma(1.0, 0.5, (classes, WIDTH))
    mixing = random.normal(size=(WIDTH, WIDTH)) * 0.12
    noise = random.normal(size=(len(labels), WIDTH)) @ mixing
    return np.abs(centers[(labels + 4) // 3] + noise).astype(np.float32), labels


@pytest.fixture(scope="module")
def base():
    return skewed(9, 40, seed=1)


@pytest.fixture(scope="module")
def novel():
    return skewed(7, 30, seed=2)


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


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize("name", ["dc", "dc-sslvit"])
def test_the_mean_is_that_of_a_plain_loop_over_the_same_tasks(novel, base, name, shots):
    spec = f"{name},samples={SAMPLES}"
    tasks = 150
    ours = evaluate_fewshot(
        *novel, base=base, method=spec, shots=shots, tasks=tasks, device="cpu"
    ).accuracies
    theirs = reference_accuracies(novel, base, name=name, shots=shots, tasks=tasks, seed=5)
    difference = ours - theirs
    assert 30 < theirs.mean() < 97
    assert np.corrcoef(ours, theirs)[0, 1] > 0.6
    assert abs(difference.mean()) < 2.6 * stats.sem(difference)  # 99 %


def calibrations(novel, base, shots, tasks=6):
    features = torch.from_numpy(novel[0]).sqrt()
    (episodes,) = EpisodeSampler(novel[1], 5, shots, 15).blocks(tasks, 0, tasks)
    gaussians = BaseStatistics(torch.from_numpy(base[0]), base[1]).gaussians
    support = features[torch.from_numpy(episodes.support)]
    query = features[torch.from_numpy(episodes.query)]
    return Calibration.of(support, gaussians, 2, ALPHA), query


def objective(weight, bias, x, labels):
    logits = x @ weight + bias
    logits = logits - logits.max(1, keepdims=True)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]
    return losses.sum() + (weight**2).sum() / 2


@pytest.mark.parametrize(("shots", "each"), [(1, 750), (5, 150), (1, 20)])
def test_equal_samples_give_what_scikit_learn_finds(novel, base, shots, each):
    calibration, query = calibrations(novel, base, shots)
    seeds = [(0, task) for task in range(len(query))]
    x = calibration.samples(seeds, each) + calibration.centre[:, None, None, None]
    x = x.flatten(1, 3).double().numpy()
    labels = np.arange(5).repeat(x.shape[1] // 5)
    classifiers = calibration.fit(seeds, each, 1.0)
    predictions = classifiers(query).argmax(-1).numpy()
    agreement = []
    for task in range(len(x)):
        usual = LogisticRegression(max_iter=1000).fit(x[task], labels)
        theirs = objective(usual.coef_.T, usual.intercept_, x[task], labels)
        weight, bias = classifiers.weight[task].double(), classifiers.bias[task].double()
        assert objective(weight.numpy(), bias.numpy(), x[task], labels) <= theirs * (1 + 1e-6)
        tight = LogisticRegression(max_iter=20_000, tol=1e-8).fit(x[task], labels)
        agreement.append(tight.predict(query[task].double().numpy()) == predictions[task])
    assert np.mean(agreement) >= 0.99


@pytest.mark.parametrize("k", [1, 2, 3])
def test_samples_have_the_calibrated_mean_and_covariance(novel, base, k):
    calibration, _ = calibrations(novel, base, 1, tasks=2)
    calibration = Calibration.of(
        calibration.support + calibration.centre[:, None, None], calibration.base, k, ALPHA
    )
    samples = (
        calibration.samples([(7, 0), (7, 1)], 40_000) + calibration.centre[:, None, None, None]
    )
    names = np.unique(base[1])
    means = np.stack([base[0][base[1] == c].mean(0) for c in names])
    covariances = np.stack([np.cov(base[0][base[1] == c].T) for c in names])
    for task, way in np.ndindex(2, 5):
        image, *drawn = samples[task, way, 0].double().numpy()
        near = np.argsort(((means - image) ** 2).sum(1))[:k]
        covariance = covariances[near].mean(0) + ALPHA
        scale = np.sqrt(covariance.diagonal().max() / 40_000)
        assert np.abs(np.mean(drawn, 0) - (means[near].sum(0) + image) / (k + 1)).max() < 5 * scale
        spread = np.abs(np.cov(np.transpose(drawn)) - covariance).max()
        assert spread < 8 * covariance.diagonal().max() / np.sqrt(40_000)


@pytest.mark.parametrize("name", ["dc", "dc-sslvit"])
def test_blocks_and_the_number_of_tasks_change_nothing(novel, base, name):
    def run(tasks, block):
        options = {"method": f"{name},samples=50", "tasks": tasks, "task_block": block}
        return evaluate_fewshot(*novel, base=base, device="cpu", **options).accuracies

    whole = run(24, 24)
    assert np.array_equal(run(24, 5), whole)
    assert np.array_equal(run(10, 3), whole[:10])


def test_normals_depend_on_seed_and_task_alone_and_are_normal():
    seeds = [(0, 0), (0, 1), (1, 0)]
    numbers = standard_normals(seeds, 40_001)
    assert torch.equal(standard_normals(seeds[::-1], 40_001).flip(0), numbers)
    assert torch.equal(standard_normals(seeds[1:2], 40_001)[0], numbers[1])
    assert np.abs(np.corrcoef(numbers) - np.eye(3)).max() < 0.02
    assert all(stats.kstest(row, "norm").pvalue > 0.001 for row in numbers.numpy())


def test_factors_are_shared_kept_and_thrown_away(monkeypatch):
    random = torch.Generator().manual_seed(0)
    roots = torch.randn(6, 8, 8, generator=random)
    covariances = roots @ roots.transpose(1, 2)
    monkeypatch.setattr("lowlabel.fewshot.gaussians.FACTOR_BYTES", 4 * 8 * 8 * 4)
    gaussians = BaseGaussians(torch.zeros(6, 8), covariances)
    for rows in ([[0, 1], [2, 5], [0, 1]], [[1, 2]], [[0, 5], [1, 5], [2, 5]], [[0, 1]] * 9):
        factors, places = gaussians.factors(torch.tensor(rows), 0.5)
        for pair, place in zip(rows, places, strict=True):
            expected = covariances[pair].mean(0) + 0.5
            assert torch.allclose(factors[place] @ factors[place].T, expected, rtol=1e-3, atol=1e-3)
        assert len(factors) <= 4


def test_classes_of_fewer_images_than_dimensions_will_do(novel):
    base = novel[0][::20], novel[1][::20]
    rows = np.concatenate([np.flatnonzero(base[1] == c)[:2] for c in np.unique(base[1])[:3]])
    result = evaluate_fewshot(
        *novel, base=(base[0][rows], base[1][rows]), method="dc,samples=60", tasks=20, device="cpu"
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
    )
    assert result.mean > 130 / ways or ways == 1


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_constant_features_score_about_chance(value):
    labels = np.arange(6).repeat(25)
    features = np.full((150, 8), value, dtype=np.float32)
    result = evaluate_fewshot(
        features, labels, base=(features, labels), method="dc,samples=20", tasks=30, device="cpu"
    )
    assert result.mean == pytest.approx(20)  # every query falls into one class


@pytest.mark.parametrize("method", ["dc", "logreg,norm=tukey", "logreg,norm=tukey-l2"])
def test_signed_features_cannot_be_raised_to_a_power(novel, base, method):
    signed = novel[0].copy()
    signed[[2, 2, 9], [0, 1, 3]] = -0.5
    message = f"2 of {len(signed)} rows have negative entries, the lowest -0.5"
    with pytest.raises(InputError, match=message):
        evaluate_fewshot(signed, novel[1], base=base, method=method, tasks=3, device="cpu")


def test_what_dc_cannot_do_without(novel, base):
    def run(base, method="dc"):
        evaluate_fewshot(*novel, base=base, method=method, tasks=3, device="cpu")

    with pytest.raises(InputError, match="dc needs the base classes' features"):
        run(None)
    with pytest.raises(InputError, match="k=10 of dc needs 10 base classes, but there are 9"):
        run(base, "dc,k=10")
    alone = base[0][[0, 1, -1]], base[1][[0, 1, -1]]
    with pytest.raises(InputError, match="base class 20 has one image, which has no covariance"):
        run(alone)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("dc,k=0", "k=0 of dc must be at least 1"),
        ("dc,alpha=-0.1", "alpha=-0.1 of dc must be at least 0"),
        ("dc-sslvit,samples=-1", "samples=-1 of dc-sslvit must be at least 0"),
        ("dc,power=0", "power=0.0 of dc must be positive"),
        ("dc-sslvit,power=1.0", "dc-sslvit has no option 'power'"),
    ],
)
def test_options_that_are_not_possible(spec, message):
    with pytest.raises(InputError, match=message):
        build_method(spec)
