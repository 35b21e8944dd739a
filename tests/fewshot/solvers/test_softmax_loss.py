import pytest
import torch
from torch.autograd.functional import hessian, jacobian

from lowlabel.fewshot.solvers.lbfgs import minimize
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


@pytest.fixture
def in_coordinates(loss, random):
    """The same loss, preconditioned in the coordinates of a basis."""
    basis = torch.linalg.qr(torch.randn(WIDTH, WIDTH, dtype=torch.float64, generator=random)).Q
    vectors = loss.x.new_zeros(TASKS, WAYS, 1, WIDTH)
    moments = Moments(basis, vectors.new_ones(WIDTH), vectors.new_ones(TASKS, WAYS), vectors)
    return SoftmaxLoss(loss.x, loss.targets, C, moments)


def test_coordinates_give_the_same_minimum(loss, in_coordinates):
    assert torch.allclose(minimize(in_coordinates), minimize(loss), atol=1e-6)


def test_coordinates_are_those_of_the_parameters(in_coordinates, params):
    coordinates = in_coordinates.coordinates(params)
    assert not torch.allclose(coordinates, params)
    assert torch.allclose(in_coordinates.params(coordinates), params)


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
    basis, spectrum = torch.eye(WIDTH, dtype=torch.float64), vectors.new_zeros(WIDTH)
    moments = Moments(basis, spectrum, vectors.new_zeros(TASKS, WAYS), vectors)
    with_moments = SoftmaxLoss(loss.x, loss.targets, C, moments)
    expected, found = loss.bound_preconditioner(), with_moments.bound_preconditioner()
    rows = torch.eye(WIDTH + 1, dtype=torch.float64).expand(TASKS, -1, -1)
    assert torch.allclose(found(rows), expected(rows))


def test_the_inverse_hessian_is_that_of_the_weighted_second_moments(random):
    basis = torch.linalg.qr(torch.randn(WIDTH, WIDTH, dtype=torch.float64, generator=random)).Q
    spectrum, traces, weights, vectors = (
        torch.rand(shape, dtype=torch.float64, generator=random)
        for shape in ([WIDTH], [TASKS, WAYS], [TASKS, WAYS], [TASKS, WAYS, 2, WIDTH])
    )
    inverse = Moments(basis, spectrum, traces, vectors).inverse_hessian(weights)
    shared = basis @ torch.diag(spectrum) @ basis.T
    for task in range(TASKS):
        hessian = torch.eye(WIDTH, dtype=torch.float64)
        for way in range(WAYS):
            outer = vectors[task, way].T @ vectors[task, way]
            hessian += weights[task, way] * (traces[task, way] * shared + outer)
        coordinates = basis.expand(TASKS, -1, -1)
        assert torch.allclose(basis @ inverse(coordinates)[task].T, torch.linalg.inv(hessian))
