"""Initial weights are those of the methods' authors, tensor by tensor."""

import math

import pytest
import torch
import torchvision
from scipy import stats
from torch import nn

from lowlabel.errors import InputError
from lowlabel.features.models.positions import resample_as_dino
from lowlabel.training.backbones import backbone_maker, resolve_architecture
from lowlabel.training.methods import PRETRAIN_METHODS

SMALLEST_P = 1e-6  # of a hundred tensors, one goes below in 10,000 runs


def constant(value: float):
    return lambda tensor: bool((tensor == value).all())


def normal(std: float):
    return lambda tensor: stats.kstest(_sample(tensor), "norm", (0, std)).pvalue > SMALLEST_P


def uniform(fan_in: int):
    """torch's default of linear and convolutional layers: ± 1 / √fan-in."""
    bound = 1 / math.sqrt(fan_in)
    return lambda tensor: (
        float(tensor.abs().max()) <= bound + 1e-7
        and stats.kstest(_sample(tensor), "uniform", (-bound, 2 * bound)).pvalue > SMALLEST_P
    )


def _sample(tensor: torch.Tensor):
    return tensor.detach().flatten()[:20_000].double().numpy()


def backbone(arch: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return backbone_maker(resolve_architecture(arch, 32), 0.1)(True)


@pytest.mark.parametrize("arch", ["vit_tiny,patch_size=8,depth=2", "vit_small,depth=1"])
def test_a_vit_starts_as_dinos(arch):
    """Linear layers, class token and positions at 0.02; torch's default in the patch embedding."""
    vit = backbone(arch)
    patch = vit.patch_embed.proj
    wrong = []
    for name, tensor in vit.state_dict().items():
        if name.startswith("patch_embed"):
            expected = uniform(patch.weight[0].numel())
        elif "norm" in name:
            expected = constant(float(name.endswith("weight")))
        elif name.endswith("bias"):
            expected = constant(0)
        else:
            expected = normal(0.02)
        wrong += [] if expected(tensor) else [name]
    assert not wrong


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_a_resnet_starts_as_torchvisions(arch):
    torch.manual_seed(1)
    theirs = getattr(torchvision.models, arch)().state_dict()
    ours = backbone(arch).state_dict()
    assert ours.keys() == {name for name in theirs if not name.startswith("fc.")}
    for name, tensor in ours.items():
        if tensor.ndim < 2:
            assert torch.equal(tensor, theirs[name]), name
        else:
            p = stats.ks_2samp(_sample(tensor), _sample(theirs[name])).pvalue
            assert p > SMALLEST_P, name


@pytest.mark.parametrize(
    ("method", "arch"),
    [("dino", "vit_tiny,depth=1"), ("pw-self", "vit_tiny,depth=1"), ("scfs", "resnet18")],
)
def test_heads_start_as_the_authors(method, arch):
    """DINO's head at 0.02 with prototypes of length 1; torch's defaults in SCFS's heads."""
    cls = PRETRAIN_METHODS[method]
    options = cls.options_type(prototypes=256, hidden=64, bottleneck=32)
    make = backbone_maker(resolve_architecture(arch, 224), 0.1)
    torch.manual_seed(0)
    built = cls.build(options, make)
    student = built.student.state_dict()
    layers = dict(built.student.named_modules())
    wrong = []
    for name, tensor in student.items():
        owner, _, kind = name.rpartition(".")
        layer = layers.get(owner)
        if "parametrizations" in name:
            expected = constant(1) if name.endswith("0") else uniform(options.bottleneck)
        elif name.startswith("head.mlp"):
            expected = normal(0.02) if kind == "weight" else constant(0)
        elif name.startswith("shallow_heads") and isinstance(layer, nn.Linear | nn.Conv2d):
            expected = uniform(layer.weight[0].numel())
        elif name.startswith("shallow_heads"):
            expected = constant(float(kind in ("weight", "running_var")))
        else:
            continue
        wrong += [] if expected(tensor) else [name]
    assert not wrong
    assert all(torch.equal(tensor, student[n]) for n, tensor in built.teacher.state_dict().items())
    assert all(not buffer.any() for name, buffer in built.named_buffers() if "centre" in name)


def test_local_views_resample_positions_by_dinos_rule():
    vit = backbone("vit_tiny,patch_size=8,depth=1").eval()
    small = backbone("vit_tiny,patch_size=8,depth=1,img_size=16,pos_embed=timm").eval()
    state = vit.state_dict()
    state["pos_embed"] = resample_as_dino(state["pos_embed"], 1, (4, 4), (2, 2))
    small.load_state_dict(state)
    views = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(vit(views), small(views), atol=1e-6, rtol=1e-5)
    timms = backbone("vit_tiny,patch_size=8,depth=1,pos_embed=timm").eval()
    assert (timms(views) - vit(views)).abs().max() > 1e-3
    vit(views).sum().backward()
    assert vit.pos_embed.grad.abs().sum() > 0


def test_a_network_without_positions_takes_no_rule():
    with pytest.raises(InputError, match="not for a network of timm's class ResNet"):
        backbone("resnet18,pos_embed=dino")


def test_an_xcit_takes_views_of_both_sizes():
    xcit = backbone("timm:xcit_nano_12_p16_224,depth=2")
    assert [xcit(torch.randn(2, 3, side, side)).shape for side in (32, 16)] == [(2, 128)] * 2


def test_a_network_for_one_size_is_refused():
    with pytest.raises(InputError, match="takes images of one size only"):
        backbone("timm:gmlp_ti16_224")
