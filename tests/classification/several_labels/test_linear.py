"""Linear probes of several labels, beside a loop of torch and scikit-learn's curve."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_curve
from torch.nn.functional import binary_cross_entropy_with_logits

from lowlabel.classification import LinearRecipe, evaluate_linear_several_labels, held_out
from lowlabel.errors import InputError

RATES = (0.01, 0.3, 2.0)
BY_EPOCHS = LinearRecipe((0.3,), batch_size=32, epochs=4)
BY_BATCHES = LinearRecipe((0.3,), batch_size=32, iterations=9)
GRID = LinearRecipe(RATES, batch_size=32, iterations=9)


def mean_area(labels, scores):
    found = []
    for own, of in zip(labels.T, scores.T, strict=True):
        if own.any():
            precision, recall, _ = precision_recall_curve(own, of)
            found.append(100 * -np.diff(recall) @ np.maximum.accumulate(precision[:-1]))
    return np.mean(found)


def trained(recipe, features, labels, rate):
    """`torch.nn.Linear`, `torch.optim.SGD` and `CosineAnnealingLR` on the batches of a recipe."""
    rows = torch.from_numpy(features.astype(np.float32))
    targets = torch.from_numpy(labels.astype(np.float32))
    layer = torch.nn.Linear(rows.shape[1], labels.shape[1])
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        layer.weight.copy_(0.01 * torch.randn(layer.weight.shape, generator=generator))
        layer.bias.zero_()
    optimiser = torch.optim.SGD(layer.parameters(), rate * recipe.batch_size / 256, momentum=0.9)
    by_epoch = recipe.iterations is None
    length = recipe.epochs if by_epoch else recipe.iterations
    schedule, before = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, length), 0
    for step in recipe.steps(len(rows), 0):
        if by_epoch and step.epoch != before:
            schedule.step()
            before = step.epoch
        optimiser.zero_grad()
        batch = torch.from_numpy(step.rows)
        loss = binary_cross_entropy_with_logits(layer(rows[batch]), targets[batch], reduction="sum")
        (loss / len(batch)).backward()
        optimiser.step()
        if not by_epoch:
            schedule.step()
    return lambda x: layer(torch.from_numpy(x.astype(np.float32))).detach().numpy()


@pytest.mark.parametrize("recipe", [BY_EPOCHS, BY_BATCHES])
def test_a_head_is_that_of_torch(drawn, recipe):
    train, test = drawn(90), drawn(60, seed=1)
    scores = trained(recipe, *train, 0.3)(test.features)
    result = evaluate_linear_several_labels(*train, *test, recipe=recipe)
    assert result.metrics["mean_ap"] == pytest.approx(mean_area(test.labels, scores))
    assert result.chosen == {}


def test_the_rate_has_the_highest_map_on_the_validation_images(drawn):
    train, test, val = drawn(90), drawn(60, seed=1), drawn(40, seed=2)
    result = evaluate_linear_several_labels(*train, *test, recipe=GRID, validation=val)
    heads = {rate: trained(GRID, *train, rate) for rate in RATES}
    tried = {r: mean_area(val.labels, head(val.features)) for r, head in heads.items()}
    assert [*result.chosen["tried"].values()] == pytest.approx([*tried.values()])
    best = max(tried, key=tried.get)
    assert result.chosen["method"] == f"linear,learning_rate={best}"
    assert result.metrics["mean_ap"] == pytest.approx(
        mean_area(test.labels, heads[best](test.features))
    )


def test_a_tenth_by_the_rarest_label_is_held_out(drawn):
    (features, labels), test = drawn(120), drawn(60, seed=1)
    rarity = labels.sum(axis=0)
    rarest = np.array(
        [min(np.flatnonzero(row), key=lambda j: rarity[j]) if row.any() else -1 for row in labels]
    )
    held = held_out(rarest, seed=0)
    result = evaluate_linear_several_labels(features, labels, *test, recipe=GRID)
    heads = {rate: trained(GRID, features[~held], labels[~held], rate) for rate in RATES}
    tried = {r: mean_area(labels[held], head(features[held])) for r, head in heads.items()}
    assert [*result.chosen["tried"].values()] == pytest.approx([*tried.values()])
    again = trained(GRID, features, labels, max(tried, key=tried.get))
    assert result.metrics["mean_ap"] == pytest.approx(mean_area(test.labels, again(test.features)))


def test_blocks_of_labels_and_images_change_nothing(drawn, monkeypatch):
    train, test = drawn(90), drawn(60, seed=1)
    whole = evaluate_linear_several_labels(*train, *test, recipe=GRID)
    monkeypatch.setattr("lowlabel.classification.several_labels.head_loss._ELEMENTS", 1)
    monkeypatch.setattr("lowlabel.classification.several_labels.result._ELEMENTS", 1)
    monkeypatch.setattr("lowlabel.classification.probe.losses._BLOCK_ELEMENTS", 40)
    again = evaluate_linear_several_labels(*train, *test, recipe=GRID)
    assert again.chosen["tried"] == pytest.approx(whole.chosen["tried"])
    np.testing.assert_allclose(again.average_precision, whole.average_precision)


def test_some_rows_are_those_rows(drawn):
    train, test, rows = drawn(90), drawn(60, seed=1), np.arange(0, 90, 2)
    some = evaluate_linear_several_labels(*train, *test, recipe=BY_BATCHES, rows=rows)
    alone = evaluate_linear_several_labels(
        train.features[rows], train.labels[rows], *test, recipe=BY_BATCHES
    )
    np.testing.assert_allclose(some.average_precision, alone.average_precision)


def test_views_are_learned_from_in_turn(drawn):
    train, test = drawn(90), drawn(60, seed=1)
    plain = evaluate_linear_several_labels(*train, *test, recipe=BY_EPOCHS)
    views = [train.features, train.features]
    same = evaluate_linear_several_labels(*train, *test, recipe=BY_EPOCHS, views=views)
    np.testing.assert_array_equal(same.average_precision, plain.average_precision)
    views = [train.features, -train.features]
    other = evaluate_linear_several_labels(*train, *test, recipe=BY_EPOCHS, views=views)
    assert other.metrics["mean_ap"] < plain.metrics["mean_ap"]


def test_equal_images_are_ties(drawn):
    train, test = drawn(90), drawn(60, seed=1)
    test.features[:] = test.features[:1]
    result = evaluate_linear_several_labels(*train, *test, recipe=BY_BATCHES)
    np.testing.assert_allclose(result.average_precision, 100 * test.labels.mean(axis=0))


def test_weights_that_are_not_finite_are_said(drawn):
    train, test = drawn(90), drawn(60, seed=1)
    hot = LinearRecipe((1e38,), batch_size=32, iterations=9)
    with pytest.raises(InputError, match="training diverged"):
        evaluate_linear_several_labels(1e30 * train.features, train.labels, *test, recipe=hot)


def test_what_cannot_be_chosen_is_said(drawn):
    train, test = drawn(90), drawn(60, seed=1)
    lone = np.zeros((90, 5), dtype=bool)
    lone[np.arange(5), np.arange(5)] = True
    with pytest.raises(InputError, match="no label of the 90 train images has two images"):
        evaluate_linear_several_labels(train.features, lone, *test, recipe=GRID)
    one = np.array([0, 1, 1, 1, 1], dtype=bool)
    val = drawn(40, seed=2)
    val = val.features, val.labels & ~one
    with pytest.raises(InputError, match="none of the 40 validation images has a label that the"):
        evaluate_linear_several_labels(
            train.features, train.labels & one, *test, recipe=GRID, validation=val
        )
