import pytest
import torch

from lowlabel.features import load_backbone

PIXELS = torch.randint(256, (3, 32, 32, 3), generator=torch.Generator().manual_seed(0)).to(
    torch.uint8
)
MODELS = (
    "pixels",
    "random:resnet18",
    "random:vit_tiny_patch16_224,img_size=32,depth=2",
    "random:vit_tiny_patch16_224,img_size=32,depth=2,reg_tokens=4",
    "random:deit_tiny_distilled_patch16_224,img_size=32,depth=2",
)


@pytest.mark.parametrize("model", MODELS)
def test_a_forward_pass(gpu, model):
    found = [
        load_backbone(model, device=device, resolution=32).embed(PIXELS) for device in ("cpu", gpu)
    ]
    torch.testing.assert_close(found[1].cpu(), found[0].cpu(), rtol=1e-3, atol=1e-4)
