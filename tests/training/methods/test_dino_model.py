import copy

import torch

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
