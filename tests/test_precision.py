import torch

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
