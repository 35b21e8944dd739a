"""Position embeddings at other sizes, by DINO's rule and by timm's."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features import ALIASES, FeatureKey, load_backbone
from lowlabel.features.models.check import check_model
from lowlabel.features.models.positions import official_positions, resample_as_dino
from lowlabel.features.models.sources import published_spec
from lowlabel.paths import weights_dir

TINY = "vit_tiny_patch16_224,img_size=32,patch_size=8,depth=1"


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = −0.75."""
    a, x = -0.75, np.abs(distance)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    return np.where(x <= 1, near, np.where(x < 2, a * (x**3 - 5 * x**2 + 8 * x - 4), 0))


def weights(old: int, new: int) -> np.ndarray:
    """Resampling matrix [new, old] without antialiasing, of a scale of (new + 0.1) / old."""
    matrix = np.zeros((new, old))
    for row in range(new):
        source = (row + 0.5) * old / (new + 0.1) - 0.5
        for tap in range(int(np.floor(source)) - 1, int(np.floor(source)) + 3):
            matrix[row, np.clip(tap, 0, old - 1)] += cubic(np.array(source - tap))
    return matrix


@pytest.mark.parametrize("new", [(4, 4), (3, 3), (7, 7), (2, 9), (13, 5)])
@pytest.mark.parametrize("prefix", [0, 1])
def test_dino_resamples_by_its_formula(new, prefix):
    old, generator = (5, 5), torch.manual_seed(0)
    position = torch.randn(1, prefix + 25, 3, generator=generator)
    grid = position[0, prefix:].double().numpy().reshape(5, 5, 3)
    expected = np.einsum("ip,jq,pqc->ijc", weights(5, new[0]), weights(5, new[1]), grid)
    resampled = resample_as_dino(position, prefix, old, new)
    np.testing.assert_allclose(resampled[0, prefix:], expected.reshape(-1, 3), atol=2e-5)
    assert torch.equal(resampled[:, :prefix], position[:, :prefix])
    assert resample_as_dino(position, prefix, old, old) is position


@pytest.mark.parametrize("options", ["", ",reg_tokens=2", ",reg_tokens=2,no_embed_class=True"])
@pytest.mark.parametrize("size", [(32, 32), (48, 48), (16, 40)])
def test_only_the_positions_differ_from_timm(options, size):
    framing = {"framing": "longest", "resolution": max(size)}
    timms, dinos = (
        load_backbone(f"random:{TINY}{options},pos_embed={rule}", **framing)
        for rule in ("timm", "dino")
    )
    module = timms.encoder.module
    inside = 0 if "no_embed" in options else module.num_prefix_tokens
    grid = [side // 8 for side in size]
    fixed = timm.create_model(
        "vit_tiny_patch16_224",
        img_size=size,
        patch_size=8,
        depth=1,
        num_classes=0,
        reg_tokens=2 if options else 0,
        no_embed_class="no_embed" in options,
    ).eval()
    state = module.state_dict()
    fixed.load_state_dict(
        state | {"pos_embed": resample_as_dino(state["pos_embed"], inside, (4, 4), grid)}
    )
    pixels = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8)
    images = dinos.transform.normalise(pixels, torch.float32)
    torch.testing.assert_close(dinos.embed(pixels), fixed(images), atol=1e-5, rtol=1e-4)
    assert dinos.weights_sha256 == timms.weights_sha256
    difference = (dinos.embed(pixels) - timms.embed(pixels)).abs().max()
    assert difference < 1e-5 if size == (32, 32) else difference > 1e-3


@pytest.fixture
def dino_weights() -> None:
    """Untrained weights in the weights folder, under the name of DINO's ViT-S/16."""
    name = ALIASES["dino_vits16"].timm_name
    torch.manual_seed(3)
    weights_dir().mkdir(parents=True)
    save_file(
        timm.create_model(name, num_classes=0).state_dict(),
        weights_dir() / f"{name}.safetensors",
    )


@pytest.mark.slow
def test_an_alias_resamples_as_its_authors_and_says_so_in_the_key(dino_weights, images):
    """At the model's own size nothing is resampled: key and features are timm's."""
    asked = {"resolution": 96, "pooling": "cls"}
    alias, option, timms, dinos = (
        load_backbone(spec, **asked)
        for spec in (
            "dino_vits16",
            "dino_vits16,pos_embed=timm",
            "timm:vit_small_patch16_224.dino",
            "timm:vit_small_patch16_224.dino,pos_embed=dino",
        )
    )
    pixels = torch.randint(0, 256, (1, 96, 96, 3), dtype=torch.uint8)
    assert torch.equal(alias.embed(pixels), dinos.embed(pixels))
    assert torch.equal(option.embed(pixels), timms.embed(pixels))
    assert (alias.embed(pixels) - timms.embed(pixels)).abs().max() > 1e-4
    assert {b.spec for b in (alias, option, timms, dinos)} == {"timm:vit_small_patch16_224.dino"}
    key = FeatureKey.of(alias, images).json()
    assert '"positions":"dino"' in key
    assert "positions" not in FeatureKey.of(option, images).json()
    native = [load_backbone(f"dino_vits16{text}") for text in ("", ",pos_embed=timm")]
    keys = [FeatureKey.of(backbone, images).json() for backbone in native]
    assert keys[0] == keys[1] and "positions" not in keys[0]
    assert (
        "positions" in FeatureKey.of(load_backbone("dino_vits16", framing="longest"), images).json()
    )


@pytest.mark.slow
def test_the_rule_holds_for_a_size_given_as_an_option_of_the_architecture(dino_weights, tmp_path):
    """The weights keep their own size, and each image is resampled by the rule."""
    name, pixels = "vit_small_patch16_224", torch.zeros(1, 96, 96, 3, dtype=torch.uint8)
    path = tmp_path / "dino_deitsmall16_pretrain.pth"
    torch.save(timm.create_model(name, num_classes=0).state_dict(), path)
    for spec in (f"timm:{name}.dino", f"{path}:{name}", str(path)):
        sized = f"{spec}{',' if name in spec else ':'}img_size=96,pos_embed"
        dinos, timms = (load_backbone(f"{sized}={rule}") for rule in ("dino", "timm"))
        asked = load_backbone(sized.replace("img_size=96,", "") + "=dino", resolution=96)
        assert torch.equal(dinos.embed(pixels), asked.embed(pixels))
        assert not torch.equal(dinos.embed(pixels), timms.embed(pixels))
        assert (dinos.positions, timms.positions) == ("dino", "")
    assert load_backbone(f"{path}:img_size=96").positions == "dino"


def test_files_of_dino_and_dinov2_resample_as_their_authors(tmp_path):
    torch.manual_seed(0)
    state = timm.create_model("vit_small_patch16_224", depth=1, num_classes=0).state_dict()
    torch.save(state, tmp_path / "mine.pth")
    for arch, positions in (
        ("vit_small_patch16_224.dino,depth=1", "dino"),
        ("vit_small_patch16_224.dino,depth=1,pos_embed=timm", ""),
        ("vit_small_patch16_224,depth=1", ""),
        ("vit_small_patch16_224,depth=1,pos_embed=dino", "dino"),
    ):
        assert (
            load_backbone(f"{tmp_path / 'mine.pth'}:{arch}", resolution=64).positions == positions
        )
    assert official_positions("vit_small_patch14_dinov2.lvd142m", "dinov2") == "dino"
    assert official_positions("vit_small_patch14_dinov2.lvd142m") == "timm"
    assert official_positions("vit_small_patch14_reg4_dinov2.lvd142m", "dinov2_reg") == "timm"
    assert official_positions("vit_small_patch16_224", "ibot") == "dino"
    rules = {name: alias.positions for name, alias in ALIASES.items()}
    assert {name for name, rule in rules.items() if rule == "dino"} == {
        name for name in rules if name.startswith("dino_vit") or name in _DINOV2
    }


_DINOV2 = [f"dinov2_vit{size}14" for size in "sblg"]


def test_impossible_rules_are_refused():
    with pytest.raises(UnknownNameError, match="pos_embed 'dinov2'"):
        load_backbone(f"random:{TINY},pos_embed=dinov2")
    with pytest.raises(InputError, match="not for a network of timm's class ResNet"):
        load_backbone("random:resnet10t,pos_embed=dino")
    for refuse in (check_model, load_backbone):
        with pytest.raises(UnknownNameError, match="pos_embed 'bicubic'"):
            refuse("dino_vits16,pos_embed=bicubic")
        with pytest.raises(InputError, match="alias dino_vits16 has no option depth"):
            refuse("dino_vits16,depth=2")
    check_model("dino_vits16,pos_embed=timm")
    assert load_backbone(f"random:{TINY},pos_embed=none").positions == ""
    assert published_spec("dino_vits16,pos_embed=timm") == "timm:vit_small_patch16_224.dino"
