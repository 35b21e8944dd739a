import torch
from torch import nn

from lowlabel.precision import full_precision


def error_of_products():
    x = torch.randn(256, 256, generator=torch.manual_seed(0))
    return float((x @ x.T - (x.double() @ x.double().T)).abs().max())


def test_products_are_of_full_precision_inside_only():
    whole = error_of_products()
    torch.set_float32_matmul_precision("medium")
    try:
        reduced = error_of_products()
        with full_precision():
            assert error_of_products() == whole
        assert error_of_products() == reduced
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def error_of_convolutions(device):
    random = torch.manual_seed(0)
    images = torch.randn(8, 64, 16, 16, generator=random).to(device)
    kernels = torch.randn(64, 64, 3, 3, generator=random).to(device)
    exact = nn.functional.conv2d(images.double(), kernels.double())
    return float((nn.functional.conv2d(images, kernels) - exact).abs().max())


def rounds_convolutions():
    if hasattr(torch.backends.cudnn, "conv"):
        return torch.backends.cudnn.conv.fp32_precision != "ieee"
    return torch.backends.cudnn.allow_tf32  # torch < 2.9


def test_convolutions_are_of_full_precision_inside_only(gpu):
    """TF32 keeps 10 bits of the 576 factors of each sum, which is off by more than 0.01."""
    assert rounds_convolutions()
    with full_precision():
        assert not rounds_convolutions()
        assert error_of_convolutions(gpu) < 1e-3
    assert rounds_convolutions()
