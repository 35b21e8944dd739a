from dataclasses import fields
from functools import partial

import pytest

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.training import PRETRAIN_METHODS, Recipe, make_recipe, preset_names
from lowlabel.training.backbones import backbone_maker, parameter_count, resolve_architecture
from lowlabel.training.finetuning import FinetuneRecipe


def test_defaults_are_those_of_the_dino_paper():
    recipe = make_recipe("dino")
    views, optimisation = recipe.options.views, recipe.optimisation
    assert (views.global_size, views.local_size, views.local_crops) == (224, 96, 8)
    assert (views.global_scale, views.local_scale) == ((0.4, 1.0), (0.05, 0.4))
    assert recipe.options.prototypes == 65_536
    assert (optimisation.lr, optimisation.min_lr, optimisation.clip) == (5e-4, 1e-6, 3.0)
    assert (optimisation.weight_decay, optimisation.weight_decay_end) == (0.04, 0.4)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_that_the_generators_do_not_take_are_refused(seed):
    for make in (Recipe, partial(FinetuneRecipe, "m")):
        with pytest.raises(InputError, match=f"seed must be .*, not {seed}"):
            make(seed=seed)


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_recipes(name):
    assert make_recipe(preset=name).method in PRETRAIN_METHODS


def test_command_line_overrides_the_preset(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('arch = "vit_tiny"\nepochs = 7\n[views]\nlocal_crops = 3\n')
    settings = ("local_crops=4", "lr=1", "blur_radius=(0.1,1)")
    recipe = make_recipe(None, str(file), settings, epochs=9, seed=None)
    assert (recipe.arch, recipe.epochs, recipe.seed) == ("vit_tiny", 9, 0)
    assert recipe.options.views.local_crops == 4
    assert recipe.options.views.blur_radius == (0.1, 1.0)
    assert recipe.optimisation.lr == 1.0
    assert isinstance(recipe.optimisation.lr, float)


@pytest.mark.parametrize("method", sorted(PRETRAIN_METHODS))
def test_option_names_are_unique(method):
    recipe = make_recipe(method)
    parts = (Recipe, recipe.optimisation, recipe.options, recipe.options.views)
    names = [f.name for part in parts for f in fields(part)]
    assert len(names) == len(set(names))


def test_bad_recipes_are_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="dyno"):
        make_recipe("dyno")
    with pytest.raises(UnknownNameError, match="small-image'"):
        make_recipe(preset="small-image")
    with pytest.raises(UnknownNameError, match="prototype") as error:
        make_recipe("dino", None, ["prototype=5"])
    assert "prototypes" in error.value.hint
    with pytest.raises(InputError, match="prototypes='many' must be a whole number"):
        make_recipe("dino", None, ["prototypes=many"])
    with pytest.raises(InputError, match="global_scale"):
        make_recipe("dino", None, ["global_scale=(0.1,0.2,0.3)"])
    with pytest.raises(InputError, match="not an option"):
        make_recipe("dino", None, ["prototypes"])
    with pytest.raises(InputError, match="not for scfs"):
        make_recipe("scfs", "demo-vit")
    with pytest.raises(UnknownNameError, match="int8"):
        make_recipe("dino", dtype="int8")
    with pytest.raises(InputError, match="epochs"):
        make_recipe("dino", epochs=0)
    file = tmp_path / "bad.toml"
    with pytest.raises(DataError, match="no preset file"):
        make_recipe(preset=str(file))
    file.write_text("epochs = = 3")
    with pytest.raises(DataError, match="not valid TOML"):
        make_recipe(preset=str(file))


def test_architectures_by_short_and_full_name():
    assert resolve_architecture("vit_tiny,patch_size=4", 32) == (
        "vit_tiny_patch16_224,img_size=32,patch_size=4,pos_embed=dino"
    )
    assert resolve_architecture("resnet18", 64) == "resnet18,zero_init_last=False"
    assert resolve_architecture("timm:vit_small_patch16_224,pos_embed=timm", 224) == (
        "vit_small_patch16_224,img_size=224"
    )
    assert resolve_architecture("resnet18,zero_init_last=True", 64) == "resnet18"
    assert resolve_architecture("timm:mobilenetv3_small_050", 64) == "mobilenetv3_small_050"
    with pytest.raises(UnknownNameError, match="vit_tyny"):
        resolve_architecture("vit_tyny", 224)


def test_vit_small_has_the_published_size_and_stochastic_depth():
    make = backbone_maker(resolve_architecture("vit_small", 224), drop_path=0.1)
    student, teacher = make(True), make(False)
    assert parameter_count(student) == parameter_count(teacher) == 21_665_664
    assert student.norm.eps == 1e-6
    rates = [getattr(block.drop_path1, "drop_prob", 0.0) for block in student.blocks]
    assert rates == pytest.approx([0.1 * n / 11 for n in range(12)])
    assert all(getattr(block.drop_path1, "drop_prob", 0.0) == 0 for block in teacher.blocks)


def test_a_size_that_is_no_multiple_of_the_patch_is_refused():
    make = backbone_maker(resolve_architecture("vit_tiny,patch_size=16", 40), 0.0)
    with pytest.raises(InputError, match="view size 40 is not a multiple of the patch size 16"):
        make(True)


def test_the_orientation_is_in_a_recipe_only_where_it_is_not_the_default():
    """Runs from before the option resume."""
    plain, turned = (make_recipe("dino", None, s) for s in ((), ("orientation=exif",)))
    assert "orientation" not in plain.as_dict()["options"]["views"]
    assert turned.as_dict()["options"]["views"]["orientation"] == "exif"
    with pytest.raises(UnknownNameError, match="orientation 'up'"):
        make_recipe("dino", None, ["orientation=up"])
