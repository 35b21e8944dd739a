"""Vision transformers under the names of transformers and torchvision give the same features."""

import pytest
import torch
from safetensors.torch import save_file
from small_networks import network
from torchvision.models import VisionTransformer

from lowlabel.errors import UserError
from lowlabel.features import load_backbone

State = dict[str, torch.Tensor]
TRANSFORMERS = (
    ("cls_token", "embeddings.cls_token"),
    ("mask_token", "embeddings.mask_token"),
    ("register_tokens", "embeddings.register_tokens"),
    ("dist_token", "embeddings.distillation_token"),
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj.", "embeddings.patch_embeddings.projection."),
    ("attn.proj.", "attention.output.dense."),
    ("blocks.", "encoder.layer."),
)
VIT = (
    ("norm1.", "layernorm_before."),
    ("norm2.", "layernorm_after."),
    ("mlp.fc1.", "intermediate.dense."),
    ("mlp.fc2.", "output.dense."),
)
DINOV2 = (
    ("ls1.gamma", "layer_scale1.lambda1"),
    ("ls2.gamma", "layer_scale2.lambda1"),
    ("mlp.w12.", "mlp.weights_in."),
    ("mlp.w3.", "mlp.weights_out."),
)


def transformers_names(state: State, rules: tuple[tuple[str, str], ...]) -> State:
    """A state dict as transformers names it: three projections for queries, keys and values."""
    found: State = {}
    for name, tensor in state.items():
        if "attn.qkv." in name:
            for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                found[name.replace("attn.qkv", f"attention.attention.{part}")] = third.clone()
            continue
        found[name] = tensor
    for old, new in (*TRANSFORMERS, *rules):
        found = {name.replace(old, new): tensor for name, tensor in found.items()}
    return {
        name.replace("norm.", "layernorm.", 1) if name.startswith("norm.") else name: tensor
        for name, tensor in found.items()
    }


def dinov2_names(state: State) -> State:
    """The authors' names, from which transformers' are made; giants have fused gates."""
    state = state | {"mask_token": torch.zeros(1, state["cls_token"].shape[-1])}
    if "reg_token" in state:
        position = torch.ones_like(state["cls_token"])
        state["register_tokens"] = state.pop("reg_token")
        state["cls_token"] = state["cls_token"] - position
        state["pos_embed"] = torch.cat([position, state["pos_embed"]], 1)
    if "blocks.0.mlp.fc1.weight" in state and state["cls_token"].shape[-1] == 128:
        for old, new in (("mlp.fc1", "mlp.w12"), ("mlp.fc2", "mlp.w3")):
            state = {name.replace(old, new): tensor for name, tensor in state.items()}
    return state


def below(prefix: str, state: State, *heads: str) -> State:
    return {prefix + n: t for n, t in state.items()} | {n: torch.zeros(3, 3) for n in heads}


SMALL = {"img_size": 32}
CASES = {
    "vit": ("vit_tiny_patch16_224", SMALL, "vit.", ("classifier.weight",)),
    "bare vit": ("vit_tiny_patch16_224", SMALL, "", ("pooler.dense.weight",)),
    "mae": ("vit_base_patch16_224", SMALL, "vit.", ("decoder.decoder_embed.weight",)),
    "deit": ("deit_tiny_distilled_patch16_224", SMALL, "deit.", ("cls_classifier.weight",)),
    "dinov2": ("vit_small_patch14_dinov2", {"img_size": 28}, "dinov2.", ("classifier.weight",)),
    "registers": ("vit_small_patch14_reg4_dinov2", {"img_size": 28}, "", ()),
    "giant": (
        "vit_giant_patch14_dinov2",
        {"img_size": 28, "embed_dim": 128, "num_heads": 2},
        "model.",
        (),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_files_of_transformers_have_the_features_of_timm(tmp_path, case, named):
    name, options, prefix, heads = CASES[case]
    module = network(name, **options)
    is_dinov2 = "dinov2" in name
    state = dinov2_names(module.state_dict()) if is_dinov2 else module.state_dict()
    state = transformers_names(state, DINOV2 if is_dinov2 else VIT)
    save_file(below(prefix, state, *heads), tmp_path / "model.safetensors")
    written = ",".join(f"{key}={value}" for key, value in {"depth": 2, **options}.items())
    spec = f"{tmp_path / 'model.safetensors'}" + (f":{name},{written}" if named else "")
    images = torch.randn(2, 3, options["img_size"], options["img_size"])
    encoder = load_backbone(spec, pooling="cls", resolution=options["img_size"]).encoder
    with torch.inference_mode():
        wanted = module.forward_features(images)[:, 0]
        torch.testing.assert_close(encoder.tokens(images).cls, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("spec", ["", ":vit_tiny_patch16_224,depth=2,img_size=32"])
@pytest.mark.filterwarnings("ignore")
def test_a_vision_transformer_of_torchvision_has_its_features(tmp_path, old, spec):
    torch.manual_seed(0)
    theirs = VisionTransformer(32, 16, 2, 3, 192, 768, num_classes=7).eval()
    for parameter in theirs.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    state = theirs.state_dict()
    if old:  # of torchvision's first files
        numbers = (("mlp.0.", "mlp.linear_1."), ("mlp.3.", "mlp.linear_2."))
        for new, before in numbers:
            state = {name.replace(new, before): tensor for name, tensor in state.items()}
    torch.save({"model": {f"module.{name}": t for name, t in state.items()}}, tmp_path / "a.pth")
    images = torch.randn(2, 3, 32, 32)
    encoder = load_backbone(f"{tmp_path / 'a.pth'}{spec}", pooling="cls").encoder
    with torch.inference_mode():
        tokens = theirs._process_input(images)
        token = theirs.class_token.expand(2, -1, -1)
        wanted = theirs.encoder(torch.cat([token, tokens], 1))[:, 0]
        torch.testing.assert_close(encoder.tokens(images).cls, wanted)


def test_a_file_without_its_keys_is_refused(tmp_path):
    state = transformers_names(network("vit_tiny_patch16_224", **SMALL).state_dict(), VIT)
    del state["encoder.layer.1.attention.attention.key.weight"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"embeddings\.patch_embeddings") as error:
        load_backbone(str(tmp_path / "model.safetensors"))
    assert "Hugging Face transformers" in error.value.hint
