import math

import numpy as np
import pytest
import torch
from torch import nn

from lowlabel.errors import InputError
from lowlabel.training.methods.dino import DINO, DINOOptions


class Average(nn.Module):
    """A backbone that sees the mean of each channel alone."""

    num_features = 3

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.mean(dim=(2, 3)))


@pytest.fixture
def method():
    torch.manual_seed(0)
    options = DINOOptions(prototypes=10, hidden=8, bottleneck=4)
    return DINO.build(options, lambda _: Average()).train()


def test_loss_and_centre_are_the_formulae(method):
    with torch.no_grad():
        for parameter in method.teacher.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    method.centre.value.normal_(std=0.1)
    views = [torch.randn(4, 3, side, side) for side in (8, 8, 4, 4, 4)]
    centre = method.centre.value.double().numpy().copy()
    student, teacher = (
        [net.head(net.backbone(v)).detach().double().numpy() for v in views]
        for net in (method.student, method.teacher)
    )
    terms = []
    for i in range(2):
        z = (teacher[i] - centre) / 0.05
        q = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        for v in range(5):
            if v != i:
                s = student[v] / 0.1
                log_p = s - np.log(np.exp(s).sum(1, keepdims=True))
                terms.append(-(q * log_p).sum(1).mean())
    loss, logs = method.loss(views, torch.zeros(4, 5, 8, dtype=torch.int64), 0.05)
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-4)
    moved = 0.9 * centre + 0.1 * np.concatenate(teacher[:2]).mean(0)
    np.testing.assert_allclose(method.centre.value.numpy(), moved, rtol=1e-4, atol=1e-6)
    assert 0 <= float(logs["teacher_entropy"]) <= math.log(10)
    assert method.uniform_loss == method.largest_entropy == math.log(10)


def test_only_the_student_has_gradients(method):
    loss, _ = method.loss([torch.randn(4, 3, 8, 8)] * 2, torch.zeros(0), 0.04)
    loss.backward()
    assert all(p.grad is None for p in method.teacher.parameters())
    trained = [p for p in method.student.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)


def test_teacher_starts_as_a_copy_of_the_student(method):
    for a, b in zip(method.student.parameters(), method.teacher.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "wrong", [{"prototypes": 0}, {"student_temperature": 0.0}, {"centre_momentum": 2.0}]
)
def test_options_refuse_bad_values(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        DINOOptions(**wrong)
