from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from lowlabel.datasets import ImageSet, open_dataset
from lowlabel.features import Backbone, load_backbone
from lowlabel.features import extract as extract_module
from lowlabel.features.transforms import ImageTransform


@pytest.fixture
def images(image_folder: Path) -> ImageSet:
    return open_dataset(f"folder:{image_folder}").load("novel")


@pytest.fixture
def backbone() -> Backbone:
    return load_backbone("pixels", resolution=4)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract_module, "CHUNK_ROWS", 4)


@pytest.fixture
def count_reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[ImageSet], list[str]]:
    """Notes the path of every image that is decoded from now on."""

    def count(images: ImageSet) -> list[str]:
        paths, read = [], ImageTransform.read

        def noting(self, path, box=None):
            paths.append(path.relative_to(images.root).as_posix())
            return read(self, path, box)

        monkeypatch.setattr(ImageTransform, "read", noting)
        return paths

    return count


@pytest.fixture
def tiny_vit() -> Callable[..., nn.Module]:
    """Builds a ViT with seeded weights."""

    def build(**options: object) -> nn.Module:
        torch.manual_seed(1)
        arguments = {"img_size": 32, "patch_size": 8, "depth": 2, "num_classes": 0} | options
        return timm.create_model("vit_tiny_patch16_224", **arguments).eval()

    return build
