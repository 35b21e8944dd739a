import pytest

from lowlabel.errors import DataError
from lowlabel.features import expand_models


@pytest.fixture
def kept(tmp_path):
    """A folder of weights files and their cards."""
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    for epoch in (0, 2, 10, 100):
        (folder / f"epoch_{epoch}.safetensors").touch()
        (folder / f"epoch_{epoch}.json").touch()
    return folder


def test_a_pattern_names_every_weights_file_in_the_order_of_its_number(kept):
    files = [str(kept / f"epoch_{epoch}.safetensors") for epoch in (0, 2, 10, 100)]
    assert expand_models([f"{kept}/*.safetensors"]) == files
    assert expand_models([f"{kept}/*"]) == files  # without the cards
    assert expand_models([f"{kept.parent.parent}/*/checkpoints/*_2.safetensors"]) == files[1:2]
    assert expand_models([f"{kept}/epoch_?.safetensors:vit_tiny_patch16_224,depth=2"]) == [
        f"{file}:vit_tiny_patch16_224,depth=2" for file in files[:2]
    ]


def test_other_names_and_existing_files_stay(kept):
    literal = kept / "epoch_[2].safetensors"
    literal.touch()
    others = ["dino_vits16", "timm:vit_*", "random:resnet18", str(literal)]
    assert expand_models(others) == others


@pytest.mark.parametrize(
    ("pattern", "seen"),
    [
        ("{kept}/*.pth", r"holds epoch_0\.json, epoch_0\.safetensors, .*…"),
        ("{kept}/*.json", "4 files match, and none is of weights"),
        ("{kept}/nothing/*.pth", "there is no folder"),
        ("{kept}/*/*.pth", "nothing matches"),
    ],
)
def test_a_pattern_without_files_says_what_is_there(pattern, seen, kept):
    with pytest.raises(DataError, match=f"no weights file matches .*{seen}") as error:
        expand_models([pattern.format(kept=kept)])
    assert "--save-every" in error.value.hint
