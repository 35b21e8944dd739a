import pytest
import torch
from torch.autograd.functional import hessian, jacobian

from lowlabel.fewshot.solvers.softmax_loss import Moments, SoftmaxLoss

TASKS, WAYS, EXAMPLES, WIDTH, C = 2, 3, 12, 4, 0.7


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def loss(random):
    x = torch.randn(TASKS, EXAMPLES, WIDTH, dtype=torch.float64, generator=random)
    labels = torch.arange(WAYS).repeat_interleave(EXAMPLES // WAYS)
    targets = torch.nn.functional.one_hot(labels, WAYS).double().T.expand(TASKS, -1, -1)
    return SoftmaxLoss(x, targets, C)


@pytest.fixture
def params(random):
    return torch.randn(TASKS, WAYS, WIDTH + 1, dtype=torch.float64, generator=random)


def test_the_gradient_is_that_of_the_objective(loss, params):
    def objective(params):
        weight = params[..., :-1]
        logits = loss.x @ weight.mT + params[..., None, :, -1]
        labels = loss.targets.argmax(1)
        losses = torch.nn.functional.cross_entropy(logits.mT, labels, reduction="sum")
        return C * losses + (weight**2).sum() / 2

    expected = jacobian(objective, params)
    assert torch.allclose(loss.gradient(params, loss.logits(params)), expected)


def test_the_derivatives_along_a_direction_are_those_of_autograd(loss, params):
    logits, direction = loss.logits(params), loss.logits(params.flip(0))

    def along(length):
        return loss.cross_entropy(logits + length[:, None, None] * direction).sum()

    zero = torch.zeros(TASKS, dtype=torch.float64)
    first, second = loss.directional_derivatives(logits, direction)
    assert torch.allclose(first, jacobian(along, zero))
    assert torch.allclose(second, hessian(along, zero).diagonal())


def test_known_moments_give_the_preconditioner_of_the_examples(loss):
    """Each class's second moment, as the outer products of its examples."""
    vectors = loss.x.unflatten(1, (WAYS, -1)) / (EXAMPLES / WAYS) ** 0.5
    covariances = torch.zeros(1, WIDTH, WIDTH, dtype=torch.float64)
    moments = Moments(covariances, vectors.new_zeros(TASKS, WAYS, 1), vectors)
    with_moments = SoftmaxLoss(loss.x, loss.targets, C, moments)
    expected, found = loss.bound_preconditioner(), with_moments.bound_preconditioner()
    assert torch.allclose(found.weight, expected.weight)
    assert torch.allclose(found.bias, expected.bias)
