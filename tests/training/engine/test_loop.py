import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import load_backbone
from lowlabel.training import RunOptions, Trainer, make_plan, make_recipe, pretrain
from lowlabel.training.engine.checkpoint import load_checkpoint
from lowlabel.training.engine.distributed import World
from lowlabel.training.engine.export import model_card
from lowlabel.training.engine.metrics import read_metrics
from lowlabel.training.engine.monitor import TrainingError

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
SETTINGS = [
    "global_size=16", "local_size=8", "local_crops=2", "prototypes=64", "hidden=32",
    "bottleneck=16", "warmup_epochs=1", "lr=1e-2", "teacher_momentum=0.9",
]  # fmt: skip
ARCH = "timm:vit_tiny_patch16_224,patch_size=8,embed_dim=32,depth=2,num_heads=2"
SCRIPT = """
import sys
from test_loop import finish
finish(*sys.argv[1:3], tuple(sys.argv[3:]))
"""


def finish(folder, output, settings=(), epochs=4, batch=8):
    """Trains on one thread, here or in a process of its own."""
    torch.set_num_threads(1)
    recipe = make_recipe("dino", None, [*SETTINGS, *settings], arch=ARCH, epochs=epochs)
    plan = make_plan(f"folder:{folder}", replace(recipe, batch_size=batch))
    run = RunOptions(Path(output), 0, log_every=1, checkpoint_minutes=0)
    return pretrain(plan, run, "cpu")


def start(folder, output, *settings, **environment):
    """`finish` in a process of its own."""
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(output), *settings],
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )


@pytest.fixture(scope="module")
def recipe():
    return make_recipe("dino", None, SETTINGS, arch=ARCH, epochs=2, batch_size=8)


@pytest.fixture
def plan(stripes, recipe):
    return make_plan(f"folder:{stripes}", recipe)


def weights(folder):
    return load_file(folder / "backbone.safetensors")


def assert_same(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_loss_falls_and_the_export_is_a_model(stripes, tmp_path):
    settings = [*SETTINGS, "lr=2e-2", "teacher_momentum=0.996", "centre_momentum=0.0"]
    finer = ARCH.replace("patch_size=8", "patch_size=4")
    recipe = make_recipe("dino", None, settings, arch=finer, epochs=40, batch_size=32)
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
    assert_same(weights(tmp_path), teacher.state_dict())


def test_a_killed_run_ends_with_the_same_weights(stripes, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = start(stripes, killed)
    while len(read_metrics(killed)) < 6:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = load_checkpoint(killed, CPU)
    assert left is not None
    assert 0 < left.step < 16
    assert not (killed / "backbone.safetensors").exists()
    finish(stripes, killed)
    finish(stripes, whole)
    assert_same(weights(whole), weights(killed))
    steps = [entry["step"] for entry in read_metrics(killed)]
    assert steps == list(range(1, 17))


def test_two_processes_take_the_steps_of_one(stripes, tmp_path):
    alone, many = tmp_path / "alone", tmp_path / "many"
    settings = ("optimizer=sgd", "freeze_last_layer=0", "drop_path=0.0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    processes = [start(stripes, many, *settings, **place, RANK=rank) for rank in "01"]
    finish(stripes, alone, settings)
    assert [process.wait() for process in processes] == [0, 0]
    one, two = (load_checkpoint(folder, CPU).state["method"] for folder in (alone, many))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-5, msg=name)
    for a, b in zip(read_metrics(alone), read_metrics(many), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["usage_entropy"] == pytest.approx(b["usage_entropy"], rel=1e-3)


def test_accumulated_gradients_are_those_of_the_whole_batch(stripes, recipe, tmp_path):
    recipe = replace(recipe, drop_path=0.0)
    plan = make_plan(f"folder:{stripes}", recipe)
    norms = []
    for accumulate in (1, 4):
        run = RunOptions(tmp_path / str(accumulate), 0, accumulate)
        trainer = Trainer(plan, run, ALONE)
        trainer.train_step.method.centre.momentum = 1.0
        trainer.train_step(0, next(trainer._batches()))
        norms.append(
            [p.grad.norm() for p in trainer.train_step.method.student.backbone.parameters()]
        )
    torch.testing.assert_close(norms[0], norms[1], rtol=1e-3, atol=1e-6)


def test_the_last_layer_waits_for_the_second_epoch(plan, tmp_path):
    trainer = Trainer(plan, RunOptions(tmp_path, 0), ALONE)
    (layer,) = [p for p in trainer.train_step.method.last_layers() if p.requires_grad]
    before, frozen = layer.detach().clone(), []
    for step, parts in enumerate(trainer._batches()):
        trainer.train_step(step, parts)
        frozen.append(torch.equal(layer, before))
    assert frozen == [True] * plan.steps_per_epoch + [False] * plan.steps_per_epoch


def test_mixed_precision_trains(plan, tmp_path):
    recipe = replace(plan.recipe, dtype="bfloat16", epochs=1)
    pretrain(replace(plan, recipe=recipe), RunOptions(tmp_path, 0), "cpu")
    assert all(tensor.dtype == torch.float32 for tensor in weights(tmp_path).values())


def test_a_finished_run_is_not_done_again(plan, tmp_path):
    pretrain(plan, RunOptions(tmp_path, 0), "cpu")
    before = (tmp_path / "checkpoint.pth").stat().st_mtime_ns
    pretrain(plan, RunOptions(tmp_path, 0), "cpu")
    assert (tmp_path / "checkpoint.pth").stat().st_mtime_ns == before


def test_the_checkpoint_of_another_run_is_refused(plan, stripes, tmp_path):
    pretrain(replace(plan, recipe=replace(plan.recipe, epochs=1)), RunOptions(tmp_path, 0), "cpu")
    with pytest.raises(InputError, match="epochs: 1 there, 2 now"):
        Trainer(plan, RunOptions(tmp_path, 0), ALONE)
    wider = make_recipe("dino", None, SETTINGS, arch=ARCH.replace("32", "64"), batch_size=8)
    with pytest.raises(InputError, match="embed_dim=32"):
        Trainer(replace(plan, recipe=wider), RunOptions(tmp_path, 0), ALONE)
    other = make_recipe("pw-self", None, SETTINGS, arch=ARCH, batch_size=8)
    with pytest.raises(InputError, match="method: dino there, pw-self now"):
        Trainer(replace(plan, recipe=other), RunOptions(tmp_path, 0), ALONE)
    (tmp_path / "checkpoint.pth").write_bytes(b"cut off")
    with pytest.raises(DataError, match="cannot be read"):
        Trainer(plan, RunOptions(tmp_path, 0), ALONE)


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


def test_collapse_stops_the_run(stripes, tmp_path, monkeypatch):
    monkeypatch.setattr("lowlabel.training.engine.loop._PATIENCE", 2)
    recipe = make_recipe(
        "dino",
        None,
        [*SETTINGS, "teacher_temperature=100", "warmup_teacher_temperature=100", "lr=3e-2"],
        arch=ARCH,
        epochs=12,
        batch_size=8,
    )
    plan = make_plan(f"folder:{stripes}", recipe)
    with pytest.raises(TrainingError, match=r"collapsed by step \d+: .*entropy 4\.158"):
        pretrain(plan, RunOptions(tmp_path, 0), "cpu")


def test_unreadable_images_are_counted_and_listed(tmp_path, recipe):
    folder = tmp_path / "images"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (9, 20, 20, 3), dtype=np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "4.png").write_bytes(b"no image")
    plan = make_plan(f"folder:{folder}", replace(recipe, batch_size=9, epochs=1))
    run = RunOptions(tmp_path / "run", 0)
    pretrain(plan, run, "cpu")
    assert (run.output / "unreadable.txt").read_text() == "4.png\n"
    card = model_card(plan, load_checkpoint(run.output, CPU), CPU)
    assert card["unreadable_images"] == 1
    assert card["images_seen"] == 9
    assert card["manifest_sha256"] == plan.data.images.manifest_sha256


def test_bad_runs(plan, stripes, tmp_path, recipe):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write to the folder"):
        Trainer(plan, RunOptions(tmp_path / "file"), ALONE)
    flat = make_plan(str(stripes / "pretext"), recipe)
    with pytest.raises(InputError, match="no held-out labels"):
        Trainer(flat, RunOptions(tmp_path, knn_every=1), ALONE)
    with pytest.raises(InputError, match="99 processes have only 32 images"):
        Trainer(plan, RunOptions(tmp_path), World(0, 99, CPU))
    convolutional = make_recipe("dino", None, SETTINGS, arch="resnet18", batch_size=8)
    with pytest.raises(InputError, match=r"BatchNorm.*2 CPU processes"):
        Trainer(replace(plan, recipe=convolutional), RunOptions(tmp_path), World(0, 2, CPU))


def test_no_warning_on_the_way(plan, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pretrain(plan, RunOptions(tmp_path, 0), "cpu")


def test_views_made_on_the_device_train_alike(stripes, recipe, tmp_path):
    losses = []
    for place in ("cpu", "device"):
        folder = tmp_path / place
        plan = make_plan(f"folder:{stripes}", recipe)
        pretrain(plan, RunOptions(folder, 0, log_every=1, augment=place), "cpu")
        losses.append([entry["loss"] for entry in read_metrics(folder)])
    assert losses[0] == pytest.approx(losses[1], abs=0.1)
    with pytest.raises(UnknownNameError, match="gpu"):
        RunOptions(tmp_path, augment="gpu")


def test_a_run_begins_and_ends_with_dinos_format(stripes, recipe, tmp_path):
    first = make_plan(f"folder:{stripes}", replace(recipe, epochs=1))
    pretrain(first, RunOptions(tmp_path / "first", 0, dino_format=True), "cpu")
    start = tmp_path / "first" / "dino_checkpoint.pth"
    plan = make_plan(f"folder:{stripes}", recipe, start=start)
    begun = plan.build_method()
    trained = Trainer(first, RunOptions(tmp_path / "first", 0), ALONE).train_step.method
    assert_same(begun.state_dict(), trained.state_dict())
    with pytest.raises(InputError, match="start"):
        Trainer(plan, RunOptions(tmp_path / "first", 0), ALONE)
    with pytest.raises(DataError, match="no checkpoint"):
        make_plan(f"folder:{stripes}", recipe, start=tmp_path / "none.pth")
    patchwise = replace(
        plan, recipe=make_recipe("pw-self", None, SETTINGS, arch=ARCH, batch_size=8)
    )
    with pytest.raises(InputError, match="pw-self cannot begin"):
        patchwise.build_method()
    with pytest.raises(InputError, match="pw-self cannot be written"):
        run = RunOptions(tmp_path / "other", 0, dino_format=True)
        Trainer(replace(patchwise, start=None), run, ALONE)
