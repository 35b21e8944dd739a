import pytest
import torch

from lowlabel.features.models.embedding_head import HeadShape
from lowlabel.training.engine.monitor import TrainingError
from lowlabel.training.finetuning import make_finetune_recipe
from lowlabel.training.finetuning.head_tuning import Labelled, tune_head
from lowlabel.training.finetuning.validation import best_epoch, validation_scores

EACH, WIDTH, SIGNAL = 12, 24, 6


def classes(count, seed):
    """Features whose first axes tell classes apart, among noise on the others."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count).repeat_interleave(EACH)
    centres = torch.randn(count, SIGNAL, generator=generator)
    features = torch.randn(len(labels), WIDTH, generator=generator)
    features[:, :SIGNAL] = centres[labels] + 0.3 * features[:, :SIGNAL]
    return Labelled(5 * features, labels)


LEARNED, HELD_OUT, UNSEEN = classes(24, 0), classes(8, 1), classes(12, 2)


def recipe(loss="multi-similarity", **changes):
    values = {"epochs": 12, "batch_size": 48, "lr": 1e-2}
    settings = [f"{k}={v}" for k, v in (values | changes).items()]
    return make_finetune_recipe("pixels", loss, None, settings, frozen=True)


def shape(layers=1, dimension=WIDTH):
    return HeadShape(layers, dimension, True, "cls")


def map_at_r(features, labels):
    return validation_scores(features, labels, "cpu")["map@r"]


@pytest.mark.parametrize("loss", ["margin", "proxy-nca", "multi-similarity"])
def test_a_tuned_head_finds_more_of_unseen_classes_than_frozen_features(loss):
    pytest.importorskip("pytorch_metric_learning")
    found = tune_head(LEARNED, HELD_OUT, recipe(loss), shape())
    before = map_at_r(UNSEEN.features, UNSEEN.labels)
    after = map_at_r(found.head(UNSEEN.features), UNSEEN.labels)
    assert after > before + 10
    assert found.losses[-1] < found.losses[0]


def test_the_exported_head_is_that_of_the_best_epoch():
    found = tune_head(LEARNED, HELD_OUT, recipe("proxy-nca"), shape())
    assert len(found.scores) == 13
    assert found.epoch == best_epoch(found.scores, "map@r") > 0
    scores = validation_scores(found.head(HELD_OUT.features), HELD_OUT.labels, "cpu")
    assert scores["map@r"] == pytest.approx(found.scores[found.epoch]["map@r"], abs=0.5)
    cut = tune_head(LEARNED, HELD_OUT, recipe("proxy-nca", epochs=found.epoch), shape())
    torch.testing.assert_close(
        cut.head(UNSEEN.features), found.head(UNSEEN.features), rtol=1e-4, atol=1e-5
    )


def test_a_whole_head_starts_with_the_cosines_of_the_features():
    frozen = recipe("proxy-nca", epochs=1, lr=1e-12)
    found = tune_head(LEARNED, None, frozen, shape(dimension=WIDTH + 3))
    rows = torch.nn.functional.normalize(UNSEEN.features)
    embeddings = found.head(UNSEEN.features)
    torch.testing.assert_close(embeddings @ embeddings.T, rows @ rows.T, rtol=1e-4, atol=1e-4)


def test_without_validation_classes_the_last_epoch_is_kept():
    found = tune_head(LEARNED, None, recipe("proxy-nca", epochs=3), shape(layers=2))
    assert (found.epoch, found.scores, len(found.losses)) == (3, [], 3)
    assert found.head(UNSEEN.features).shape == (len(UNSEEN.labels), WIDTH)


def test_a_loss_that_diverges_stops_the_tuning():
    broken = Labelled(LEARNED.features.clone(), LEARNED.labels)
    broken.features[0] = torch.inf
    with pytest.raises(TrainingError, match=r"the loss proxy-nca is nan in epoch 1"):
        tune_head(broken, None, recipe("proxy-nca"), shape(layers=2))
