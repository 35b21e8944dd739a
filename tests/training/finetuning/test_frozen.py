import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from lowlabel.cli import app
from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import (
    ExtractionOptions,
    FeatureKey,
    embed_dataset,
    extract_features,
    feature_path,
    load_backbone,
)
from lowlabel.features.backbone import Backbone
from lowlabel.training import RunOptions
from lowlabel.training.finetuning import (
    finetune,
    make_finetune_plan,
    make_finetune_recipe,
    tune_frozen,
)

MODEL = "random:vit_tiny_patch16_224,img_size=16,patch_size=8,depth=1"


@pytest.fixture
def data(image_folder):
    """Three train classes, three test classes."""
    for old, new in (("base", "train"), ("novel", "test")):
        (image_folder / old).rename(image_folder / new)
    for part in (image_folder / "val").iterdir():
        part.rename(image_folder / "train" / part.name)
    (image_folder / "val").rmdir()
    return image_folder


def make_plan(data, loss="proxy-nca", model=MODEL, **changes):
    values = {
        "epochs": 3,
        "batch_size": 6,
        "images_per_class": 2,
        "dimension": 8,
        "validation": 0.4,
    }
    recipe = make_finetune_recipe(model, loss, frozen=True, **values | changes)
    return make_finetune_plan(f"folder:{data}", recipe)


def test_a_head_is_exported_with_the_backbone_as_it_was(data, tmp_path):
    path = tune_frozen(make_plan(data), tmp_path / "out", "cpu")
    base, tuned = load_backbone(MODEL, device="cpu"), load_backbone(str(path), device="cpu")
    weights, before = load_file(path), base.encoder.module.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in before.items())
    assert tuned.embed(torch.zeros(2, 16, 16, 3, dtype=torch.uint8)).shape == (2, 8)
    card = json.loads((tmp_path / "out" / "backbone.json").read_text())
    assert card["base_weights_sha256"] == base.weights_sha256
    assert (card["tuned"], card["learned_classes"], len(card["validation_classes"])) == (
        "head",
        3,
        2,
    )
    assert len(card["validation_scores"]) == 4
    assert f"{card['validation_scores'][card['epoch']]['map@r']:.2f} %" in card["chosen"]
    assert tuned.tuning["loss"] == "proxy-nca,scale=3.0"


def test_features_of_a_tuned_head_need_no_image(data, tmp_path, monkeypatch):
    tuned = load_backbone(str(tune_frozen(make_plan(data), tmp_path / "out", "cpu")), device="cpu")
    base, images = load_backbone(MODEL, device="cpu"), open_dataset(f"folder:{data}").load("test")
    expected = extract_features(tuned, images).features
    feature_path(FeatureKey.of(tuned, images)).unlink()
    extract_features(base, images)
    monkeypatch.setattr(Backbone, "embed", None)
    found = extract_features(tuned, images).features
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_a_backbone_that_is_not_the_base_models_is_run(data, tmp_path):
    path = tune_frozen(make_plan(data), tmp_path / "out", "cpu")
    tuned = load_backbone(str(path), device="cpu")
    base, images = load_backbone(MODEL, device="cpu"), open_dataset(f"folder:{data}").load("test")
    extract_features(base, images)
    with torch.no_grad():
        tuned.encoder.backbone.module.norm.bias.add_(torch.linspace(0, 9, 192))
    from_images = tuned.encoder.head(
        tuned.network_input(torch.tensor(tuned.transform.read(images.root / images.paths[0]))[None])
    )
    found = extract_features(tuned, images).features[0]
    torch.testing.assert_close(torch.tensor(found), from_images[0].detach(), rtol=1e-4, atol=1e-5)


def test_the_same_tuning_is_not_done_again_and_another_is_refused(data, tmp_path):
    path = tune_frozen(make_plan(data), tmp_path / "out", "cpu")
    before = path.stat().st_mtime_ns
    assert tune_frozen(make_plan(data), tmp_path / "out", "cpu") == path
    assert path.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"holds another run, or part of one: recipe differ"):
        tune_frozen(make_plan(data, epochs=4), tmp_path / "out", "cpu")
    path.unlink()
    with pytest.raises(InputError, match=r"there is no backbone.safetensors"):
        tune_frozen(make_plan(data), tmp_path / "out", "cpu")


def test_a_run_of_the_whole_network_does_not_replace_a_tuned_head(data, tmp_path):
    path = tune_frozen(make_plan(data), tmp_path, "cpu")
    before = path.read_bytes()
    recipe = make_finetune_recipe(MODEL, epochs=1, batch_size=6, validation=0.4)
    with pytest.raises(InputError, match="belongs to another run"):
        finetune(make_finetune_plan(f"folder:{data}", recipe), RunOptions(tmp_path, 0), "cpu")
    assert path.read_bytes() == before


def test_a_tuning_killed_before_its_card_was_written_gets_it_from_the_weights(data, tmp_path):
    path = tune_frozen(make_plan(data), tmp_path, "cpu")
    card, weights = (tmp_path / "backbone.json"), path.read_bytes()
    text = card.read_text()
    card.unlink()
    assert tune_frozen(make_plan(data), tmp_path, "cpu") == path
    assert (card.read_text(), path.read_bytes()) == (text, weights)
    path.write_bytes(weights[:100])
    with pytest.raises(DataError, match="is not a readable weights file"):
        tune_frozen(make_plan(data), tmp_path, "cpu")


def test_what_a_frozen_backbone_cannot_do_is_refused(data, tmp_path):
    with pytest.raises(InputError, match="pixels has no parameters to tune"):
        make_plan(data, model="pixels")
    with pytest.raises(InputError, match="lora=4 tunes the backbone"):
        make_plan(data, lora=4)
    with pytest.raises(InputError, match="dtype=bfloat16 means nothing to frozen"):
        make_plan(data, dtype="bfloat16")
    with pytest.raises(InputError, match="nothing to tune on frozen features"):
        make_plan(data, head_layers=0)
    with pytest.raises(InputError, match=r"would leave 1 to learn"):
        make_plan(data, validation=0.8)
    with pytest.raises(UnknownNameError, match="proxy-nca"):
        tune_frozen(make_plan(data, "proxy-nce"), tmp_path / "out", "cpu")
    assert not (tmp_path / "out" / "backbone.json").exists()


def test_processes_of_torchrun_are_refused(data, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="in one process, and torchrun started 2"):
        tune_frozen(make_plan(data), tmp_path, "cpu")


def test_changed_images_of_the_validation_classes_are_another_run(data, tmp_path):
    plan = make_plan(data)
    tune_frozen(plan, tmp_path / "out", "cpu")
    held_out = plan.split.validation
    shutil.copy(held_out.root / held_out.paths[1], held_out.root / held_out.paths[0])
    with pytest.raises(InputError, match="train_manifest_sha256 differ"):
        tune_frozen(make_plan(data), tmp_path / "out", "cpu")


@pytest.mark.parametrize("asked", [["--frozen"], ["--set", "frozen=True"]])
def test_the_command_tunes_a_head(data, tmp_path, asked):
    arguments = ["finetune", *asked, "--loss", "proxy-nca", "--dataset", f"folder:{data}"]
    arguments += ["--model", MODEL, "--batch-size", "6", "--images-per-class", "2"]
    arguments += ["--epochs", "2", "--validation", "0.4", "--device", "cpu"]
    dry = CliRunner().invoke(app, [*arguments, "--dry-run"])
    assert "0 of " in dry.output
    assert "views" not in dry.output
    arguments += ["--output", str(tmp_path / "out")]
    unused = CliRunner().invoke(app, [*arguments, "--accumulate", "2", "--compile"])
    assert str(unused.exception).startswith("--accumulate, --compile mean nothing to --frozen")
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "score it: lowlabel run --suite retrieval" in result.output
    assert not (tmp_path / "out" / "checkpoint.pth").exists()  # features, not the usual loop


def test_images_that_cannot_be_read_are_left_out_if_the_command_says_so(data, tmp_path):
    next((data / "train").rglob("*.png")).write_bytes(b"no image")
    arguments = ["finetune", "--loss", "proxy-nca", "--dataset", f"folder:{data}", "--model", MODEL]
    arguments += ["--batch-size", "6", "--images-per-class", "2", "--epochs", "2"]
    arguments += ["--validation", "0.4", "--device", "cpu", "--output", str(tmp_path / "out")]
    refused = CliRunner().invoke(app, [*arguments, "--frozen"])
    assert refused.exit_code
    assert isinstance(refused.exception, DataError | SystemExit)
    result = CliRunner().invoke(app, [*arguments, "--frozen", "--skip-bad-images"])
    assert result.exit_code == 0, result.output
    unfrozen = CliRunner().invoke(app, [*arguments, "--skip-bad-images"])
    assert unfrozen.exit_code


def test_a_score_on_tuned_classes_is_marked(data, tmp_path):
    path = tune_frozen(make_plan(data), tmp_path / "out", "cpu")
    opened = open_dataset(f"folder:{data}")
    division = opened.division
    found = []
    for spec in (str(path), MODEL):
        for parts in (division.parts, division.parts[:1]):
            scored = replace(opened, division=replace(division, parts=parts), _parts={})
            model = load_backbone(spec, device="cpu")
            found.append(embed_dataset(model, scored, parts, ExtractionOptions()).seen_classes)
    assert found[0] == found[2] == found[3] == ""
    assert "was tuned on " in found[1]
    assert found[1].endswith("train: 5 of the 5 train classes")


def test_folders_of_one_name_are_told_apart_by_their_images_and_their_place(data, tmp_path):
    path = tune_frozen(make_plan(data), tmp_path / "out", "cpu")
    copy = shutil.copytree(data, tmp_path / "renamed")
    other = shutil.copytree(data, tmp_path / "elsewhere" / data.name)
    edited = next((other / "train").rglob("*.png"))

    def marked(folder):
        opened = open_dataset(f"folder:{folder}")
        parts = opened.division.parts[:1]
        scored = replace(opened, division=replace(opened.division, parts=parts), _parts={})
        model = load_backbone(str(path), device="cpu")
        return bool(embed_dataset(model, scored, parts, ExtractionOptions()).seen_classes)

    assert [marked(data), marked(copy), marked(other)] == [True, True, True]
    edited.unlink()
    assert not marked(other)
    next((data / "train").rglob("*.png")).unlink()
    assert marked(data)


def test_a_score_on_classes_of_an_earlier_tuning_is_marked(data, tmp_path):
    first = make_finetune_recipe(MODEL, epochs=1, batch_size=6, validation=0.4)
    tuned = finetune(
        make_finetune_plan(f"folder:{data}", first), RunOptions(tmp_path / "first", 0), "cpu"
    )
    other = shutil.copytree(data, tmp_path / "elsewhere" / data.name)
    next((other / "train").rglob("*.png")).unlink()  # other images under the same name
    third = shutil.copytree(data, tmp_path / "third" / data.name)
    for image in [*(third / "train").rglob("*.png")][:2]:
        image.unlink()
    recipe = replace(make_plan(data).recipe, model=f"{tuned}:head=none", pooling="")
    again = tune_frozen(make_finetune_plan(f"folder:{other}", recipe), tmp_path / "out", "cpu")

    def marked(folder):
        opened = open_dataset(f"folder:{folder}")
        parts = opened.division.parts[:1]
        scored = replace(opened, division=replace(opened.division, parts=parts), _parts={})
        model = load_backbone(str(again), device="cpu")
        found = embed_dataset(model, scored, parts, ExtractionOptions()).seen_classes
        return "was tuned on " in found

    assert [marked(data), marked(other), marked(third)] == [True, True, False]
