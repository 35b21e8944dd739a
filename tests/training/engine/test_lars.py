import numpy as np
import torch
from torch import nn

from lowlabel.training.engine.optimisation import Optimisation
from lowlabel.training.engine.update import make_optimizer, set_rates


def lars_step(weight, gradient, momentum, lr, weight_decay):
    """One step in float64 after You et al. (2017), with DINO's trust coefficient."""
    update = gradient + weight_decay * weight
    length, other = np.linalg.norm(weight), np.linalg.norm(update)
    if length > 0 and other > 0:
        update = update * (0.001 * length / other)
    momentum = 0.9 * momentum + update
    return weight - lr * momentum, momentum


def test_three_lars_steps_are_the_formula():
    random = np.random.default_rng(0)
    model = nn.Linear(3, 2)
    weight, bias = (p.detach().double().numpy().copy() for p in model.parameters())
    optimizer = make_optimizer(model, Optimisation(optimizer="lars"))
    momenta = np.zeros_like(weight), np.zeros_like(bias)
    for lr, weight_decay in ((0.3, 1e-2), (0.2, 2e-2), (0.1, 0.5)):
        gradients = random.normal(size=weight.shape), random.normal(size=bias.shape)
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = torch.tensor(gradient, dtype=torch.float32)
        set_rates(optimizer, lr, weight_decay)
        optimizer.step()
        weight, first = lars_step(weight, gradients[0], momenta[0], lr, weight_decay)
        second = 0.9 * momenta[1] + gradients[1]  # a bias is neither decayed nor scaled
        bias, momenta = bias - lr * second, (first, second)
    np.testing.assert_allclose(model.weight.detach().numpy(), weight, rtol=1e-5)
    np.testing.assert_allclose(model.bias.detach().numpy(), bias, rtol=1e-5)


def test_weights_of_zero_take_the_unscaled_step():
    parameter = nn.Parameter(torch.zeros(2, 2))
    optimizer = make_optimizer(nn.ParameterList([parameter]), Optimisation(optimizer="lars"))
    parameter.grad = torch.full((2, 2), 0.5)
    set_rates(optimizer, 0.1, 0.4)
    optimizer.step()
    torch.testing.assert_close(parameter.detach(), torch.full((2, 2), -0.05))


def test_parameters_without_gradient_stay():
    model = nn.Linear(2, 2)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = make_optimizer(model, Optimisation(optimizer="lars"))
    set_rates(optimizer, 1.0, 0.4)
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
