"""Files in layouts that timm reads under no architecture."""

import pytest
import torch

from lowlabel.errors import UserError
from lowlabel.features import load_backbone

NAMES = {
    "Hugging Face transformers": "vit.embeddings.patch_embeddings.projection.weight",
    "torchvision's ViT": "encoder.layers.encoder_layer_0.ln_1.weight",
}


@pytest.mark.parametrize("code", NAMES)
@pytest.mark.parametrize("architecture", ["", ":vit_tiny_patch16_224"])
def test_the_names_in_the_file_and_a_way_out_are_given(tmp_path, code, architecture):
    torch.save({NAMES[code]: torch.zeros(8, 3, 4, 4)}, tmp_path / "a.pth")
    with pytest.raises(UserError) as error:
        load_backbone(f"{tmp_path / 'a.pth'}{architecture}")
    assert NAMES[code] in error.value.message
    assert f"Its names are those of {code}." in error.value.hint
    assert "timm:NAME" in error.value.hint
    assert ("--model hf:FOLDER" in error.value.hint) == (code == "Hugging Face transformers")
    assert ":ARCH" not in error.value.hint
