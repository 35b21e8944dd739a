"""Label budgets of networks that are trained on the labels alone."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image

from lowlabel.benchmarks import Request, make_plan, run_plan
from lowlabel.benchmarks.describe import describe_plan
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features import BackboneOptions
from lowlabel.results.figures.curves import panels

MODEL = "scratch:means"
COLOURS = {"crow": 40, "gull": 200, "finch": 120}


@dataclass(frozen=True)
class Means:
    """Nearest mean of the brightness: a quick stand-in for a network."""

    spec: str = "means,epochs=1"
    resolution: int = 16
    preprocessing: dict = field(default_factory=lambda: {"resize": 16})
    seen: list = field(default_factory=list)

    def scores(self, train, classes, test, number, seed, device):
        self.seen.append((seed, train.paths))
        light = [np.asarray(Image.open(train.root / path)).mean() for path in train.paths]
        means = [np.array(light)[classes == k].mean() for k in range(number)]
        tested = [np.asarray(Image.open(test.root / path)).mean() for path in test.paths]
        return -(torch.tensor(tested)[:, None] - torch.tensor(means)).abs().float()


@pytest.fixture
def birds(tmp_path):
    random = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        for part, images in (("train", 12), ("test", 4)):
            folder = tmp_path / "birds" / part / name
            folder.mkdir(parents=True)
            for index in range(images):
                noise = random.integers(-30, 30, (16, 16, 3))
                Image.fromarray((colour + noise).astype(np.uint8)).save(folder / f"{index}.png")
    return f"folder:{tmp_path / 'birds'}"


def request(tmp_path, birds, trainer, *models, suite="label-budget", **changes):
    options = {"dataset": (birds,)} | ({"method": ("ncm",)} if suite == "label-budget" else {})
    budgets = "label-budget.budgets=(1,5)", "label-budget.draws=2"
    return Request(
        suite,
        tmp_path / "out",
        (*models,) or (MODEL,),
        options=options,
        settings=budgets if suite == "label-budget" else (),
        make_trainer=lambda spec: trainer,
        **changes,
    )


def test_each_draw_of_each_budget_trains_a_network_on_its_images(tmp_path, birds):
    trainer = Means()
    asked = request(tmp_path, birds, trainer)
    outcome = run_plan(make_plan(asked), asked)
    assert not outcome.failures
    assert [(seed, len(paths)) for seed, paths in trainer.seen] == [
        *((seed, 3) for seed in (0, 1)),
        *((seed, 15) for seed in (0, 1)),
    ]
    one, five = outcome.records
    assert one.score("top1").mean == 100.0
    assert one.experiment.method.spec == "from-labels"
    model = one.experiment.model
    assert (model.name, model.spec) == (MODEL, "scratch:means,epochs=1")
    assert (model.weights_sha256, model.resolution) == (None, 16)
    assert five.counts["labelled"] == 15
    again = run_plan(make_plan(asked), asked)
    assert len(trainer.seen) == 4  # found, not trained again
    assert [r.identity() for r in again.records] == [r.identity() for r in outcome.records]


def test_frozen_models_see_the_same_draws_and_stand_in_one_panel(tmp_path, birds):
    asked = request(tmp_path, birds, Means(), MODEL, "pixels")
    records = run_plan(make_plan(asked), asked).records
    hashes = {r.experiment.model.name: [] for r in records}
    for record in records:
        hashes[record.experiment.model.name].append(record.task_hash)
    assert hashes[MODEL] == hashes["pixels"]
    ((_, methods),) = panels(records).items()
    assert {m: [curve.model for curve in curves] for m, curves in methods.items()} == {
        "ncm": ["pixels", MODEL]
    }


def test_other_images_are_another_experiment(tmp_path, birds):
    asked = request(tmp_path, birds, Means())
    first = run_plan(make_plan(asked), asked).records[0].identity()
    path = tmp_path / "birds" / "train" / "crow" / "0.png"
    Image.fromarray(np.full((16, 16, 3), 9, np.uint8)).save(path)
    assert run_plan(make_plan(asked), asked).records[0].identity() != first


def test_the_plan_says_that_networks_are_trained(tmp_path, birds):
    asked = request(tmp_path, birds, Means())
    text = describe_plan(make_plan(asked), asked)
    assert "2 label budgets × 2 draws × 1 method " in text
    assert "trained for each draw" in text


def test_what_cannot_be_trained_is_refused(tmp_path, birds):
    with pytest.raises(InputError, match="nothing here has one"):
        make_plan(request(tmp_path, birds, Means(), suite="classification"))
    flags = tmp_path / "flags.csv"
    flags.write_text("path\ntrain/crow/0.png\n")
    with pytest.raises(InputError, match="do not go with it"):
        make_plan(request(tmp_path, birds, Means(), without=flags))
    untrained = Request("label-budget", tmp_path, (MODEL,), options={"dataset": (birds,)})
    with pytest.raises(InputError, match="needs a trainer"):
        make_plan(untrained)


def test_options_of_preprocessing_belong_into_the_name(tmp_path, birds):
    small = BackboneOptions(resolution=8)
    with pytest.raises(InputError, match="has options of its own") as caught:
        make_plan(request(tmp_path, birds, Means(), backbone=small))
    assert "scratch:means,resolution=128" in caught.value.hint
    (note,) = make_plan(request(tmp_path, birds, Means(), MODEL, "pixels", backbone=small)).skipped
    assert note.endswith("for scratch:means: it has its own")


def test_an_unknown_network_is_an_error_before_any_work(tmp_path, birds):
    from lowlabel.training.from_labels import make_label_trainer

    asked = Request(
        "label-budget",
        tmp_path,
        ("scratch:no_such",),
        options={"dataset": (birds,)},
        make_trainer=make_label_trainer,
    )
    with pytest.raises(UnknownNameError, match="no_such"):
        make_plan(asked)
