import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from lowlabel.fewshot.solvers.logistic import fit_logistic_regression


def examples(*, tasks=6, ways=5, shots=5, width=40, spread=1.0, scale=1.0, shift=0.0):
    random = np.random.default_rng(ways * shots * width)
    x = random.normal(size=(tasks, ways, 1, width)) * spread
    x = x + random.normal(size=(tasks, ways, shots, width))
    return x.reshape(tasks, -1, width) * scale + shift, np.arange(ways).repeat(shots)


def fit(x, labels, ways, c=1.0, dtype=torch.float64):
    fitted = fit_logistic_regression(torch.tensor(x, dtype=dtype), torch.tensor(labels), ways, c)
    return fitted.weight.double().numpy(), fitted.bias.double().numpy()


def objective(weight, bias, x, labels, c):
    logits = x @ weight + bias
    top = logits.max(1)
    losses = np.log(np.exp(logits - top[:, None]).sum(1)) + top
    losses -= logits[np.arange(len(labels)), labels]
    return c * losses.sum() + (weight**2).sum() / 2


SHAPES = {
    "one shot": {"shots": 1},
    "fewer examples than dimensions": {},
    "more examples than dimensions": {"shots": 20, "width": 10},
    "as many as dimensions": {"shots": 5, "width": 25},
    "overlapping": {"shots": 20, "width": 10, "spread": 0.2},
    "far from the origin": {"shift": 50.0},
    "large and separable": {"scale": 20.0},
    "small": {"scale": 1e-3},
    "three classes": {"ways": 3},
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("c", [0.1, 1.0, 30.0])
@pytest.mark.filterwarnings("ignore:The line search algorithm did not converge")
def test_reaches_the_minimum_of_scikit_learn(shape, c):
    x, labels = examples(**shape)
    weight, bias = fit(x, labels, labels.max() + 1, c)
    for task in range(len(x)):
        peer = LogisticRegression(C=c, tol=1e-10, solver="newton-cg", max_iter=10_000)
        peer.fit(x[task], labels)
        ours = objective(weight[task], bias[task], x[task], labels, c)
        theirs = objective(peer.coef_.T, peer.intercept_, x[task], labels, c)
        assert ours <= theirs * (1 + 1e-9)
        logits = x[task] @ weight[task] + bias[task]
        expected = peer.decision_function(x[task])
        assert np.allclose(logits - logits[:, :1], expected - expected[:, :1], atol=1e-4, rtol=1e-4)


def test_two_classes_are_those_of_scikit_learn():
    x, labels = examples(ways=2, spread=0.3)
    weight, bias = fit(x, labels, 2)
    for task in range(len(x)):
        peer = LogisticRegression(tol=1e-10, max_iter=10_000).fit(x[task], labels)
        assert np.allclose(weight[task][:, 1] - weight[task][:, 0], peer.coef_[0], atol=1e-6)
        assert np.allclose(bias[task][1] - bias[task][0], peer.intercept_, atol=1e-6)


def test_both_ways_of_solving_agree():
    """Padding with zeros turns more examples than dimensions into fewer."""
    x, labels = examples(shots=4, width=12)
    weight, bias = fit(x, labels, 5)
    padded = np.concatenate([x, np.zeros((*x.shape[:2], 30))], 2)
    wide_weight, wide_bias = fit(padded, labels, 5)
    assert np.allclose(weight, wide_weight[:, :12], atol=1e-7)
    assert np.allclose(wide_weight[:, 12:], 0, atol=1e-12)
    assert np.allclose(bias - bias[:, :1], wide_bias - wide_bias[:, :1], atol=1e-7)


@pytest.mark.parametrize("shape", [{}, {"shots": 20, "width": 10}])
def test_single_precision_comes_close(shape):
    x, labels = examples(**shape)
    exact, single = fit(x, labels, 5), fit(x, labels, 5, dtype=torch.float32)
    for task in range(len(x)):
        least = objective(exact[0][task], exact[1][task], x[task], labels, 1.0)
        assert objective(single[0][task], single[1][task], x[task], labels, 1.0) < least * 1.0001


@pytest.mark.parametrize("shape", [{"shots": 1}, {}, {"shots": 20, "width": 10}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_enormous_features_are_still_separated(shape, dtype):
    x, labels = examples(scale=1e6, spread=3.0, **shape)
    weight, bias = fit(x, labels, 5, dtype=dtype)
    logits = x @ weight + bias[:, None]
    assert (logits.argmax(-1) == labels).mean() > 0.99


def test_tasks_do_not_disturb_each_other():
    easy, labels = examples(tasks=4)
    hard, _ = examples(tasks=4, scale=100.0)
    together, alone = fit(np.concatenate([easy, hard]), labels, 5), fit(easy, labels, 5)
    assert np.allclose(together[0][:4], alone[0], atol=1e-7)


def test_labels_may_differ_between_tasks():
    x, labels = examples(tasks=2)
    other = np.stack([labels, labels[::-1].copy()])
    weight, _ = fit(x, other, 5)
    assert np.allclose(weight[0], fit(x[:1], labels, 5)[0][0], atol=1e-7)
    assert np.allclose(weight[1], fit(x[1:], labels[::-1].copy(), 5)[0][0], atol=1e-7)


def test_repeated_examples_are_no_obstacle():
    x, labels = examples(shots=1)
    weight, bias = fit(x.repeat(4, axis=1), labels.repeat(4), 5, c=1.0)
    single, single_bias = fit(x, labels, 5, c=4.0)
    assert np.allclose(weight, single, atol=1e-7)
    assert np.allclose(bias, single_bias, atol=1e-7)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e3])
@pytest.mark.parametrize("width", [10, 100])
def test_constant_examples_give_exactly_nothing(value, width):
    weight, bias = fit(np.full((3, 25, width), value), np.arange(5).repeat(5), 5)
    assert (weight == 0).all()
    assert (bias == 0).all()
