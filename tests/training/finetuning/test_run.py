"""Whole runs: resume, several processes, the chosen epoch and the exported model."""

import json
import shutil
import socket
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import start_code
from safetensors.torch import load_file, save_file

from lowlabel.errors import DataError, InputError
from lowlabel.features import load_backbone
from lowlabel.training import RunOptions
from lowlabel.training.engine.checkpoint import load_checkpoint, save_checkpoint
from lowlabel.training.engine.metrics import read_metrics
from lowlabel.training.engine.monitor import TrainingError
from lowlabel.training.finetuning import finetune, make_finetune_plan, make_finetune_recipe
from lowlabel.training.finetuning.validation import best_epoch, validation_scores

CPU = torch.device("cpu")
SCRIPT = """
import json, os, pathlib, sys, torch
from lowlabel.training import RunOptions
from lowlabel.training.finetuning import finetune, make_finetune_plan, make_finetune_recipe
torch.set_num_threads(1)
for request, port in zip(json.loads(sys.argv[1]), json.loads(sys.argv[2])):
    os.environ["MASTER_PORT"] = str(port)
    dataset, model, loss, settings, fields, folder = request
    plan = make_finetune_plan(dataset, make_finetune_recipe(model, loss, None, settings, **fields))
    finetune(plan, RunOptions(pathlib.Path(folder), 0, log_every=1, checkpoint_minutes=0), "cpu")
"""
SETTINGS = ["lr=1e-3", "dimension=16", "validation=0.25", "optimizer=sgd"]


def options(folder):
    """A checkpoint and a line of metrics at every step."""
    return RunOptions(folder, 0, log_every=1, checkpoint_minutes=0)


def start(folder, requests, ports=(0,), **environment):
    """Carries out requests in another process, one after the other."""
    log = folder / f"log{environment.get('RANK', '')}"
    return start_code(SCRIPT, log, json.dumps(requests), json.dumps(list(ports)), **environment)


def plan_of(request):
    dataset, model, loss, settings, fields, _ = request
    return make_finetune_plan(dataset, make_finetune_recipe(model, loss, None, settings, **fields))


def make_request(birds, folder, loss="margin", **fields):
    model = "random:vit_tiny_patch16_224,img_size=16,patch_size=8,embed_dim=32,depth=2,num_heads=2"
    fields = {"epochs": 3, "batch_size": 8, **fields}
    return [f"folder:{birds}", model, loss, SETTINGS, fields, str(folder)]


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(birds, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    request = make_request(birds, killed)
    process = start(tmp_path, [request]).process
    while len(read_metrics(killed)) < 8:
        assert process.is_alive(), "the run ended before it was killed"
        time.sleep(0.002)
    process.kill()
    process.join()
    left, plan = load_checkpoint(killed, CPU), plan_of(request)
    assert left is not None
    assert 0 < left.step < plan.steps
    assert not (killed / "backbone.safetensors").exists()
    resumed, expected = (
        load_file(finetune(plan, options(folder), "cpu")) for folder in (killed, whole)
    )
    assert resumed.keys() == expected.keys()
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)
    steps = [entry["step"] for entry in read_metrics(killed)]
    assert steps == list(range(plan.steps + 1))
    cards = [json.loads((folder / "backbone.json").read_text()) for folder in (killed, whole)]
    assert cards[0]["validation_scores"] == cards[1]["validation_scores"]


@pytest.mark.slow
def test_a_step_of_two_processes_is_that_of_one(birds, tmp_path):
    fields = {"epochs": 1, "batch_size": 36, "images_per_class": 6}
    requests = {
        (loss, many): make_request(birds, tmp_path / f"{loss}-{many}", loss, **fields)
        for loss in ("margin", "proxy-nca", "multi-similarity")
        for many in (1, 2)
    }
    shared = [request for (_, many), request in requests.items() if many == 2]
    world = {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2"}
    ports = free_ports(len(shared))
    commands = [start(tmp_path, shared, ports, **world, RANK=rank) for rank in "01"]
    for (_, many), request in requests.items():
        if many == 1:
            plan = plan_of(request)
            assert plan.steps == 1
            finetune(plan, options(Path(request[-1])), "cpu")
    assert [command.end()[0] for command in commands] == [0, 0]
    for loss in ("margin", "proxy-nca", "multi-similarity"):
        alone, many = (tmp_path / f"{loss}-{count}" for count in (1, 2))
        one, two = (load_checkpoint(folder, CPU).state["method"] for folder in (alone, many))
        assert one.keys() == two.keys()
        for name, tensor in one.items():
            torch.testing.assert_close(two[name], tensor, rtol=1e-5, atol=1e-5, msg=name)
        first, second = (read_metrics(folder)[-1] for folder in (alone, many))
        assert first["loss"] == pytest.approx(second["loss"], abs=1e-5)
        assert first["validation_map@r"] == pytest.approx(second["validation_map@r"], abs=1e-3)


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def test_the_best_epoch_is_exported_and_the_card_says_why(make_plan, tmp_path):
    plan = make_plan("optimizer=sgd", "lr=3.0", epochs=4)  # too fast: later epochs get worse
    path = finetune(plan, options(tmp_path), "cpu")
    card = json.loads((tmp_path / "backbone.json").read_text())
    assert len(card["validation_scores"]) == 5
    best = best_epoch(card["validation_scores"], "recall@1")
    assert card["epoch"] == best
    assert f"{card['validation_scores'][best]['recall@1']:.2f} %" in card["chosen"]
    model, images = load_backbone(str(path), device="cpu"), plan.split.validation
    pixels = np.stack([model.transform.read(images.root / p) for p in images.paths])
    scores = validation_scores(model.embed(torch.from_numpy(pixels)), images.labels, "cpu")
    assert scores == pytest.approx(card["validation_scores"][best], abs=1e-3)
    assert not set(card["validation_classes"]) & set(plan.images.class_names)
    assert card["learned_classes"] == 6
    assert card["base_weights_sha256"] == plan.base.weights_sha256


def test_without_validation_classes_the_last_epoch_is_kept(make_plan, tmp_path):
    finetune(make_plan(validation=0, epochs=1), options(tmp_path), "cpu")
    card = json.loads((tmp_path / "backbone.json").read_text())
    assert (card["epoch"], card["learned_classes"]) == (1, 8)
    assert card["chosen"] == "the last epoch: there are no validation classes"


def test_mixed_precision_exports_float32(make_plan, tmp_path):
    path = finetune(make_plan(dtype="bfloat16", epochs=1), options(tmp_path), "cpu")
    assert all(tensor.dtype == torch.float32 for tensor in load_file(path).values())


@pytest.mark.parametrize("loss", ["margin", "TripletMarginLoss"])
@pytest.mark.parametrize("validation", [0.25, 0.0])
def test_a_run_that_diverges_says_so_and_exports_nothing(make_plan, tmp_path, loss, validation):
    plan = make_plan("lr=1e30", loss=loss, validation=validation)
    with pytest.raises(TrainingError, match="training diverged"):
        finetune(plan, RunOptions(tmp_path, 0), "cpu")
    assert not (tmp_path / "backbone.safetensors").exists()


def test_another_run_in_the_folder_is_refused(make_plan, tmp_path):
    finetune(make_plan(epochs=1), options(tmp_path), "cpu")
    with pytest.raises(InputError, match="dimension: 16 there, 8 now"):
        finetune(make_plan(epochs=1, dimension=8), options(tmp_path), "cpu")


def test_weights_of_another_run_whose_checkpoint_is_gone_are_not_replaced(make_plan, tmp_path):
    path = finetune(make_plan(epochs=1), options(tmp_path), "cpu")
    before, tensors = path.read_bytes(), load_file(path)
    (tmp_path / "checkpoint.pth").unlink()
    with pytest.raises(InputError, match="belongs to another run: random:vit_tiny"):
        finetune(make_plan(epochs=1, dimension=8), options(tmp_path), "cpu")
    assert path.read_bytes() == before
    again = load_file(finetune(make_plan(epochs=1), options(tmp_path), "cpu"))  # starts over
    assert all(torch.equal(again[name], tensor) for name, tensor in tensors.items())
    (tmp_path / "checkpoint.pth").unlink()
    save_file(tensors, path)  # by other software: no card
    with pytest.raises(InputError, match="belongs to another run"):
        finetune(make_plan(epochs=1), options(tmp_path), "cpu")


def test_changed_validation_images_are_another_run(make_plan, tmp_path):
    plan = make_plan(epochs=1)
    finetune(plan, options(tmp_path), "cpu")
    (content,) = [load_checkpoint(tmp_path, torch.device("cpu"))]
    learned = plan.split.learned  # an all_images without the images that validate
    with pytest.raises(InputError, match="train_manifest_sha256: "):
        finetune(replace(plan, all_images=learned), options(tmp_path), "cpu")
    earlier = {k: v for k, v in content.fingerprint.items() if k != "train_manifest_sha256"}
    save_checkpoint(tmp_path, replace(content, fingerprint=earlier))
    finetune(plan, options(tmp_path), "cpu")


def test_a_tuned_model_asks_for_its_backbone_to_be_tuned_again(make_plan, tmp_path):
    path = finetune(make_plan(epochs=1), options(tmp_path), "cpu")
    with pytest.raises(InputError, match="head already") as caught:
        make_plan(model=str(path))
    assert "head=none" in caught.value.hint
    assert make_plan(model=f"{path}:head=none").base.embed is not None


def test_views_made_on_the_device_tune_like_those_of_the_workers(make_plan, tmp_path):
    losses = []
    for augment in ("cpu", "device"):
        run = RunOptions(tmp_path / augment, 0, log_every=1, augment=augment)
        finetune(make_plan(epochs=1, loss="multi-similarity"), run, "cpu")
        losses.append([entry["loss"] for entry in read_metrics(run.output) if "loss" in entry])
    assert losses[0] == pytest.approx(losses[1], abs=0.05)


def test_an_unreadable_validation_image_is_named(make_plan, tmp_path):
    plan = make_plan(epochs=1)
    held_out = plan.split.validation
    root = tmp_path / "copy"
    shutil.copytree(held_out.root, root)
    (root / held_out.paths[0]).write_bytes(b"no image")
    split = replace(plan.split, validation=replace(held_out, root=root))
    with pytest.raises(DataError) as caught:
        finetune(replace(plan, split=split), options(tmp_path / "out"), "cpu")
    assert f"cannot be read: {root / held_out.paths[0]}: " in caught.value.message
