import copy

import torch
from torch.nn import functional

from lowlabel.training.methods.dino_model import DINOHead


def test_prototypes_have_length_one_and_the_head_can_be_copied():
    head = copy.deepcopy(DINOHead(8, prototypes=12, hidden=6, bottleneck=4))
    lengths = head.last_layer.weight.norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(12))
    assert not head.last_layer.parametrizations.weight.original0.requires_grad
    free = DINOHead(8, prototypes=12, hidden=6, bottleneck=4, norm_last_layer=False)
    assert free.last_layer.parametrizations.weight.original0.requires_grad
    logits = head(torch.randn(5, 8))
    assert logits.shape == (5, 12)
    assert logits.abs().max() <= 1 + 1e-5


def test_batch_norm_in_the_head_is_the_formula():
    torch.manual_seed(0)
    head = DINOHead(8, prototypes=12, hidden=6, bottleneck=4, use_bn=True).double()
    features = torch.randn(3, 5, 8, dtype=torch.float64)  # tokens of three images
    hidden = features.flatten(0, 1)
    for linear in (head.mlp[0], head.mlp[3]):
        hidden = hidden @ linear.weight.T + linear.bias
        centred = hidden - hidden.mean(0)
        hidden = functional.gelu(centred / (centred.square().mean(0) + 1e-5).sqrt())
    out = hidden @ head.mlp[6].weight.T + head.mlp[6].bias
    expected = (out / out.norm(dim=1, keepdim=True)) @ head.last_layer.weight.T
    torch.testing.assert_close(head(features), expected.view(3, 5, 12))


def test_heads_without_batch_norm_have_none():
    names = [type(layer).__name__ for layer in DINOHead(8, 12, 6, 4).mlp]
    assert names == ["Linear", "GELU", "Linear", "GELU", "Linear"]
