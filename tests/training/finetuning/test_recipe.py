from dataclasses import replace

import pytest

from lowlabel.cli import names
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.training.finetuning import make_finetune_plan, make_finetune_recipe
from lowlabel.training.finetuning.losses import NAMED_LOSSES
from lowlabel.training.finetuning.recipe import finetune_presets


def test_each_named_loss_has_a_preset_that_the_help_names():
    assert sorted(NAMED_LOSSES) == finetune_presets() == names.finetune_presets()


@pytest.mark.parametrize("loss", ["margin", "proxy-nca", "multi-similarity"])
def test_the_defaults_are_the_settings_of_the_published_table(loss):
    recipe = make_finetune_recipe("m", loss)
    assert (recipe.loss, recipe.epochs, recipe.batch_size) == (loss, 150, 112)
    options, optimisation = recipe.options, recipe.optimisation
    assert (options.images_per_class, options.dimension, options.head_layers) == (2, 128, 1)
    assert options.freeze_batch_norm
    rates = optimisation.lr, optimisation.head_lr, optimisation.loss_lr
    assert rates == (1e-5, 0, 5e-4)
    assert (optimisation.optimizer, optimisation.weight_decay) == ("adam", 4e-4)
    views = options.views
    assert (views.sizes, views.global_scale, views.interpolation) == ((224,), (0.08, 1), "bilinear")


def test_proxy_anchors_preset_is_its_codes():
    recipe = make_finetune_recipe("m", "proxy-anchor,alpha=16")
    assert (recipe.loss, recipe.batch_size, recipe.epochs) == ("proxy-anchor,alpha=16", 180, 60)
    assert (recipe.options.images_per_class, recipe.options.dimension) == (0, 512)
    optimisation = recipe.optimisation
    assert (optimisation.lr, optimisation.loss_lr) == (1e-4, 1e-2)
    assert (optimisation.weight_decay, optimisation.loss_weight_decay) == (1e-4, 1e-4)
    steps = optimisation.schedule, optimisation.decay_every, optimisation.decay
    assert steps == ("step", 10, 0.5)


def test_a_files_settings_are_overridden_by_options(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('loss = "ArcFaceLoss"\nepochs = 3\n[options]\nlora = 4\n')
    recipe = make_finetune_recipe("m", None, str(path), ["lora=8"], epochs=None)
    assert (recipe.loss, recipe.epochs, recipe.options.lora) == ("ArcFaceLoss", 3, 8)


def test_a_head_alone_is_tuned_by_the_same_recipe_however_it_is_asked_for(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("frozen = true\n")
    asked = make_finetune_recipe("m", frozen=True)
    assert asked.frozen
    assert asked == make_finetune_recipe("m", settings=["frozen=True"])
    of_file = make_finetune_recipe("m", preset=str(path))
    assert asked == replace(of_file, preset=asked.preset, changed=asked.changed)
    assert not make_finetune_recipe("m", settings=["frozen=False"], frozen=True).frozen


def test_unknown_options_get_suggestions():
    with pytest.raises(UnknownNameError, match="Did you mean dimension"):
        make_finetune_recipe("m", settings=["dimensions=3"])
    with pytest.raises(InputError, match="images_per_class must be at least 0"):
        make_finetune_recipe("m", images_per_class=-1)
    with pytest.raises(InputError, match="freeze_backbone_epochs must be at least 0"):
        make_finetune_recipe("m", settings=["freeze_backbone_epochs=-1"])


def test_the_side_of_views_is_the_models():
    with pytest.raises(InputError, match="side of the model's images") as caught:
        make_finetune_recipe("m", settings=["global_size=64"])
    assert caught.value.hint == "Give --resolution."


def test_a_head_without_layers_takes_no_dimension():
    with pytest.raises(InputError, match="dimension=77 means nothing to a head without layers"):
        make_finetune_recipe("m", head_layers=0, dimension=77)
    assert make_finetune_recipe("m", "proxy-anchor", head_layers=0).options.head_layers == 0


def test_numbers_that_are_not_finite_or_absurdly_large_are_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[optimisation]\nweight_decay = nan\n")  # TOML has a NaN
    with pytest.raises(InputError, match="weight_decay must be finite, not nan"):
        make_finetune_recipe("m", preset=str(path))
    with pytest.raises(InputError, match="lr must be finite, not inf"):
        make_finetune_recipe("m", settings=["lr=1e400"])
    with pytest.raises(InputError, match="dimension must be at most 16,777,216"):
        make_finetune_recipe("m", dimension=10**11)
    assert make_finetune_recipe("m", seed=2**31 - 1).seed == 2**31 - 1


def test_data_without_train_classes_or_full_batches_are_refused(make_plan, birds, tmp_path):
    recipe = make_finetune_recipe("random:vit_tiny_patch16_224,img_size=16,patch_size=8")
    with pytest.raises(InputError, match="has no part to tune on"):
        make_finetune_plan(f"folder:{birds / 'train'}", recipe)
    rows = [
        f"{path.relative_to(birds)},{path.parent.name}|bird,{path.parts[-3]}"
        for path in sorted(birds.rglob("*.png"))
    ]
    (birds / "own.csv").write_text("\n".join(["path,labels,split", *rows]))
    with pytest.raises(InputError, match="have several labels, and tuning takes classes"):
        make_finetune_plan(f"csv:{birds / 'own.csv'}", recipe)
    with pytest.raises(InputError, match="needs 8 classes, but there are 6 classes"):
        make_plan(batch_size=16)
    with pytest.raises(InputError, match="would leave 1 to learn"):
        make_plan(validation=0.9)
    with pytest.raises(InputError, match="images_per_class=1 puts no two"):
        make_plan(images_per_class=1, batch_size=4).build_loss()
