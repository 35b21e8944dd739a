"""The simulated GPU finds what a GPU would refuse, and computes what a CPU does."""

import pytest
import torch
from simulated_gpu import WrongDeviceError, simulated_gpu


@pytest.fixture
def gpu():
    """The simulated one, also where there is another."""
    with simulated_gpu() as device:
        yield str(device)


@pytest.mark.parametrize(
    "operation",
    [
        lambda x, y: x + y,
        lambda x, y: y @ x,
        lambda x, y: torch.cat([x, y]),
        lambda x, y: x.add_(y),
        lambda x, y: torch.where(x > 0, x, y),
        lambda x, y: x.index_select(0, y[0].long()),
        lambda x, y: y[x.long()],
        lambda x, y: torch.nn.functional.linear(x, y),
        lambda x, y: torch.empty_like(y).addmm_(x, y),
    ],
)
@pytest.mark.parametrize("inference", [False, True])
def test_tensors_of_two_devices(gpu, operation, inference):
    x, y = torch.zeros(3, 3, device=gpu), torch.zeros(3, 3)
    with torch.inference_mode(inference), pytest.raises(WrongDeviceError):
        operation(x, y)


def test_what_a_gpu_allows(gpu):
    x, rows = torch.arange(6.0, device=gpu).view(2, 3), torch.tensor([1, 0])
    assert (x + torch.tensor(1.0)).device == x.device
    assert x[rows].tolist() == [[3, 4, 5], [0, 1, 2]]
    x[:, 1] = torch.ones(2)
    assert x.cpu().tolist() == [[0, 1, 2], [3, 1, 5]]
    assert x.to("cpu", torch.float64).device.type == "cpu"
    assert torch.tensor([1, 2], device=gpu).device.type == "cuda"


def test_gradients(gpu):
    layer = torch.nn.Linear(3, 2).to(gpu)
    layer(torch.ones(4, 3, device=gpu)).sum().backward()
    assert layer.weight.grad.device.type == "cuda"
    assert layer.weight.grad.tolist() == [[4.0] * 3] * 2


def test_there_is_no_gpu_afterwards():
    before = torch.cuda.is_available()
    with simulated_gpu():
        assert torch.cuda.is_available()
    assert torch.cuda.is_available() == before
    assert type(torch.zeros(2)) is torch.Tensor
