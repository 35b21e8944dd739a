from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lowlabel.fewshot import evaluate_fewshot


def skewed(classes: int, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of at least 0 with unequal, correlated spreads, as after a ReLU."""
    random, width = np.random.default_rng(seed), 16
    labels = np.concatenate([np.full(images + 5 * i, 3 * i - 4) for i in range(classes)])
    centers = random.gamma(1.0, 0.5, (classes, width))
    mixing = random.normal(size=(width, width)) * 0.12
    noise = random.normal(size=(len(labels), width)) @ mixing
    return np.abs(centers[(labels + 4) // 3] + noise).astype(np.float32), labels


@pytest.fixture(scope="session")
def skewed_base() -> tuple[np.ndarray, np.ndarray]:
    return skewed(9, 40, seed=1)


@pytest.fixture(scope="session")
def skewed_novel() -> tuple[np.ndarray, np.ndarray]:
    return skewed(7, 30, seed=2)


@pytest.fixture(scope="session")
def run():
    """`evaluate_fewshot` on the CPU."""

    def evaluate(features, labels, method, **options):
        return evaluate_fewshot(
            features, labels, method=method, device="cpu", interval="tasks", **options
        )

    return evaluate


@pytest.fixture(scope="session")
def non_negative(novel, base):
    """The embeddings with every entry made non-negative."""
    return SimpleNamespace(novel=(np.abs(novel[0]), novel[1]), base=(np.abs(base[0]), base[1]))


@pytest.fixture(scope="session")
def assert_loop_agrees(oracle, run, plain):
    """Asserts that a method scores each task as a plain float64 prediction does.

    The features given to the prediction are centred ("cl2"), raised to ½ ("tukey") or scaled
    ("l2") before.
    """

    def check(novel, base, method, predict, transform="none", *, shots, tasks, tolerance=0.1):
        exact = novel[0].astype(np.float64)
        if transform == "cl2":
            exact = exact - base[0].astype(np.float64).mean(0)
        if "tukey" in transform:
            exact = exact**0.5
        if "l2" in transform:
            exact = plain.unit(exact)
        expected = oracle(exact, novel[1], predict, shots=shots, tasks=tasks)
        result = run(*novel, method, base=base, shots=shots, tasks=tasks)
        assert 25 < expected.mean() < 95
        assert np.abs(result.accuracies - expected).mean() < tolerance

    return check


@pytest.fixture(scope="session")
def trained_prototypes(plain):
    """TIM by autograd and torch's own Adam on the loss as the paper prints it."""

    def prediction(entropy, marginal):
        def predict(support, labels, query):
            weights = torch.tensor(plain.means(plain.unit(support), labels), requires_grad=True)
            support, query = (torch.tensor(plain.unit(x)) for x in (support, query))
            known = torch.tensor(labels)
            adam = torch.optim.Adam([weights], lr=0.01)
            for _ in range(60):
                logits = [-7.5 * torch.cdist(x, weights) ** 2 for x in (support, query)]
                p = logits[1].softmax(1)
                loss = torch.nn.functional.cross_entropy(logits[0], known)
                loss = loss - marginal * entropy(p.mean(0)) + entropy(p).mean()
                adam.zero_grad()
                loss.backward()
                adam.step()
            return (-torch.cdist(query, weights)).argmax(1).numpy()

        return predict

    return prediction
