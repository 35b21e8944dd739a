"""`hf:` models give the features of transformers itself."""

import json

import numpy as np
import pytest
import tiny_transformers
import torch
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor

from lowlabel.errors import DataError, InputError, UserError
from lowlabel.features import check_model, load_backbone
from lowlabel.features.models.libraries.families import FAMILIES

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def own_features(family, module, pixels):
    """What transformers documents as the features of images, and their patch tokens."""
    if family == "vit":
        last = module.vit(pixels).last_hidden_state
        return last[:, 0], last[:, 1:]
    if family == "deit":
        last = module.deit(pixels).last_hidden_state
        return last[:, 0], last[:, 2:]
    if family == "vit_mae":  # all patches in order: a forward pass of the same tensors as a ViT
        module.vit.config.mask_ratio = 0.0
        order = torch.arange(16.0).expand(len(pixels), -1)
        last = module.vit(pixels, noise=order).last_hidden_state
        return last[:, 0], last[:, 1:]
    if family == "vit_msn":
        last = module(pixels).last_hidden_state
        return last[:, 0], last[:, 1:]
    if family == "ijepa":
        last = module(pixels).last_hidden_state
        return last.mean(1), last
    for tower in ("vision_model", "swin", "convnext"):
        if family in ("clip", "siglip", "swin", "convnext") and hasattr(module, tower):
            module = getattr(module, tower)
            break
    output = module(pixels)
    last = output.last_hidden_state
    before = {"dinov2_with_registers": 4, "dinov3_vit": 5, "dinov2": 1, "dinov3_convnext": 1}
    before |= {"clip": 1, "clip_vision_model": 1}
    patches = last.flatten(2).mT if last.ndim == 4 else last[:, before.get(family, 0) :]
    return output.pooler_output, patches


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_those_of_transformers(tmp_path, family):
    """Images of the size before the crop are not resampled, so nothing is rounded."""
    module = tiny_transformers.save(family, tmp_path)
    backbone = load_backbone(f"hf:{tmp_path}")
    height, width = (backbone.transform.resize,) * 2
    random = np.random.default_rng(0)
    images = [
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for _ in range(3)
    ]
    for number, image in enumerate(images):
        image.save(tmp_path / f"{number}.png")
    read = [backbone.transform.read(tmp_path / f"{number}.png") for number in range(3)]
    pixels = torch.from_numpy(np.stack(read))
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    given = processor(images, return_tensors="pt").pixel_values
    with torch.inference_mode():
        expected, patches = own_features(family, module, given)
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)
    mean = load_backbone(f"hf:{tmp_path}", pooling="mean").embed(pixels)
    torch.testing.assert_close(mean, patches.mean(1), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["vit", "dinov2", "convnext", "deit", "clip", "dinov3_vit"])
@pytest.mark.parametrize("size", [(61, 47), (40, 83), (35, 35)])
def test_images_of_other_sizes_are_those_of_the_processor(tmp_path, family, size):
    """Pillow resamples here, torchvision there: both round to whole values, in two passes."""
    _, processor = tiny_transformers.MODELS[family]
    tiny_transformers.save(family, tmp_path)
    transform = load_backbone(f"hf:{tmp_path}").transform
    random = np.random.default_rng(1)
    smooth = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    image = smooth.resize(size, Image.Resampling.BICUBIC)
    image.save(tmp_path / "image.png")
    found = transform.normalise(
        torch.from_numpy(transform.read(tmp_path / "image.png"))[None], torch.float32
    )[0]
    expected = processor(image, return_tensors="pt").pixel_values[0]
    std = torch.tensor(transform.std)[:, None, None]
    difference = (found - expected).abs() * std * 255
    assert found.shape == expected.shape
    assert difference.max() <= 2.01
    assert difference.mean() < 0.5


@pytest.mark.parametrize("family", ["vit", "vit_mae", "dinov2", "dinov3_vit", "clip", "swin"])
def test_other_resolutions_are_resampled_as_transformers_does(tmp_path, family):
    module = tiny_transformers.save(family, tmp_path)
    backbone = load_backbone(f"hf:{tmp_path}", resolution=48)
    resampled = "position embeddings are resampled as transformers does" in backbone.notes
    assert resampled == (family not in ("dinov3_vit", "swin"))  # theirs are relative
    pixels = torch.randint(256, (2, *backbone.transform.blank, 3), dtype=torch.uint8)
    given = backbone.transform.normalise(pixels, torch.float32)
    assert given.shape[-1] == 48
    options = {"interpolate_pos_encoding": True}
    with torch.inference_mode():
        if family == "vit_mae":
            module.vit.config.mask_ratio = 0.0
            options["noise"] = torch.arange(36.0).expand(2, -1)
            expected = module.vit(given, **options).last_hidden_state[:, 0]
        elif family == "vit":
            expected = module.vit(given, **options).last_hidden_state[:, 0]
        elif family in ("clip", "swin"):
            tower = module.vision_model if family == "clip" else module.swin
            expected = tower(given, **options).pooler_output
        else:
            expected = module(given).pooler_output
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["dinov2", "dinov3_vit", "vit_mae"])
def test_the_last_blocks_are_normalised(tmp_path, family):
    module = tiny_transformers.save(family, tmp_path)
    backbone = load_backbone(f"hf:{tmp_path}", pooling="cls@2")
    pixels = torch.randint(256, (2, 32, 32, 3), dtype=torch.uint8)
    given = backbone.transform.normalise(pixels, torch.float32)
    vit = getattr(module, "vit", module)
    layers = vit.layers if hasattr(vit, "layers") else None
    blocks = (
        layers
        if layers is not None
        else next(each for each in vit.modules() if isinstance(each, torch.nn.ModuleList))
    )
    seen = []
    hooks = [
        block.register_forward_hook(lambda *each: seen.append(each[2])) for block in blocks[-2:]
    ]
    norm = vit.norm if family == "dinov3_vit" else vit.layernorm
    with torch.inference_mode():
        if family == "vit_mae":
            vit.config.mask_ratio = 0.0
            vit(given, noise=torch.arange(16.0).expand(2, -1))
        else:
            vit(given)
        outputs = [each[0] if isinstance(each, tuple) else each for each in seen]
        expected = torch.cat([norm(each)[:, 0] for each in outputs], 1)
    assert len(hooks) == 2
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)


def test_the_projection_of_clip_is_its_image_features(tmp_path):
    module = tiny_transformers.save("clip", tmp_path)
    backbone = load_backbone(f"hf:{tmp_path},projection=True")
    pixels = torch.randint(256, (2, 32, 32, 3), dtype=torch.uint8)
    given = backbone.transform.normalise(pixels, torch.float32)
    with torch.inference_mode():
        expected = module.get_image_features(given).pooler_output
    assert expected.shape == (2, 24)
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)
    assert backbone.spec != load_backbone(f"hf:{tmp_path}").spec
    tiny_transformers.save("vit", tmp_path / "vit")
    with pytest.raises(InputError, match="projection=True is of CLIP"):
        load_backbone(f"hf:{tmp_path / 'vit'},projection=True")


def test_the_name_follows_what_the_weights_do_not_tell(tmp_path):
    """Heads are in no tensor; the names of classes and of libraries' versions change nothing."""
    tiny_transformers.save("vit", tmp_path)
    first = load_backbone(f"hf:{tmp_path}")
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"transformers_version": "4.0", "id2label": {"0": "cat"}}))
    assert load_backbone(f"hf:{tmp_path}").spec == first.spec
    path.write_text(json.dumps(config | {"num_attention_heads": 4}))
    other = load_backbone(f"hf:{tmp_path}")
    assert other.spec != first.spec
    assert other.weights_sha256 == first.weights_sha256


def test_weights_that_are_not_whole_are_refused(tmp_path):
    tiny_transformers.save("dinov2", tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    save_file(
        {k: v for k, v in tensors.items() if "layernorm.weight" not in k}, path, {"format": "pt"}
    )
    with pytest.raises(DataError, match=r"does not hold Dinov2Model whole: 1 missing: layernorm"):
        load_backbone(f"hf:{tmp_path}")
    save_file(tensors | {"encoder.extra": torch.zeros(2)}, path, {"format": "pt"})
    with pytest.raises(DataError, match=r"1 left over: encoder\.extra"):
        load_backbone(f"hf:{tmp_path}")
    path.write_bytes(b"no weights")
    with pytest.raises(DataError, match="does not hold the weights of Dinov2Model"):
        load_backbone(f"hf:{tmp_path}")


def test_code_in_a_repository_never_runs(tmp_path):
    tiny_transformers.save("vit", tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    code = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    path.write_text(json.dumps(config | {"model_type": "own", "auto_map": code}))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(DataError, match="not the configuration of a model"):
        load_backbone(f"hf:{tmp_path}")
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_read_without_their_code(tmp_path):
    module = tiny_transformers.save("dinov2", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(module.state_dict(), tmp_path / "pytorch_model.bin")
    assert load_backbone(f"hf:{tmp_path}").pooling == "cls"
    torch.save({"embeddings.cls_token": pytest.raises}, tmp_path / "pytorch_model.bin")
    with pytest.raises(DataError, match="does not hold the weights"):
        load_backbone(f"hf:{tmp_path}")


def test_a_configuration_that_cannot_be_made_is_refused_before_it_is(tmp_path):
    tiny_transformers.save("dinov2", tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"num_hidden_layers": 10**9}))
    with pytest.raises(InputError, match="num_hidden_layers=1000000000 of dinov2 is too large"):
        load_backbone(f"hf:{tmp_path}")
    path.write_text(json.dumps(config | {"hidden_size": 2**20}))
    with pytest.raises(InputError, match="GiB of memory"):
        load_backbone(f"hf:{tmp_path}")


def test_names_and_folders_are_checked_before_anything_is_loaded(tmp_path):
    for name, message in (
        (f"hf:{tmp_path}", r"there is no .*config\.json"),
        (f"hf:{tmp_path / 'absent'}", "there is no folder"),
    ):
        with pytest.raises(DataError, match=message):
            check_model(name)
    tiny_transformers.save("vit", tmp_path)
    check_model(f"hf:{tmp_path},pretrained_on=imagenet-1k")
    with pytest.raises(InputError, match="does not take the option colour"):
        check_model(f"hf:{tmp_path},colour=red")
    with pytest.raises(InputError, match="no OWNER/NAME"):
        check_model("hf:dinov2")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(DataError, match="holds no weights"):
        check_model(f"hf:{tmp_path}")


def test_a_model_of_the_hub_that_is_not_here_says_where_to_put_it(home, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # as the variable does at the start
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set") as error:
        load_backbone("hf:facebook/dinov2-small")
    folder = home / "weights" / "facebook--dinov2-small"
    assert f"save them in the folder {folder}" in error.value.hint
    assert "https://huggingface.co/facebook/dinov2-small/tree/main" in error.value.hint
    tiny_transformers.save("dinov2", folder)
    backbone = load_backbone("hf:facebook/dinov2-small")
    assert backbone.name == "facebook/dinov2-small"
    assert backbone.identities == ("timm:vit_small_patch14_dinov2.lvd142m",)
    assert backbone.pretrained_on == "imagenet-1k"


def test_other_families_and_missing_processors_are_refused(tmp_path):
    tiny_transformers.save("vit", tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(DataError, match="holds no image processor"):
        load_backbone(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(DataError, match="a model of the family 'bert', which hf: does not read"):
        load_backbone(f"hf:{tmp_path}")
    config = {"architecture": "vit_tiny_patch16_224", "num_classes": 2, "pretrained_cfg": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="a model of timm, which hf: does not read") as error:
        load_backbone(f"hf:{tmp_path}")
    assert f"hf-hub:{tmp_path}" in error.value.hint


def test_weights_in_several_files_are_read_whole(tmp_path):
    module = tiny_transformers.save("dinov2", tmp_path)
    whole = load_backbone(f"hf:{tmp_path}").weights_sha256
    (tmp_path / "model.safetensors").unlink()
    module.save_pretrained(tmp_path, max_shard_size="20KB")
    parts = sorted(tmp_path.glob("model-0*.safetensors"))
    assert len(parts) > 2
    assert load_backbone(f"hf:{tmp_path}").weights_sha256 == whole
    parts[1].unlink()
    with pytest.raises(DataError, match=f"there is no .*{parts[1].name}, which .* lists"):
        check_model(f"hf:{tmp_path}")


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"num_channels": []}),
        ("config.json", {"hidden_act": 5}),
        ("preprocessor_config.json", {"image_mean": [0.5, 0.5, "x"]}),
        ("preprocessor_config.json", {"image_std": [1, 1, 0]}),
        ("preprocessor_config.json", {"image_std": [1, 1]}),
        ("preprocessor_config.json", {"image_processor_type": [1]}),
        ("preprocessor_config.json", {"rescale_factor": "x"}),
        ("preprocessor_config.json", {"size": {"height": 10**6, "width": 10**6}}),
        ("preprocessor_config.json", {"size": {"height": 32.5, "width": 32.5}}),
        ("preprocessor_config.json", [1]),
    ],
)
def test_configurations_of_wrong_types_are_refused(tmp_path, file, change):
    tiny_transformers.save("vit", tmp_path)
    path = tmp_path / file
    given = json.loads(path.read_text())
    changed = given | change if isinstance(change, dict) else change
    path.write_text(json.dumps(changed))
    with pytest.raises(UserError) as refused:
        load_backbone(f"hf:{tmp_path}")
    assert str(tmp_path) in refused.value.message
