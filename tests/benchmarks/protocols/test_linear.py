from dataclasses import replace

import numpy as np
import pytest

from lowlabel.benchmarks import make_plan, run_plan
from lowlabel.benchmarks.protocols.linear import Linear, input_columns, input_of_dino
from lowlabel.classification import LinearRecipe, evaluate_linear
from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.features import BackboneOptions
from lowlabel.results.reference import load_references

SHORT = ("linear.epochs=2", "linear.iterations=4", "linear.batch_size=16")
SHORT_DINO = ("linear.epochs=2", "linear.batch_size=16")
VIT = "random:vit_tiny_patch16_224,img_size=32,patch_size=8,embed_dim=24,depth=5,num_heads=2"


@pytest.fixture
def birds(draw_birds):
    return draw_birds(40, 36)


@pytest.fixture
def small_vit():
    """How a random ViT of five blocks is loaded, and its name."""
    return {"model": (VIT,), "backbone": BackboneOptions(resolution=32, device="cpu")}


def linear_records(request):
    """The records of the linear probes alone."""
    plan = make_plan(request)
    jobs = tuple(job for job in plan.jobs if job.protocol.name == "linear")
    found = run_plan(replace(plan, jobs=jobs), request)
    assert found.failures == []
    return found.records


def test_a_vit_has_four_inputs_and_the_grid_52_heads(request_of, birds, small_vit):
    request = request_of("classification", birds, settings=SHORT, **small_vit)
    dino, grid = linear_records(request)
    assert {r.experiment.model.pooling for r in (dino, grid)} == {"cls@4+mean"}
    assert dino.experiment.method.spec == "linear-cached,batch_size=16,epochs=2,recipe=dino"
    assert dino.experiment.method.options == {
        "recipe": "dino",
        "batch_size": 16,
        "epochs": 2,
        "seed": 0,
        "input": "cls@4",
        "learning_rate": 0.001,
        "views": 0,
    }
    assert dino.chosen == {}
    assert set(dino.experiment.feature_keys) == {"train", "test"}
    method = grid.experiment.method
    assert method.spec == "linear-grid-cached,batch_size=16,iterations=4,recipe=dinov2"
    assert method.options["inputs"] == ["cls", "cls+mean", "cls@4", "cls@4+mean"]
    assert method.options["tuned"] == {"part": "val"}
    assert len(grid.chosen["tried"]) == 52
    assert grid.chosen["where"] == "val"
    assert grid.chosen["method"] in grid.chosen["tried"]
    assert set(grid.experiment.feature_keys) == {"train", "val", "test"}
    names = {"top1", "top5", "balanced_accuracy", "macro_f1", "auroc", "ece"}
    assert set(dino.scores) == set(grid.scores) == names
    assert dino.counts == {"images": 9, "train": 18}


def test_the_inputs_are_the_poolings_of_their_names(request_of, birds, small_vit, monkeypatch):
    seen = []
    monkeypatch.setattr(Linear, "trials", lambda self, data, device: seen.append(data) or ())
    named = {}
    for pooling in (None, "cls", "cls+mean", "cls@4"):
        options = replace(small_vit["backbone"], pooling=pooling)
        linear_records(request_of("classification", birds, **(small_vit | {"backbone": options})))
        named[pooling] = seen.pop().evaluated.features
        if pooling is None:
            columns = input_columns_of(named[None], "cls@4+mean")
    for name in ("cls", "cls+mean", "cls@4"):
        np.testing.assert_allclose(named[None][:, columns[name]], named[name], atol=1e-5)
    assert columns["cls@4+mean"] == slice(0, 5 * 24)


def input_columns_of(features, pooling):
    """The columns of a table of this pooling."""

    class Data:
        embedder = type("Embedder", (), {"pooling": pooling})
        evaluated = type("Table", (), {"features": features})

    return input_columns(Data)


@pytest.mark.parametrize(
    ("width", "pooling", "dino", "heads"),
    [
        (384 * 5, "cls@4+mean", "cls@4", 4),
        (768 * 5, "cls@4+mean", "cls+mean", 4),
        (384 * 3, "cls@2+mean", "cls@2", 4),
        (384 * 2, "cls@1+mean", "cls", 2),
        (2048, "head", "head", 1),
        (64, "", "all", 1),
    ],
)
def test_dino_takes_four_blocks_of_small_models(width, pooling, dino, heads):
    columns = input_columns_of(np.zeros((1, width)), pooling)
    assert input_of_dino(columns) == dino
    assert len(columns) == heads
    assert max(part.stop for part in columns.values()) == width


def test_views_have_keys_and_records_of_their_own(request_of, birds):
    settings = (*SHORT_DINO, "linear.views=2", "linear.recipe=dino")
    (viewed,) = linear_records(request_of("classification", birds, settings=settings))
    assert set(viewed.experiment.feature_keys) == {"train view 0", "train view 1", "test"}
    assert len(set(viewed.experiment.feature_keys.values())) == 3
    assert viewed.experiment.method.spec.endswith("recipe=dino,views=2")
    settings = (*SHORT_DINO, "linear.recipe=dino")
    (plain,) = linear_records(request_of("classification", birds, settings=settings))
    assert plain.identity() != viewed.identity()
    settings = (*SHORT_DINO, "linear.views=2", "linear.recipe=dino", "linear.seed=1")
    (other,) = linear_records(request_of("classification", birds, settings=settings))
    assert other.experiment.feature_keys["test"] == viewed.experiment.feature_keys["test"]
    keys = {r.experiment.feature_keys["train view 0"] for r in (viewed, other)}
    assert len(keys) == 2


def test_the_scores_are_those_of_the_arrays(learned):
    protocol = Linear(iterations=30, epochs=5, learning_rate=0.2, batch_size=16)
    dino, grid = protocol.trials(learned, "cpu")
    train, test = learned.train, learned.evaluated
    arrays = (train.features, train.labels, test.features, test.labels)
    for trial, recipe in (
        (dino, LinearRecipe((0.2,), 16, 5)),
        (grid, replace(protocol._recipe("dinov2"), batch_size=16)),
    ):
        (scores,) = trial.run()
        alone = evaluate_linear(*arrays, recipe=recipe, device="cpu")
        found = {name: score.mean for name, score in scores.scores.items()}
        assert found == pytest.approx(alone.metrics)
    assert len(scores.chosen["tried"]) == 13
    assert scores.chosen["where"] == "a tenth of each class of train"
    (experiment,) = grid.experiments
    assert experiment.method.options["tuned"] == {"part": "base", "share": 0.1, "seed": 0}
    assert experiment.protocol.name == "base → all"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"recipe": ()}, "no recipe"),
        ({"recipe": ("dinov2",), "views": 2}, "linear.views=2 means nothing to recipe dinov2"),
        ({"recipe": ("dinov2",), "epochs": 2}, "linear.epochs=2"),
        ({"recipe": ("dino",), "iterations": 2}, "linear.iterations=2"),
        ({"recipe": ("dinov2",), "learning_rate": 0.1}, "linear.learning_rate=0.1"),
        ({"views": -1}, "views=-1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"learning_rate": 0.0}, "learning_rates"),
    ],
)
def test_options_that_mean_nothing_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        Linear(**fields)


def test_views_need_images_and_crops(request_of, learned, tmp_path, birds):
    with pytest.raises(UnknownNameError, match="dinov5"):
        Linear(recipe=("dinov5",))
    file = tmp_path / "learned.npz"
    request = request_of("classification", features=file, settings=("linear.views=2",))
    assert any("linear.views are made from images" in note for note in notes_of(request))
    whole = BackboneOptions("head", 4, framing="square", device="cpu")
    with pytest.raises(InputError, match="framing=square"):
        make_plan(request_of("classification", birds, settings=("linear.views=2",), backbone=whole))


def notes_of(request):
    """What a plan leaves out, or why it is refused."""
    try:
        return make_plan(request).skipped
    except UserError as error:
        return [error.message]


def test_published_linear_probes_are_of_no_cached_crop():
    methods = {r.method_name for r in load_references() if r.suite == "classification"}
    assert "linear" in methods or not methods - {"knn", ""}
    assert not methods & {"linear-cached", "linear-grid-cached"}
