import os
import pickle
import socket
import time
from dataclasses import replace

import pytest
import torch
from processes import start_code
from safetensors.torch import load_file

from lowlabel.errors import DataError, InputError
from lowlabel.processes.world import World
from lowlabel.training import RunOptions, Trainer, make_plan, pretrain
from lowlabel.training.engine.checkpoint import (
    Checkpoint,
    check_same_run,
    load_checkpoint,
    save_checkpoint,
)
from lowlabel.training.engine.metrics import read_metrics

CPU = torch.device("cpu")
ALONE = World(0, 1, CPU)
SCRIPT = """
import pathlib, pickle, sys, torch
from lowlabel.training import pretrain
torch.set_num_threads(1)
pretrain(*pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()), "cpu")
"""


def start(folder, plan, run, **environment):
    """Calls `pretrain` in another process."""
    written = folder / "plan.pickle"
    written.write_bytes(pickle.dumps((plan, run)))
    return start_code(SCRIPT, folder / f"log{environment.get('RANK', '')}", written, **environment)


def options(folder):
    """A checkpoint and a line of metrics at every step."""
    return RunOptions(folder, 0, log_every=1, checkpoint_minutes=0)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(stripes, tiny_recipe, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    plan = make_plan(f"folder:{stripes}", tiny_recipe(epochs=4))
    process = start(tmp_path, plan, options(killed)).process
    while len(read_metrics(killed)) < 6:
        assert process.is_alive(), "the run ended before it was killed"
        time.sleep(0.002)
    process.kill()
    process.join()
    left = load_checkpoint(killed, CPU)
    assert left is not None
    assert 0 < left.step < 16
    assert not (killed / "backbone.safetensors").exists()
    for folder in (killed, whole):  # in processes like the first, which round as it did
        again = start(tmp_path, plan, options(folder)).process
        again.join()
        assert again.exitcode == 0
    resumed, expected = (load_file(folder / "backbone.safetensors") for folder in (killed, whole))
    assert resumed.keys() == expected.keys()
    assert all(torch.equal(resumed[name], expected[name]) for name in expected)
    assert [entry["step"] for entry in read_metrics(killed)] == list(range(1, 17))


@pytest.mark.slow
def test_two_processes_take_the_same_steps_as_one(stripes, tiny_recipe, tmp_path):
    alone, many = tmp_path / "alone", tmp_path / "many"
    recipe = tiny_recipe("optimizer=sgd", "freeze_last_layer=0", "drop_path=0.0")
    plan = make_plan(f"folder:{stripes}", recipe)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    commands = [start(tmp_path, plan, options(many), **world, RANK=rank) for rank in "01"]
    pretrain(plan, options(alone), "cpu")
    assert [command.end()[0] for command in commands] == [0, 0]
    one, two = (load_checkpoint(folder, CPU).state["method"] for folder in (alone, many))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-5, msg=name)
    for a, b in zip(read_metrics(alone), read_metrics(many), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["usage_entropy"] == pytest.approx(b["usage_entropy"], rel=1e-3)


def test_a_finished_run_is_not_repeated(plan, tmp_path):
    pretrain(plan, RunOptions(tmp_path, 0), "cpu")
    before = (tmp_path / "checkpoint.pth").stat().st_mtime_ns
    pretrain(plan, RunOptions(tmp_path, 0), "cpu")
    assert (tmp_path / "checkpoint.pth").stat().st_mtime_ns == before


def test_the_checkpoint_of_another_run_is_refused(plan, tiny_recipe, tmp_path):
    run = RunOptions(tmp_path, 0)
    pretrain(replace(plan, recipe=tiny_recipe(epochs=1)), run, "cpu")
    with pytest.raises(InputError, match="epochs: 1 there, 2 now"):
        Trainer(plan, run, ALONE)
    wider = tiny_recipe(epochs=1, arch=plan.recipe.arch.replace("32", "64"))
    with pytest.raises(InputError, match="embed_dim=32"):
        Trainer(replace(plan, recipe=wider), run, ALONE)
    other = tiny_recipe(epochs=1, method="pw-self")
    with pytest.raises(InputError, match="method: dino there, pw-self now"):
        Trainer(replace(plan, recipe=other), run, ALONE)
    (tmp_path / "checkpoint.pth").write_bytes(b"cut off")
    with pytest.raises(DataError, match="cannot be read"):
        Trainer(plan, run, ALONE)


@pytest.mark.parametrize("images_are_older", [True, False])
def test_a_checkpoint_that_knows_images_by_size_counts_if_they_are_older(
    plan, tmp_path, images_are_older
):
    run, images = RunOptions(tmp_path, 0), plan.data.images
    pretrain(plan, run, "cpu")
    checkpoint = load_checkpoint(tmp_path, CPU)
    fingerprint = {**checkpoint.fingerprint, "manifest_sha256": images.manifest.by_size}
    assert fingerprint.pop("manifest") == "content"
    save_checkpoint(tmp_path, replace(checkpoint, fingerprint=fingerprint))
    path, seconds = tmp_path / "checkpoint.pth", images.manifest.newest / 1e9
    os.utime(path, (seconds + (60 if images_are_older else -60),) * 2)
    if images_are_older:
        assert Trainer(plan, run, ALONE).done == plan.steps
    else:
        with pytest.raises(InputError, match="manifest_sha256"):
            Trainer(plan, run, ALONE)


def test_images_that_changed_are_another_run(plan, tmp_path):
    """The pictures have other pixels under the same names and sizes in bytes."""
    pretrain(plan, RunOptions(tmp_path, 0), "cpu")
    images = plan.data.images
    path = images.root / images.paths[0]
    path.write_bytes(path.read_bytes()[::-1])
    plan = replace(plan, data=replace(plan.data, images=replace(images)))
    with pytest.raises(InputError, match="manifest_sha256"):
        Trainer(plan, RunOptions(tmp_path, 0), ALONE)


def test_a_checkpoint_holds_only_tensors_and_plain_data(plan, tmp_path):
    """So that it can be resumed after classes and modules are renamed."""
    pretrain(plan, RunOptions(tmp_path, 0), "cpu")
    with torch.serialization.safe_globals([]):
        content = torch.load(tmp_path / "checkpoint.pth", weights_only=True)
    assert content.keys() == {"format", "fingerprint", "step", "seconds", "unreadable", "state"}
    assert content["state"].keys() == {"method", "optimizer", "scaler"}


def test_whatever_bit_of_a_checkpoint_is_flipped_no_other_weights_are_resumed(tmp_path):
    state = {"weights": torch.arange(400.0), "names": ["a", "b"]}
    save_checkpoint(tmp_path, Checkpoint({"seed": 1}, 7, 2.5, [3], state))
    path = tmp_path / "checkpoint.pth"
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            found = load_checkpoint(tmp_path, CPU)
        except DataError as error:
            refused += 1
            assert str(path) in error.message
            continue
        assert found is not None
        assert torch.equal(found.state["weights"], state["weights"])
        assert (found.fingerprint, found.step, found.unreadable) == ({"seed": 1}, 7, [3])
    assert refused > 1600 / 7  # at least each in the weights


@pytest.mark.parametrize(
    ("arch", "option"),
    [("timm:test_vit", "pos_embed=timm"), ("resnet10t", "zero_init_last=True")],
)
def test_a_run_from_before_the_methods_architectures_continues_as_it_began(
    tmp_path, stripes, tiny_recipe, arch, option
):
    """Its checkpoint names the architecture alone; the error says how to go on."""
    now, earlier = (
        make_plan(f"folder:{stripes}", tiny_recipe(arch=text))
        for text in (arch, f"{arch},{option}")
    )
    checkpoint = Checkpoint(earlier.fingerprint(), 0, 0.0, [], {})
    assert set(earlier.architecture.split(",")) < set(now.architecture.split(","))
    manifest = now.data.images.manifest
    with pytest.raises(InputError, match="belongs to another run") as caught:
        check_same_run(tmp_path, checkpoint, now.fingerprint(), manifest)
    assert f"continues with {option} after --arch" in caught.value.hint
    check_same_run(tmp_path, checkpoint, earlier.fingerprint(), manifest)
    other = now.fingerprint() | {"seed": 1}
    with pytest.raises(InputError, match="seed: 0 there, 1 now") as caught:
        check_same_run(tmp_path, Checkpoint(now.fingerprint(), 0, 0.0, [], {}), other, manifest)
    assert "earlier version" not in caught.value.hint
