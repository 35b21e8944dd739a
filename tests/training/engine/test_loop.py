import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import load_backbone
from lowlabel.processes.world import World
from lowlabel.training import RunOptions, Trainer, make_plan, pretrain
from lowlabel.training.engine.checkpoint import load_checkpoint
from lowlabel.training.engine.export import model_card
from lowlabel.training.engine.metrics import read_metrics
from lowlabel.training.engine.monitor import TrainingError

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)


def assert_same(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_loss_falls_and_the_export_is_a_model(stripes, tiny_recipe, tmp_path):
    recipe = tiny_recipe(
        "lr=2e-2", "teacher_momentum=0.996", "centre_momentum=0.0", epochs=40, batch_size=32
    )
    recipe = replace(recipe, arch=recipe.arch.replace("patch_size=8", "patch_size=4"))
    run = RunOptions(tmp_path, workers=0, knn_every=20, log_every=4)
    plan = make_plan(f"folder:{stripes}", recipe)
    path = pretrain(plan, run, "cpu")
    entries = read_metrics(tmp_path)
    losses = [entry["loss"] for entry in entries]
    assert losses[-1] < losses[1] - 1
    assert losses[-1] < np.log(64) - 0.1
    scores = [entry["knn_top1"] for entry in entries if "knn_top1" in entry]
    assert len(scores) == 2
    assert all(0 <= score <= 100 for score in scores)
    assert {"lr", "teacher_entropy", "feature_std", "images_per_second"} <= entries[-1].keys()
    backbone = load_backbone(str(path), device="cpu")
    assert backbone.pooling == "cls"
    images = torch.zeros(2, 16, 16, 3, dtype=torch.uint8)
    assert backbone.embed(images).shape == (2, 32)
    teacher = Trainer(plan, run, ALONE).train_step.method.teacher.backbone
    assert_same(load_file(path), teacher.state_dict())


@pytest.mark.parametrize("name", ["dino", "pw-self"])
def test_an_accumulated_step_equals_that_of_the_whole_batch(name, stripes, tiny_recipe, tmp_path):
    plan = make_plan(f"folder:{stripes}", replace(tiny_recipe(method=name), drop_path=0.0))
    norms, centres = [], []
    for accumulate in (1, 4):
        trainer = Trainer(plan, RunOptions(tmp_path / str(accumulate), 0, accumulate), ALONE)
        method, batches = trainer.train_step.method, trainer.batches()
        trainer.train_step(0, next(batches))
        centres.append(method.centre.value.clone())
        norms.append([p.grad.norm() for p in method.student.backbone.parameters()])
    torch.testing.assert_close(norms[0], norms[1], rtol=1e-3, atol=1e-6)
    assert centres[0].any()
    torch.testing.assert_close(centres[0], centres[1], rtol=1e-3, atol=1e-6)


def test_the_last_layer_is_frozen_in_the_first_epoch(plan, tmp_path):
    trainer = Trainer(plan, RunOptions(tmp_path, 0), ALONE)
    (layer,) = [p for p in trainer.train_step.method.last_layers() if p.requires_grad]
    before, frozen = layer.detach().clone(), []
    for step, parts in enumerate(trainer.batches()):
        trainer.train_step(step, parts)
        frozen.append(torch.equal(layer, before))
    assert frozen == [True] * plan.steps_per_epoch + [False] * plan.steps_per_epoch


def test_mixed_precision_exports_float32(plan, tmp_path):
    recipe = replace(plan.recipe, dtype="bfloat16", epochs=1)
    path = pretrain(replace(plan, recipe=recipe), RunOptions(tmp_path, 0), "cpu")
    assert all(tensor.dtype == torch.float32 for tensor in load_file(path).values())


def test_nan_stops_before_the_weights_change(plan, tmp_path):
    trainer = Trainer(plan, RunOptions(tmp_path, 0), ALONE)
    method = trainer.train_step.method
    before = {name: p.detach().clone() for name, p in method.teacher.named_parameters()}
    with torch.no_grad():
        next(method.student.head.mlp.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingError, match="loss is nan in step 0"):
        trainer.train()
    assert not (tmp_path / "checkpoint.pth").exists()
    assert_same(before, dict(method.teacher.named_parameters()))


@pytest.mark.slow
def test_collapse_stops_the_run(stripes, tiny_recipe, tmp_path):
    hot = ("teacher_temperature=100", "warmup_teacher_temperature=100", "lr=3e-2")
    plan = make_plan(f"folder:{stripes}", tiny_recipe(*hot, epochs=60))
    with pytest.raises(TrainingError, match=r"collapsed by step \d+: .*entropy 4\.158"):
        pretrain(plan, RunOptions(tmp_path, 0), "cpu")


def test_unreadable_images_are_counted_and_listed(tmp_path, tiny_recipe):
    folder = tmp_path / "images"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (9, 20, 20, 3), dtype=np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "4.png").write_bytes(b"no image")
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(folder / "6.tif")
    (folder / "6.png").unlink()
    plan = make_plan(f"folder:{folder}", tiny_recipe(batch_size=9, epochs=1))
    run = RunOptions(tmp_path / "run", 0)
    with pytest.warns(UserWarning, match=r"2 of 9 images could not be read and were replaced"):
        pretrain(plan, run, "cpu")
    assert (run.output / "unreadable.txt").read_text() == (
        "4.png: its content is no image of a format that is read\n"
        "6.tif: an image of mode F (TIFF) with 64 values that are NaN or infinite\n"
    )
    card = model_card(plan, load_checkpoint(run.output, CPU), CPU)
    assert card["unreadable_images"] == 2
    assert card["images_seen"] == 9
    assert card["manifest_sha256"] == plan.data.images.manifest_sha256


def test_impossible_runs_are_refused(plan, stripes, tmp_path, tiny_recipe):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write to the folder"):
        Trainer(plan, RunOptions(tmp_path / "file"), ALONE)
    flat = make_plan(str(stripes / "pretext"), tiny_recipe())
    with pytest.raises(InputError, match="no held-out labels"):
        Trainer(flat, RunOptions(tmp_path, knn_every=1), ALONE)
    with pytest.raises(InputError, match="99 processes cannot share 32 images"):
        Trainer(plan, RunOptions(tmp_path), World(0, 99, CPU))
    convolutional = replace(plan, recipe=tiny_recipe(arch="resnet18"))
    with pytest.raises(InputError, match=r"BatchNorm over 2 CPU processes"):
        Trainer(convolutional, RunOptions(tmp_path), World(0, 2, CPU))
    with pytest.raises(UnknownNameError, match="gpu"):
        RunOptions(tmp_path, augment="gpu")
    with pytest.raises(InputError, match="accumulate must be at least 1, not 0"):
        RunOptions(tmp_path, accumulate=0)
    with pytest.raises(InputError, match="workers must be at least 0, not -1"):
        RunOptions(tmp_path, workers=-1)


def test_a_run_raises_no_warning(plan, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pretrain(plan, RunOptions(tmp_path, 0), "cpu")


def test_views_made_on_the_device_train_like_those_of_the_workers(plan, tmp_path):
    losses = []
    for augment in ("cpu", "device"):
        run = RunOptions(tmp_path / augment, 0, log_every=1, augment=augment)
        pretrain(plan, run, "cpu")
        losses.append([entry["loss"] for entry in read_metrics(run.output)])
    assert losses[0] == pytest.approx(losses[1], abs=0.1)


def test_a_batch_beyond_the_memory_says_what_keeps_it_equal(plan, tmp_path, monkeypatch):
    trainer = Trainer(plan, RunOptions(tmp_path, 0, accumulate=2), World(0, 1, CPU))

    def full(self, step, parts):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(type(trainer.train_step), "__call__", full)
    with pytest.raises(TrainingError, match="4 images at a time do not fit") as error:
        trainer.train()
    assert "--accumulate 4 keeps steps of 8 images" in error.value.hint
