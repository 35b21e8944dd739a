import numpy as np
import pytest
import torch

from lowlabel.training.methods.losses import Centre, distillation_loss


def by_definition(student, targets, temperature):
    """The mean over the pairs of different views and the batch, by float64 loops."""
    total, pairs = 0.0, 0
    for i, target in enumerate(targets):
        for v, logits in enumerate(student):
            if v == i:
                continue
            z = logits / temperature
            log_p = z - np.log(np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True))
            log_p -= z.max(1, keepdims=True)
            total += -(target * log_p).sum(1).mean()
            pairs += 1
    return total / pairs


@pytest.mark.parametrize("views", [2, 3, 10])
def test_loss_is_the_mean_over_pairs(views):
    random = np.random.default_rng(views)
    student = random.normal(size=(views, 5, 7))
    targets = random.dirichlet(np.ones(7), size=(2, 5))
    loss = distillation_loss(
        torch.tensor(student, dtype=torch.float32), torch.tensor(targets, dtype=torch.float32), 0.1
    )
    assert loss.item() == pytest.approx(by_definition(student, targets, 0.1), rel=1e-5)


def test_gradient_equals_that_of_cross_entropy():
    torch.manual_seed(0)
    student = torch.randn(4, 3, 6, requires_grad=True)
    targets = torch.randn(2, 3, 6).softmax(-1)
    pairs = [
        -(targets[i] * (student[v] / 0.1).log_softmax(-1)).sum(-1).mean()
        for i in range(2)
        for v in range(4)
        if v != i
    ]
    (expected,) = torch.autograd.grad(torch.stack(pairs).mean(), student)
    (got,) = torch.autograd.grad(distillation_loss(student, targets, 0.1), student)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)


def test_autocast_does_not_round_the_loss():
    logits, targets = torch.randn(6, 8, 512), torch.randn(2, 8, 512).softmax(-1)
    exact = distillation_loss(logits, targets, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(distillation_loss(logits, targets, 0.1), exact)


def test_uniform_outputs_have_a_loss_of_ln_k():
    targets = torch.full((2, 3, 4096), 1 / 4096)
    loss = distillation_loss(torch.zeros(5, 3, 4096), targets, 0.1)
    assert loss.item() == pytest.approx(8.3178, abs=1e-4)


def test_centre_is_a_running_mean_and_shifts_the_softmax():
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 6, 4)).astype(np.float32)
    centre, value = Centre((1, 4), momentum=0.9), np.zeros(4)
    for batch in logits:
        z = (batch.astype(np.float64) - value) / 0.04
        expected = np.exp(z - z.max(1, keepdims=True))
        expected /= expected.sum(1, keepdims=True)
        got = centre(torch.from_numpy(batch), 0.04)
        np.testing.assert_allclose(got.numpy(), expected, rtol=1e-3, atol=1e-6)
        centre.update(torch.from_numpy(batch))
        value = 0.9 * value + 0.1 * batch.mean(0)
    np.testing.assert_allclose(centre.value.numpy()[0], value, rtol=1e-5)
