from dataclasses import replace

import pytest
import torch

from lowlabel.datasets.splits import published_classes
from lowlabel.errors import DataError, InputError
from lowlabel.features import load_backbone
from lowlabel.processes.world import World
from lowlabel.training import RunOptions, Trainer, make_plan, pretrain

ALONE = World(0, 1, torch.device("cpu"))


@pytest.fixture
def exported(stripes, tiny_recipe, tmp_path):
    """A finished run of one epoch: its plan, and its folder with `dino_checkpoint.pth`."""
    plan = make_plan(f"folder:{stripes}", tiny_recipe(epochs=1))
    pretrain(plan, RunOptions(tmp_path / "first", 0, dino_format=True), "cpu")
    return plan, tmp_path / "first"


@pytest.mark.slow
def test_a_run_starts_from_the_dino_checkpoint_that_another_exported(exported, stripes):
    plan, folder = exported
    started = replace(plan, start=folder / "dino_checkpoint.pth").build_method().state_dict()
    trained = Trainer(plan, RunOptions(folder, 0), ALONE).train_step.method.state_dict()
    assert started.keys() == trained.keys()
    assert all(torch.equal(started[name], trained[name]) for name in trained)


def test_a_run_with_another_start_is_another_run(exported):
    plan, folder = exported
    with pytest.raises(InputError, match="start: not set there"):
        Trainer(replace(plan, start=folder / "dino_checkpoint.pth"), RunOptions(folder, 0), ALONE)


def test_a_start_that_does_not_exist(stripes, tiny_recipe, tmp_path):
    with pytest.raises(DataError, match="there is no checkpoint"):
        make_plan(f"folder:{stripes}", tiny_recipe(), start=tmp_path / "none.pth")


def test_only_dino_reads_and_writes_dinos_format(exported, tiny_recipe, tmp_path):
    plan, folder = exported
    patchwise = replace(plan, recipe=tiny_recipe(method="pw-self"))
    with pytest.raises(InputError, match="pw-self has networks that DINO's checkpoint format"):
        replace(patchwise, start=folder / "dino_checkpoint.pth").build_method()
    with pytest.raises(InputError, match="pw-self has networks that DINO's checkpoint format"):
        pretrain(patchwise, RunOptions(tmp_path / "other", 0, dino_format=True), "cpu")
    assert not list((tmp_path / "other").iterdir())


def test_what_a_run_was_pretrained_on_marks_its_model(plan, tmp_path):
    on_list = replace(plan, class_list=tuple(published_classes("ssl-vit-tiered")))
    weights = pretrain(on_list, RunOptions(tmp_path, 0), "cpu")
    assert load_backbone(str(weights), device="cpu").pretrained_on == "ssl-vit-tiered"
