"""Features of OpenVINO against torch's, family by family, and the choice between them."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.datasets import open_dataset
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features import (
    BackboneOptions,
    ExtractionOptions,
    extract_features,
    load_backbone,
)
from lowlabel.features.engines import choose, with_engine

FAMILIES = {
    "vit_tiny_patch16_224,img_size=64": None,
    "vit_small_patch14_reg4_dinov2.lvd142m,img_size=56,depth=2": "cls+mean",
    "deit_tiny_distilled_patch16_224,img_size=64,depth=2": None,
    "mobilenetv2_050": None,
    "vit_tiny_patch16_224,img_size=48,depth=4": "cls@4",
}

needs_openvino = pytest.mark.skipif(
    choose.find_spec("openvino") is None, reason="needs pip install 'lowlabel[cpu]'"
)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Twelve images of two classes."""
    random = np.random.default_rng(0)
    for number in range(12):
        folder = tmp_path / "images" / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (60, 70, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "images"


@pytest.mark.slow
@needs_openvino
@pytest.mark.parametrize(("family", "pooling"), FAMILIES.items())
def test_features_are_those_of_torch(family: str, pooling: str | None):
    backbone = load_backbone(f"random:{family}", pooling=pooling, device="cpu")
    faster = with_engine(backbone, "openvino", 1)
    assert faster.engine.startswith("OpenVINO 20")
    side = backbone.transform.side
    for count in (1, 5):
        pixels = torch.randint(256, (count, side, side, 3), dtype=torch.uint8)
        wanted, found = backbone.embed(pixels), faster.embed(pixels)
        assert found.dtype == torch.float32
        assert ((found - wanted).norm(dim=1) <= 1e-4 * wanted.norm(dim=1)).all()


@needs_openvino
def test_whole_images_of_one_size_and_random_views_need_no_torch():
    spec = "random:vit_tiny_patch16_224,img_size=48,depth=2"
    cropped = load_backbone(spec, device="cpu")
    squared = load_backbone(spec, device="cpu", framing="square", resolution=48)
    pixels = torch.randint(256, (3, 48, 48, 3), dtype=torch.uint8)
    for backbone in (squared, cropped.view(1, 0)):
        faster = with_engine(backbone, "openvino", 1)
        assert faster.engine
        wanted, found = cropped.embed(pixels), faster.embed(pixels)
        assert ((found - wanted).norm(dim=1) <= 1e-4 * wanted.norm(dim=1)).all()


@needs_openvino
def test_bfloat16_stays_near_float32():
    """OpenVINO keeps more than torch's bfloat16, and leaves the encoder as it is."""
    name = "random:vit_tiny_patch16_224,img_size=48,depth=2"
    backbone = load_backbone(name, device="cpu", dtype="bfloat16")
    faster = with_engine(backbone, "openvino", 1)
    assert next(backbone.encoder.parameters()).dtype == torch.bfloat16
    pixels = torch.randint(256, (4, 48, 48, 3), dtype=torch.uint8)
    exact = load_backbone(name, device="cpu").embed(pixels)
    assert (torch.cosine_similarity(faster.embed(pixels), exact) > 0.999).all()


@needs_openvino
def test_an_extraction_says_its_engine(photographs, tmp_path, monkeypatch, capsys):
    images = open_dataset(f"folder:{photographs}").load("all")
    backbone = load_backbone("random:vit_tiny_patch16_224,img_size=48,depth=1", device="cpu")
    tables = {}
    for engine in ("torch", "openvino"):
        monkeypatch.setenv("LOWLABEL_HOME", str(tmp_path / engine))
        tables[engine] = extract_features(backbone, images, ExtractionOptions(engine=engine))
    assert tables["torch"].engine == ""
    assert tables["openvino"].engine.startswith("OpenVINO 20")
    assert "runs in OpenVINO" in capsys.readouterr().err
    assert tables["torch"].key == tables["openvino"].key
    assert np.allclose(tables["torch"].features, tables["openvino"].features, atol=1e-4)


@needs_openvino
def test_a_backbone_is_converted_once_for_all_parts(capsys):
    spec = "random:vit_tiny_patch16_224,img_size=48,depth=1"
    backbone = BackboneOptions(device="cpu").load(spec, label="small")
    first = with_engine(backbone, "openvino", 1)
    assert with_engine(backbone, "auto", 10_000).forward is first.forward
    assert capsys.readouterr().err.count("small runs in OpenVINO") == 1
    mean = dataclasses.replace(backbone, pooling="mean")
    assert with_engine(mean, "openvino", 1).forward is not first.forward


@pytest.mark.slow
@needs_openvino
def test_a_network_that_does_not_convert_runs_in_torch(monkeypatch, capsys):
    backbone = load_backbone("random:vit_tiny_patch16_224,img_size=48,depth=1", device="cpu")
    monkeypatch.setattr(
        "lowlabel.features.engines.openvino._AGREEMENT", {"float32": -1.0}, raising=True
    )
    assert with_engine(backbone, "auto", 10_000) is backbone
    assert "runs in torch: OpenVINO's features differ" in capsys.readouterr().err
    with pytest.raises(InputError, match="OpenVINO's features differ"):
        with_engine(backbone, "openvino", 1)


@pytest.mark.slow
@needs_openvino
def test_no_connection_is_opened():
    """Neither the import nor a conversion may call home."""
    code = (
        "import socket\n"
        "def refuse(*_, **__): raise SystemExit('a socket was opened')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refuse\n"
        "socket.getaddrinfo = refuse\n"
        "from lowlabel.features import load_backbone\n"
        "from lowlabel.features.engines import with_engine\n"
        "name = 'random:vit_tiny_patch16_224,img_size=32,depth=1'\n"
        "with_engine(load_backbone(name, device='cpu'), 'openvino', 1)\n"
        "import sys, time; time.sleep(0.5)\n"
        "assert not sys.modules['openvino_telemetry']\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@needs_openvino
@pytest.mark.usefixtures("default_signals")
def test_an_interrupt_after_two_models_does_not_crash():
    """In a process of its own: a signal that finds no stack ends it."""
    code = """
import signal
from lowlabel.features import load_backbone
from lowlabel.features.engines import with_engine
name = "random:vit_tiny_patch16_224,img_size=32,embed_dim=24,num_heads=2,depth="
faster = [with_engine(load_backbone(name + str(n), device="cpu"), "openvino", 64) for n in (1, 2)]
del faster[0]
del faster[0]
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    command = [sys.executable, "-X", "faulthandler", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "interrupted\n"


def test_few_images_are_not_worth_a_conversion():
    backbone = load_backbone("random:vit_tiny_patch16_224,img_size=32,depth=1", device="cpu")
    assert with_engine(backbone, "auto", 12) is backbone
    assert with_engine(backbone, "torch", 10_000) is backbone
    assert with_engine(load_backbone("pixels", device="cpu"), "auto", 10_000).engine == ""


def test_what_openvino_cannot_do_is_said(monkeypatch):
    spec = "random:vit_tiny_patch16_224,img_size=32,depth=1,dynamic_img_size=True"
    for framing in (
        {"framing": "longest", "resolution": 32},
        {"framing": "square", "resolution": 40},  # is cropped to whole patches
        {"framing": "square", "resolution": 32, "scales": (1.0, 0.5)},
    ):
        backbone = load_backbone(spec, device="cpu", **framing)
        with pytest.raises(InputError, match="images of many"):
            with_engine(backbone, "openvino", 1)
    backbone = load_backbone("random:vit_tiny_patch16_224,img_size=32,depth=1", device="cpu")
    monkeypatch.setattr(choose, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed"):
        with_engine(backbone, "openvino", 1)
    assert with_engine(backbone, "auto", 10_000) is backbone
    with pytest.raises(UnknownNameError, match="openvino"):
        ExtractionOptions(engine="openvin")
