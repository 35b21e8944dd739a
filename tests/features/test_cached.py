"""Plans count the stored rows of exactly the model and the images of the run."""

import dataclasses

import pytest
import torch

from lowlabel.features import cached_rows, extract_features, load_backbone

TINY = "vit_tiny_patch16_224,img_size=32,patch_size=16,depth=1,embed_dim=48,num_heads=3"


pytestmark = pytest.mark.usefixtures("clock")


def refuse() -> None:
    raise AssertionError("the model was loaded")


@pytest.fixture
def save(tmp_path, tiny_vit):
    """Saves random weights and returns the spec of the model."""

    def write(name: str, scale: float = 1.0) -> str:
        state = tiny_vit(depth=1, embed_dim=48, num_heads=3, patch_size=16).state_dict()
        torch.save({key: scale * tensor for key, tensor in state.items()}, tmp_path / name)
        return f"{tmp_path / name}:{TINY}"

    return write


def test_nothing_is_known_of_images_that_were_not_hashed(images, home):
    assert cached_rows("pixels", images, refuse) is None
    assert not home.exists()


def test_rows_of_the_same_model_and_options_count(images):
    def load(resolution: int = 4) -> object:
        return lambda: load_backbone("pixels", resolution=resolution)

    _ = images.manifest
    assert cached_rows("pixels", images, refuse) == 0
    extract_features(load()(), images)
    assert cached_rows("pixels", images, load()) == 18
    assert cached_rows("pixels", images, load(8)) == 0
    assert cached_rows("dino_vits16", images, refuse) == 0
    assert cached_rows("timm:resnet18", images, refuse) == 0


def test_weights_of_one_architecture_are_told_apart(images, save):
    one, other = save("one.pth"), save("other.pth", 2.0)
    extract_features(load_backbone(one), images)
    assert cached_rows(one, images, lambda: load_backbone(one)) == 18
    assert cached_rows(other, images, lambda: load_backbone(other)) == 0


def test_published_weights_are_known_by_their_name(images, backbone):
    published = dataclasses.replace(backbone, spec="timm:vit_small_patch16_224.dino")
    extract_features(published, images)
    assert cached_rows("dino_vits16", images, refuse) == 18
    assert cached_rows("timm:vit_small_patch16_224.dino", images, refuse) == 18
    assert cached_rows("dino_vits8", images, refuse) == 0


def test_features_of_changed_images_do_not_count(images, backbone):
    extract_features(backbone, images)
    path = images.root / images.paths[0]
    path.write_bytes(path.read_bytes()[::-1])
    assert cached_rows("pixels", images, lambda: backbone) is None
    _ = dataclasses.replace(images).manifest
    assert cached_rows("pixels", images, lambda: backbone) == 0
