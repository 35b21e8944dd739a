"""Checkpoints in the layout of the released metric-learning code."""

import argparse
import sys
import types

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.nn.functional import normalize

from lowlabel.errors import DataError, InputError
from lowlabel.features import check_weights, load_backbone

SMALL = "vit_small_patch16_224"


class Network(nn.Module):
    """As the authors build theirs: the blocks of a ResNet are registered twice."""

    def __init__(self, model, width, dimension):
        super().__init__()
        self.model = model
        self.model.last_linear = nn.Linear(width, dimension)
        if hasattr(model, "layer1"):
            self.layer_blocks = nn.ModuleList([getattr(model, f"layer{n}") for n in (1, 2, 3, 4)])


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    model = timm.create_model("resnet50", num_classes=0).eval()
    return Network(model, 2048, 128).eval()


@pytest.fixture(scope="module")
def vit():
    torch.manual_seed(0)
    return Network(timm.create_model(SMALL, num_classes=0, depth=2).eval(), 384, 128).eval()


def options(arch, **changes):
    values = {"arch": arch, "embed_dim": 128, "loss": "margin", "dataset": "cub200"}
    more = {"batch_mining": "distance", "not_pretrained": False, "device": torch.device("cpu")}
    return argparse.Namespace(**values | more | changes)


def saved(path, network, opt, progress=None):
    content = {"state_dict": network.state_dict(), "opt": opt, "progress": progress, "aux": None}
    torch.save(content, path)
    return path


def pixels():
    torch.manual_seed(1)
    return torch.randint(256, (2, 224, 224, 3), dtype=torch.uint8)


@torch.inference_mode()
def reference(network, backbone, normalised):
    features = network.model(backbone.network_input(pixels()))
    embedding = network.model.last_linear(features)
    return features, normalize(embedding) if normalised else embedding


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["resnet50_frozen_normalize", "resnet50_frozen"])
def test_a_resnet_gives_the_embedding_of_its_last_layer(tmp_path, resnet, arch):
    path = saved(tmp_path / "checkpoint_Test_e_recall@1.pth.tar", resnet, options(arch))
    check_weights(str(path))
    found = load_backbone(str(path), device="cpu")
    features, embedding = reference(resnet, found, "normalize" in arch)
    torch.testing.assert_close(found.embed(pixels()), embedding, rtol=1e-3, atol=1e-4)
    assert (found.transform.resize, found.transform.interpolation) == (256, "bilinear")
    assert (found.pretrained_on, found.tuning["dataset"]) == ("imagenet-1k", "cub:dml-zeroshot")
    assert found.tuning["base_model"] == "timm:resnet50.tv_in1k"
    with pytest.warns(UserWarning, match="left out 2 tensors of heads"):
        plain = load_backbone(f"{path}:head=none", device="cpu")
    torch.testing.assert_close(plain.embed(pixels()), features, rtol=1e-3, atol=1e-4)
    assert plain.tuning["output"] == "backbone"


def test_a_vit_gives_the_embedding_of_its_last_layer(tmp_path, vit):
    path = saved(tmp_path / "checkpoint.pth.tar", vit, options("dino_normalize"))
    found = load_backbone(str(path), device="cpu")
    features, embedding = reference(vit, found, normalised=True)
    torch.testing.assert_close(found.embed(pixels()), embedding, rtol=1e-3, atol=1e-4)
    assert found.tuning["base_model"] == "timm:vit_small_patch16_224.dino"
    with pytest.warns(UserWarning, match="left out"):
        plain = load_backbone(f"{path}:head=none", device="cpu")
    torch.testing.assert_close(plain.embed(pixels()), features, rtol=1e-3, atol=1e-4)


def test_options_may_stand_beside_the_file(tmp_path, vit):
    path = tmp_path / "best.pth"
    weights = {f"module.{name}": tensor for name, tensor in vit.state_dict().items()}
    torch.save({"model": weights, "optimizer": {}, "epoch": 3}, path)
    text = (
        "arch\n\tvits_normalize\n\nembed_dim\n\t128\n\nloss\n\tproxynca\n\ndataset\n\tcars196\n\n"
    )
    (tmp_path / "Parameter_Info.txt").write_text(text)
    found = load_backbone(str(path), device="cpu")
    _, embedding = reference(vit, found, normalised=True)
    torch.testing.assert_close(found.embed(pixels()), embedding, rtol=1e-3, atol=1e-4)
    assert (found.tuning["loss"], found.tuning["dataset"]) == ("proxynca", "cars:dml-zeroshot")


def test_without_options_the_last_layer_is_an_embedding_only_if_asked_for(tmp_path, vit):
    path = tmp_path / "plain.pth"
    torch.save(vit.state_dict(), path)
    with pytest.warns(UserWarning, match="last_linear"):
        assert load_backbone(str(path), device="cpu").embed(pixels()).shape == (2, 384)
    found = load_backbone(f"{path}:head=embedding", device="cpu")
    _, embedding = reference(vit, found, normalised=False)
    torch.testing.assert_close(found.embed(pixels()), embedding, rtol=1e-3, atol=1e-4)


def test_the_log_in_a_file_is_read_without_its_code(tmp_path, vit, monkeypatch):
    """`progress` holds objects of a class of the authors, with NumPy's numbers."""
    package, module = types.ModuleType("utilities"), types.ModuleType("utilities.logger")
    module.Progress_Saver = type("Progress_Saver", (), {"__module__": "utilities.logger"})
    log = module.Progress_Saver()
    log.groups = {"Test": {"content": [np.float64(0.7), np.float32(0.5)], "saved_idx": 0}}
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "utilities", package)
        patch.setitem(sys.modules, "utilities.logger", module)
        path = saved(tmp_path / "c.pth.tar", vit, options("vits"), {"Test": log})
    assert load_backbone(str(path), device="cpu").embed(pixels()).shape == (2, 128)


def test_files_that_hold_other_code_are_refused(tmp_path, vit):
    path = saved(tmp_path / "c.pth", vit, options("vits"), types.SimpleNamespace(a=1))
    with pytest.raises(DataError, match=r"more than tensors and plain data: types.SimpleNamespace"):
        load_backbone(str(path), device="cpu")


def test_a_head_of_another_size_than_the_options_is_refused(tmp_path, vit):
    path = saved(tmp_path / "c.pth", vit, options("vits", embed_dim=64))
    with pytest.raises(DataError, match=r"another embedding head.*embed_dim=64.*gives 128 of 384"):
        load_backbone(str(path), device="cpu")


def test_blocks_that_differ_from_their_twins_are_left_over(tmp_path, resnet):
    weights = resnet.state_dict()
    weights["layer_blocks.0.0.conv1.weight"] = weights["layer_blocks.0.0.conv1.weight"] + 1
    path = tmp_path / "c.pth"
    torch.save({"state_dict": weights, "opt": options("resnet50_frozen")}, path)
    with pytest.raises(DataError, match=r"left over in the file, and no head: 1"):
        load_backbone(str(path), device="cpu")


def test_other_networks_must_be_named(tmp_path):
    network = Network(timm.create_model("resnet18", num_classes=0), 512, 128)
    path = saved(tmp_path / "c.pth", network, options("googlenet"))
    with pytest.raises(InputError, match="cannot infer the architecture"):
        load_backbone(str(path), device="cpu")
