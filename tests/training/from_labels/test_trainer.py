"""Networks trained from scratch on labels alone."""

import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.training.from_labels import make_label_trainer, parse_label_recipe
from lowlabel.training.from_labels.networks import build_network, resolve_network

SMALL = "resnet10t,channels=(8,8,16,16),stem_width=8,resolution=32,epochs=12,batch_size=8,lr=5e-3"
CPU = torch.device("cpu")


@pytest.fixture
def stripes(tmp_path):
    """Two classes of upright and lying stripes, in a folder with train and test."""
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 10)):
        for name in ("lying", "upright"):
            folder = tmp_path / "stripes" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                wave = 127 + 90 * np.sin(np.arange(32) * 1.2 + random.uniform(0, 6))
                lines = np.tile(wave, (32, 1)) + random.normal(0, 20, (32, 32))
                picture = lines if name == "upright" else lines.T
                rgb = np.repeat(picture.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
                Image.fromarray(rgb).save(folder / f"{number}.png")
    opened = open_dataset(f"folder:{tmp_path / 'stripes'}")
    return opened.load("train"), opened.load("test")


@pytest.mark.slow
def test_a_network_learns_classes_from_their_labels(stripes):
    train, test = stripes
    trainer = make_label_trainer(SMALL)
    scores = trainer.scores(train, np.asarray(train.labels), test, 2, 0, CPU)
    assert scores.shape == (20, 2)
    accuracy = (scores.argmax(1).numpy() == test.labels).mean()
    assert accuracy >= 0.9
    shuffled = 1 - np.asarray(train.labels)
    other = trainer.scores(train, shuffled, test, 2, 0, CPU)
    assert (other.argmax(1).numpy() == test.labels).mean() <= 0.1


def test_the_seed_decides_and_torchs_generator_stays(stripes):
    train, test = stripes
    trainer = make_label_trainer(SMALL.replace("epochs=12", "epochs=1"))
    state = torch.get_rng_state()
    runs = [
        trainer.scores(train, np.asarray(train.labels), test, 2, seed, CPU) for seed in (3, 3, 4)
    ]
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(runs[0], runs[1])
    assert not torch.allclose(runs[0], runs[2])


def test_gradients_flow_inside_inference_mode(stripes):
    train, test = stripes
    trainer = make_label_trainer(SMALL.replace("epochs=12", "epochs=1"))
    with torch.inference_mode():
        assert trainer.scores(train, np.asarray(train.labels), test, 2, 0, CPU).isfinite().all()


def test_an_unreadable_image_is_named(stripes):
    train, test = stripes
    (test.root / test.paths[3]).write_bytes(b"no image")
    trainer = make_label_trainer(SMALL.replace("epochs=12", "epochs=1"))
    with pytest.raises(DataError, match=r"test cannot be read: .*lying/3\.png"):
        trainer.scores(train, np.asarray(train.labels), test, 2, 0, CPU)


def test_options_of_the_training_and_of_the_network_are_told_apart():
    recipe = parse_label_recipe("resnet50,epochs=3,stem_width=32,lr=1e-3")
    assert (recipe.epochs, recipe.lr, recipe.options) == (3, 1e-3, {"stem_width": 32})
    assert parse_label_recipe("resnet50").epochs == 100
    assert parse_label_recipe(recipe.spec) == recipe


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("resnet50,epochs=0", InputError, "epochs must be at least 1"),
        ("resnet50,lr=-1", InputError, "lr must be above 0"),
        ("resnet50,smallest_crop=0", InputError, "smallest_crop"),
        ("resnet10x", UnknownNameError, "resnet10x"),
        ("alexnet,resolution=32", InputError, "alexnet cannot classify images of 32 pixels"),
        ("alexnet,no_such=1", InputError, "does not accept the options no_such"),
        ("resnet10t,no_such=1", InputError, "no_such"),
    ],
)
def test_impossible_trainings_are_refused_at_once(spec, error, message):
    with pytest.raises(error, match=message):
        make_label_trainer(spec)


def test_networks_of_the_ships_project_exist_in_timm_or_torchvision():
    assert resolve_network("resnet50") == "resnet50"
    assert resolve_network("deit_base") == "deit_base_patch16_224"
    assert resolve_network("alexnet") == "alexnet"
    network = build_network(parse_label_recipe("squeezenet1_1,resolution=64"), 7)
    assert network.training
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", ["resnet50,resolution=32", "deit_base,resolution=16,depth=2", "alexnet,resolution=64"]
)
def test_networks_of_the_ships_project_make_a_step(spec, stripes):
    train, test = stripes
    rows = [0, 1, 12, 13]  # two images of each class
    trainer = make_label_trainer(f"{spec},epochs=1")
    few, classes = train.only(rows), np.asarray(train.labels)[rows]
    scores = trainer.scores(few, classes, test, 2, 0, CPU)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        untrained = build_network(trainer.recipe, 2)
    before = trainer._logits(untrained, test, CPU)
    assert scores.shape == (20, 2) and scores.isfinite().all()
    assert (scores - before).abs().max() > 1e-6  # the step moved the weights
