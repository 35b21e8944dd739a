import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lowlabel.datasets.demo.classes import demo_classes
from lowlabel.datasets.demo.render import demo_image
from lowlabel.features import load_backbone
from lowlabel.features.models.checkpoints.card import CARD_KEY
from lowlabel.features.models.shipped import SHIPPED_MODELS


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_weights_are_small_and_carry_their_card_and_log(name):
    path = SHIPPED_MODELS[name].path(name)
    assert path.stat().st_size <= 4 * 2**20
    card = json.loads(path.with_suffix(".json").read_text())
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()[CARD_KEY]) == card
    lines = path.with_suffix(".jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["epoch"] == card["epochs"] == card["recipe"]["epochs"]
    assert last["step"] * card["recipe"]["batch_size"] == card["images_seen"]


def test_an_export_gets_images_of_its_training_size(tmp_path):
    channels = "resnet10t,channels=(4,6,8,10),stem_width=4"
    network = load_backbone(f"random:{channels}", device="cpu").encoder.module
    recipe = {"options": {"views": {"global_size": 40}}}
    card = json.dumps({"architecture": channels, "recipe": recipe})
    path = tmp_path / "backbone.safetensors"
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(weights, path, {CARD_KEY: card})
    assert load_backbone(str(path), device="cpu").transform.crop == 40
    assert load_backbone(str(path), resolution=32, device="cpu").transform.crop == 32
    assert load_backbone(f"{path}:{channels}", device="cpu").transform.crop == 176


def recall(features: np.ndarray, labels: np.ndarray) -> float:
    features = features - features.mean(axis=0)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2.0)
    return float((labels[similarity.argmax(axis=1)] == labels).mean())


def test_demo_vit_finds_more_of_novel_classes_than_pixels():
    kinds = [kind for kind in demo_classes() if kind.part == "novel"]
    images = np.stack([demo_image(kind, number) for kind in kinds for number in range(12)])
    labels = np.repeat(np.arange(len(kinds)), 12)
    backbone = load_backbone("demo_vit", device="cpu")
    assert (backbone.transform.resize, backbone.transform.crop) == (64, 64)
    features = backbone.embed(torch.from_numpy(images)).numpy()
    assert features.shape == (240, 256)
    assert recall(features, labels) > 1.2 * recall(images.reshape(240, -1) / 255.0, labels)
