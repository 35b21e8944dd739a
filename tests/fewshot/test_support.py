"""Methods learn from any number of images of each class."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import LinearSVC

from lowlabel.fewshot import METHODS, build_method
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.support import Support

SIZES = (3, 1, 12, 3, 7)
QUICK = ",iterations=30,rate=0.01"
SPECS = [
    *(f"{name}{QUICK if 'tim' in name else ''}" for name in METHODS),
    "bd-cspn,rectification=paper",
    "ncm,norm=cl2n",
]


def task(sizes=SIZES, queries=40, width=16):
    """Support rows and queries of two tasks, non-negative, and base classes."""
    random = torch.Generator().manual_seed(2)
    centres = torch.rand(2, len(sizes), width, generator=random)
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    rows = centres[:, labels] + 0.5 * torch.rand(2, len(labels), width, generator=random)
    drawn = torch.arange(queries) % len(sizes)
    query = centres[:, drawn] + 0.5 * torch.rand(2, queries, width, generator=random)
    base = torch.rand(60, width, generator=random)
    return rows, query, BaseStatistics(base, np.repeat(np.arange(3), 20))


def scores(spec, rows, sizes, query, base, seeds=((0, 0), (0, 1))):
    method = build_method(spec)
    rows, query = (method.transform(x.flatten(0, 1), base).view_as(x) for x in (rows, query))
    return method.fit(Support(rows, tuple(sizes)), base, list(seeds[: len(rows)]))(query)


def test_reductions_are_those_of_each_class():
    rows, _, _ = task()
    support = Support(rows, SIZES)
    parts = rows.split(SIZES, 1)
    expected = torch.stack([part.mean(1) for part in parts], 1)
    torch.testing.assert_close(support.means(), expected)
    torch.testing.assert_close(support.sums(), torch.stack([part.sum(1) for part in parts], 1))
    torch.testing.assert_close(support.mean()[:, 0], rows.mean(1))
    assert support.labels.tolist() == np.repeat(np.arange(5), SIZES).tolist()
    assert torch.equal(support.one_hot(rows.dtype).sum(0), support.counts())
    torch.testing.assert_close(support.shares(torch.float64).sum(), torch.tensor(1.0).double())
    found = {tuple(classes.tolist()): images.shape[2] for classes, images in support.by_size()}
    assert found == {(1,): 1, (0, 3): 3, (4,): 7, (2,): 12}


@pytest.mark.parametrize("spec", SPECS)
def test_equal_sizes_are_what_few_shot_tasks_are(spec):
    rows, query, base = task((4,) * 5)
    method = build_method(spec)
    found = scores(spec, rows, (4,) * 5, query, base)
    support = method.transform(rows.flatten(0, 1), base).view(2, 5, 4, -1)
    transformed = method.transform(query.flatten(0, 1), base).view_as(query)
    assert torch.equal(found, method.scores(support, transformed, base))


@pytest.mark.parametrize("spec", SPECS)
def test_the_order_of_unequal_classes_does_not_matter(spec):
    rows, query, base = task()
    if spec.startswith("dc"):  # whose samples belong to places
        spec += ",samples=0"
    order = [2, 4, 0, 3, 1]
    parts = rows.split(SIZES, 1)
    found = scores(spec, rows, SIZES, query, base).argmax(-1)
    turned = scores(
        spec, torch.cat([parts[c] for c in order], 1), [SIZES[c] for c in order], query, base
    ).argmax(-1)
    assert torch.equal(torch.tensor(order)[turned], found)
    assert found.unique().numel() >= 2


@pytest.mark.parametrize("spec", SPECS)
def test_tasks_are_independent_of_each_other(spec):
    rows, query, base = task()
    both = scores(spec, rows, SIZES, query, base)
    second = scores(spec, rows[1:], SIZES, query[1:], base, [(0, 1)])
    assert torch.equal(both[1].argmax(-1), second[0].argmax(-1))


@pytest.mark.parametrize(
    ("spec", "theirs"),
    [
        ("ridge", RidgeClassifier(alpha=1.0)),
        ("ridge,alpha=30.0", RidgeClassifier(alpha=30.0)),
        ("logreg", LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)),
        ("logreg,c=100.0", LogisticRegression(C=100.0, tol=1e-10, max_iter=10_000)),
        ("svm", LinearSVC(C=1.0, tol=1e-10, max_iter=100_000)),
    ],
)
@pytest.mark.parametrize("width", [4, 64])
def test_scores_are_those_of_scikit_learn(spec, theirs, width):
    rows, query, base = task(width=width)
    labels = np.repeat(np.arange(5), SIZES)
    ours = scores(spec, rows, SIZES, query, base).double()
    for each in range(2):
        theirs.fit(rows[each].double().numpy(), labels)
        expected = torch.from_numpy(theirs.decision_function(query[each].double().numpy()))
        if spec.startswith("ridge"):
            expected = expected / 2  # targets are ±1
        difference = ours[each] - ours[each][:, :1] - (expected - expected[:, :1])
        assert difference.abs().max() < 2e-4 * expected.abs().max()


@pytest.mark.parametrize("spec", ["dc", "dc-sslvit"])
def test_classes_of_any_size_get_about_as_many_samples(spec, monkeypatch):
    from lowlabel.fewshot.methods import calibration

    seen = []
    fitted = calibration._fitted
    monkeypatch.setattr(
        calibration,
        "_fitted",
        lambda x, labels, *rest: seen.append((x, labels)) or fitted(x, labels, *rest),
    )
    rows, query, base = task()
    scores(f"{spec},samples=60", rows, SIZES, query, base)
    ((x, labels),) = seen
    each = [size * (1 + 60 // size) for size in SIZES]
    assert torch.bincount(labels).tolist() == each
    assert x.shape[1] == sum(each)


def test_many_examples_are_fitted_to_the_same_minimum():
    random = torch.Generator().manual_seed(0)
    sizes = (3000, 900, 1200)
    labels = torch.arange(3).repeat_interleave(torch.tensor(sizes))
    centres = 0.4 * torch.randn(3, 8, generator=random)
    rows = (centres[labels] + torch.randn(5100, 8, generator=random))[None]
    query = torch.randn(1, 500, 8, generator=random)
    method = build_method("logreg")
    ours = method.fit(Support(rows, sizes), None, [(0, 0)])
    x, y = rows[0].double().numpy(), labels.numpy()
    usual = LogisticRegression(max_iter=1000).fit(x, y)
    tight = LogisticRegression(tol=1e-10, max_iter=10_000).fit(x, y)
    weight, bias = ours.weight[0].double().numpy(), ours.bias[0].double().numpy()
    best = objective(tight.coef_.T, tight.intercept_, x, y)
    assert objective(weight, bias, x, y) <= min(
        best * (1 + 1e-6), objective(usual.coef_.T, usual.intercept_, x, y) * (1 + 1e-7)
    )
    assert (ours(query)[0].argmax(-1).numpy() == tight.predict(query[0])).mean() > 0.99


def objective(weight, bias, x, labels):
    logits = x @ weight + bias
    logits = logits - logits.max(1, keepdims=True)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]
    return losses.sum() + (weight**2).sum() / 2
