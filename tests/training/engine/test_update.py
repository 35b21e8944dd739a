import numpy as np
import pytest
import torch
from torch import nn

from lowlabel.training.engine.optimisation import Optimisation
from lowlabel.training.engine.update import clip_each, make_optimizer, move_teacher, set_rates


def test_each_tensor_is_clipped_by_its_own_norm():
    gradients = [np.array([3.0, 4.0]), np.array([[0.3], [0.4]]), np.full(100, 1.0)]
    parameters = [nn.Parameter(torch.zeros(g.shape)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(gradient, dtype=torch.float32)
    largest = clip_each([*parameters, nn.Parameter(torch.zeros(1))], 3.0)
    assert largest.item() == pytest.approx(10.0)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        factor = min(1.0, 3.0 / (np.linalg.norm(gradient) + 1e-6))
        np.testing.assert_allclose(parameter.grad.numpy(), gradient * factor, rtol=1e-6)


def test_zero_disables_clipping_and_nan_is_returned():
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([30.0, 40.0])
    assert clip_each([parameter], 0.0).item() == pytest.approx(50)
    assert parameter.grad.tolist() == [30.0, 40.0]
    parameter.grad[0] = torch.nan
    assert clip_each([parameter], 3.0).isnan()


def test_teacher_moves_its_parameters_and_not_its_buffers():
    student, teacher = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    with torch.no_grad():
        student.weight.copy_(torch.tensor([2.0, 3.0, 5.0]))
        student.running_mean.fill_(7)
    move_teacher(teacher, student, 0.996)
    expected = 0.996 * 1 + 0.004 * np.array([2.0, 3.0, 5.0])
    np.testing.assert_allclose(teacher.weight.detach().numpy(), expected, rtol=1e-6)
    assert teacher.running_mean.tolist() == [0, 0, 0]


def test_biases_and_vectors_have_no_weight_decay():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    optimizer = make_optimizer(model, Optimisation())
    set_rates(optimizer, 0.01, 0.4)
    decayed, exempt = optimizer.param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(4, 3)]
    assert len(exempt["params"]) == 3
    assert (decayed["weight_decay"], exempt["weight_decay"]) == (0.4, 0.0)
    assert {group["lr"] for group in optimizer.param_groups} == {0.01}


def test_adamw_step_is_the_formula():
    model = nn.Linear(2, 1, bias=False)
    before = model.weight.detach().double().clone()
    gradient = torch.tensor([[0.5, -2.0]])
    model.weight.grad = gradient.clone()
    optimizer = make_optimizer(model, Optimisation())
    set_rates(optimizer, 0.01, 0.1)
    optimizer.step()
    expected = before * (1 - 0.01 * 0.1) - 0.01 * gradient.double().sign()
    torch.testing.assert_close(model.weight.detach().double(), expected, rtol=1e-5, atol=1e-7)
