"""Presets are their authors' runs."""

from importlib import resources
from pathlib import Path

import pytest

from lowlabel.datasets.class_list import read_class_list
from lowlabel.errors import InputError
from lowlabel.training import make_plan, make_recipe, preset_facts, preset_names

OURS = {"demo-vit", "small-images", "pw-self-vitb8-containing"}
ADAMW = {"optimizer": "adamw", "lr": 5e-4, "min_lr": 1e-6, "decay": (0.04, 0.4)}
SGD = {"optimizer": "sgd", "lr": 0.03, "min_lr": 1e-6, "decay": (1e-4, 1e-4)}
BOOST = {"temperature": (0.04, 0.07, 30), "norm_last_layer": False}
NARROW = {"scales": ((0.14, 1.0), (0.05, 0.14))}
DINO = {  # defaults of main_dino.py, which the other authors' code shares
    "method": "dino", "arch": "vit_small,patch_size=16", "epochs": 100, "precision": "float16",
    "classes": "", "temperature": (0.04, 0.04, 0), "norm_last_layer": True, "bn": False,
    "scales": ((0.4, 1.0), (0.05, 0.4)), "crops": (224, 96, 8), "prototypes": 65_536, "clip": 3.0,
    "momentum": 0.996, "warmup": 10.0, "frozen": 1, "drop_path": 0.1, **ADAMW,
}  # fmt: skip
R50 = {**DINO, **SGD, **NARROW, "arch": "resnet50"}
PW_SELF = {
    **DINO, "method": "pw-self", "arch": "vit_small,patch_size=8", "batch": 24, "gpus": 4,
    "prototypes": 10_000, "matching": "reference", "resize": 256, "shared": True,
}  # fmt: skip
SCFS = {
    **DINO, "method": "scfs", "arch": "resnet50", "optimizer": "sgd", "lr": 0.1, "min_lr": 0.0048,
    "decay": (1e-4, 1e-4), "temperature": (0.04, 0.07, 50), "scales": ((0.25, 1.0), (0.05, 0.25)),
}  # fmt: skip
AUTHORS = {
    "ssl-vit-mini": {**DINO, "batch": 256, "gpus": 4, "classes": "ssl-vit-mini"},
    "ssl-vit-tiered": {**DINO, "batch": 256, "gpus": 4, "classes": "ssl-vit-tiered"},
    "dino-vits16-100ep": {**DINO, "batch": 512, "gpus": 8},
    "dino-vits16-300ep": {**DINO, **BOOST, "epochs": 300, "batch": 1024, "gpus": 16},
    "dino-r50-100ep": {**R50, "batch": 512, "gpus": 8},
    "dino-r50-200ep": {**R50, "epochs": 200, "batch": 256, "gpus": 8},
    "scfs-r50-200ep": {**SCFS, "epochs": 200, "batch": 256, "gpus": 8},
    "scfs-r50-800ep": {**SCFS, "epochs": 800, "batch": 1024, "gpus": 0},
    "pw-self-vits8-100ep": PW_SELF,
    "pw-self-vits8-300ep": {**PW_SELF, **BOOST, "epochs": 300},
    "ships-dino-r50-800ep": {**R50, "epochs": 800, "batch": 64, "gpus": 1},
    "tiny-imagenet-dino-r50-30ep": {
        **DINO, "arch": "resnet50", "epochs": 30, "batch": 256, "gpus": 1, "precision": "float32",
        "decay": (0.004, 0.4), "temperature": (0.04, 0.07, 9), "norm_last_layer": False,
        "bn": True, "frozen": 0,
    },
}  # fmt: skip


def settings(name):
    """A preset in the words of the table."""
    recipe, facts = make_recipe(preset=name), preset_facts(name)
    o, options, views = recipe.optimisation, recipe.options, recipe.options.views
    found = {
        "method": recipe.method,
        "arch": recipe.arch,
        "epochs": recipe.epochs,
        "batch": recipe.batch_size,
        "gpus": facts.gpus,
        "precision": recipe.dtype,
        "classes": facts.class_list,
        "drop_path": recipe.drop_path,
        "optimizer": o.optimizer,
        "lr": o.lr,
        "min_lr": o.min_lr,
        "warmup": o.warmup_epochs,
        "decay": (o.weight_decay, o.weight_decay_end),
        "clip": o.clip,
        "momentum": o.teacher_momentum,
        "frozen": o.freeze_last_layer,
        "temperature": (
            o.warmup_teacher_temperature,
            o.teacher_temperature,
            o.warmup_teacher_temperature_epochs,
        ),
        "prototypes": options.prototypes,
        "norm_last_layer": options.norm_last_layer,
        "bn": options.use_bn_in_head,
        "scales": (views.global_scale, views.local_scale),
        "crops": (views.global_size, views.local_size, views.local_crops),
    }
    if recipe.method == "pw-self":
        found |= {"matching": options.matching, "resize": views.resize}
        found |= {"shared": views.shared_geometry}
    return found


@pytest.mark.parametrize("name", sorted(AUTHORS))
def test_a_preset_has_the_settings_of_its_authors(name):
    assert settings(name) == AUTHORS[name]


def test_every_preset_is_in_the_table_or_ours_and_says_its_source():
    assert {*preset_names()} == AUTHORS.keys() | OURS
    folder = resources.files("lowlabel.training") / "recipes"
    for name in preset_names():
        start = "# Ours: " if name in OURS else "# Source: "
        assert (folder / f"{name}.toml").read_text(encoding="utf-8").startswith(start), name


def test_where_ours_differs_the_name_says_how():
    ours = make_recipe(preset="pw-self-vitb8-containing")
    assert ours.options.matching == "containing"
    assert not ours.options.views.shared_geometry


@pytest.mark.parametrize(("name", "classes"), [("ssl-vit-mini", 708), ("ssl-vit-tiered", 651)])
def test_class_lists_of_presets_ship(name, classes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    listed = read_class_list(Path(preset_facts(name).class_list))
    assert len(set(listed)) == classes
    assert all(wnid.startswith("n") and wnid[1:].isdigit() for wnid in listed)


def test_a_part_larger_than_the_authors_says_what_keeps_it_equal():
    facts = preset_facts("ssl-vit-mini")
    note = facts.sharing(256, 1, 1)
    assert "64 images on each of 4 GPUs" in note
    assert "--accumulate 4 keeps steps of 256 images" in note
    assert "--accumulate 2 keeps" in facts.sharing(256, 2, 1)
    assert facts.sharing(256, 4, 1) is None
    assert facts.sharing(256, 1, 4) is None
    assert preset_facts("scfs-r50-800ep").sharing(1024, 1, 1) is None  # theirs is unknown
    assert preset_facts(None).sharing(256, 1, 1) is None


def test_a_part_of_a_network_with_batch_norm_says_what_is_not_equal():
    note = preset_facts("scfs-r50-200ep").sharing(256, 2, 1, batch_norm=True)
    assert "--accumulate 4 keeps steps of 256 images, but for batch statistics" in note
    assert note.endswith("then of 64")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "expected"),
    [(("arch=vit_tiny",), False), (("arch=resnet18",), True), (("use_bn_in_head=true",), True)],
)
def test_a_plan_knows_whether_it_takes_batch_statistics(settings, expected, stripes):
    given = ("arch=vit_tiny", "batch_size=8", "prototypes=64", *settings)
    plan = make_plan(f"folder:{stripes}", make_recipe("dino", settings=given))
    assert plan.has_batch_norm == expected


def test_facts_that_do_not_fit_are_refused(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("batch_size = 30\ngpus = 4\n")
    with pytest.raises(InputError, match="4 GPUs cannot share a batch of 30"):
        preset_facts(str(file))
    file.write_text('gpus = "four"\n')
    with pytest.raises(InputError, match="gpus='four' must be a whole number"):
        preset_facts(str(file))
