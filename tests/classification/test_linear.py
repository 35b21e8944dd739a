import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lowlabel.classification import RECIPES, LinearRecipe, evaluate_linear, held_out
from lowlabel.classification.probe.grid import LinearGrid
from lowlabel.classification.rows import Rows
from lowlabel.errors import InputError, UnknownNameError

CPU = torch.device("cpu")
RATES = (0.001, 0.02, 0.5)
INPUTS = {"a": slice(0, 8), "b": slice(4, 12), "c": slice(0, 12)}
SHORT = LinearRecipe((0.05,), batch_size=32, epochs=3)


def clusters(images=(40, 25, 7), width=12, noise=1.0, seed=0):
    """Features and labels of classes of unequal size."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(images)), images)
    centres = np.random.default_rng(99).normal(size=(len(images), width))
    rows = centres[labels] + noise * random.normal(size=(len(labels), width))
    return rows.astype(np.float32), labels


def grid_of(recipe, columns, classes=3):
    return LinearGrid(recipe, columns, classes, 0, CPU)


def tensors(*data):
    rows, labels = map(torch.from_numpy, data)
    return rows, labels, torch.arange(len(labels))


def torch_loop(recipe, tables, targets, classes, by_epoch):
    """`torch.nn.Linear`, `torch.optim.SGD` and `CosineAnnealingLR` on the batches of a recipe."""
    layer = torch.nn.Linear(tables[0].shape[1], classes)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        layer.weight.copy_(0.01 * torch.randn(layer.weight.shape, generator=generator))
        layer.bias.zero_()
    (rate,) = recipe.learning_rates
    rate *= recipe.batch_size / 256
    optimiser = torch.optim.SGD(layer.parameters(), rate, momentum=0.9, weight_decay=0)
    length = recipe.epochs if by_epoch else recipe.iterations
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, length, eta_min=0)
    before = 0
    for step in recipe.steps(len(targets), 0):
        if by_epoch and step.epoch != before:
            schedule.step()
            before = step.epoch
        rows = torch.from_numpy(step.rows)
        optimiser.zero_grad()
        batch = tables[step.epoch % len(tables)][rows]
        cross_entropy(layer(batch), targets[rows]).backward()
        optimiser.step()
        if not by_epoch:
            schedule.step()
    return layer


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("batch_size", [32, 500])
def test_training_by_epochs_is_that_of_torch(views, batch_size):
    recipe = LinearRecipe((0.1,), batch_size=batch_size, epochs=6)
    tables = [torch.from_numpy(clusters(seed=view)[0]) for view in range(views)]
    targets = torch.from_numpy(clusters()[1])
    (heads,) = grid_of(recipe, {"all": slice(0, 12)}).train(
        tables, targets, torch.arange(len(targets))
    )
    layer = torch_loop(recipe, tables, targets, 3, by_epoch=True)
    torch.testing.assert_close(heads.weight.T, layer.weight.data, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(heads.bias, layer.bias.data, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch_size", [20, 200])  # 200 is more than there are images
def test_training_by_iterations_is_that_of_torch(batch_size):
    recipe = LinearRecipe((0.1,), batch_size=batch_size, iterations=17)
    rows, targets, images = tensors(*clusters())
    (heads,) = grid_of(recipe, {"all": slice(0, 12)}).train([rows], targets, images)
    layer = torch_loop(recipe, [rows], targets, 3, by_epoch=False)
    torch.testing.assert_close(heads.weight.T, layer.weight.data, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(heads.bias, layer.bias.data, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [{"epochs": 4}, {"iterations": 30}])
def test_the_grid_trains_each_head_as_if_it_were_alone(length):
    recipe = LinearRecipe(RATES, batch_size=16, **length)
    rows, targets, images = tensors(*clusters())
    grid = grid_of(recipe, INPUTS)
    together = grid.train([rows], targets, images)
    assert len(grid.heads) == 9
    for head in grid.heads:
        alone = grid.only(head)
        (heads,) = alone.train([rows], targets, images)
        own = together[list(INPUTS).index(head[0])]
        place = RATES.index(head[1])
        found = own.weight.unflatten(1, (3, 3))[:, place]
        torch.testing.assert_close(found, heads.weight, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            grid.probabilities(together, head, rows),
            alone.probabilities([heads], head, rows),
            rtol=1e-4,
            atol=1e-5,
        )
        (accuracy,) = alone.qualities([heads], Rows(rows), targets)
        probabilities = alone.probabilities([heads], head, rows)
        assert accuracy == pytest.approx(
            100 * (probabilities.argmax(1) == targets).double().mean().item()
        )


def test_every_pass_is_a_permutation_and_batches_by_iterations_are_full():
    recipe = LinearRecipe(batch_size=8, iterations=20)
    steps = list(recipe.steps(20, seed=3))
    assert [len(step.rows) for step in steps] == [8] * 20
    passes = np.concatenate([step.rows for step in steps]).reshape(-1, 20)
    assert all(sorted(each) == list(range(20)) for each in passes.tolist())
    assert len({tuple(each) for each in passes.tolist()}) == len(passes)
    shares = [step.share for step in steps]
    assert shares[0] == 1 and shares[10] == pytest.approx(0.5)
    assert shares == sorted(shares, reverse=True)
    by_epoch = list(LinearRecipe(batch_size=8, epochs=2).steps(20, seed=3))
    assert [len(step.rows) for step in by_epoch] == [8, 8, 4] * 2
    assert [step.share for step in by_epoch] == [1] * 3 + [pytest.approx(0.5)] * 3
    assert LinearRecipe(batch_size=8, epochs=2).count(20) == 6


def test_the_recipes_are_those_of_the_authors():
    dino, grid = RECIPES["dino"], RECIPES["dinov2"]
    assert (dino.learning_rates, dino.epochs, dino.iterations) == ((0.001,), 100, None)
    assert [RECIPES[n].learning_rates[0] * RECIPES[n].scale for n in ("dino-resnet50", "scfs")] == [
        pytest.approx(0.3),
        pytest.approx(0.08),
    ]
    assert len(grid.learning_rates) == 13
    assert (grid.learning_rates[0], grid.learning_rates[-1]) == (1e-5, 0.1)
    assert (grid.iterations, grid.batch_size) == (12_500, 1024)


GRID = LinearRecipe(RATES, batch_size=16, iterations=40)


def test_the_best_on_validation_is_scored_whatever_the_test_labels():
    train, test = clusters(), clusters(seed=1)
    validation = clusters(seed=2)
    arguments = {"validation": validation, "recipe": GRID, "columns": INPUTS, "device": "cpu"}
    found = evaluate_linear(*train, *test, **arguments)
    tried = found.chosen["tried"]
    assert len(tried) == 9
    best = max(tried.values())
    assert found.chosen["method"] == next(spec for spec, value in tried.items() if value == best)
    other = evaluate_linear(*train, test[0], test[1][::-1].copy(), **arguments)
    assert other.chosen == found.chosen
    name, rate = found.chosen["method"].split("input=")[1].split(",learning_rate=")
    alone = evaluate_linear(
        *train,
        *test,
        recipe=LinearRecipe((float(rate),), batch_size=16, iterations=40),
        columns={name: INPUTS[name]},
        device="cpu",
    )
    assert alone.chosen == {}
    assert alone.metrics == pytest.approx(found.metrics, abs=1e-2)


def test_without_validation_a_tenth_is_held_out_and_the_chosen_head_learns_from_all():
    train, test = clusters(), clusters(seed=1)
    found = evaluate_linear(*train, *test, recipe=GRID, device="cpu")
    held = held_out(train[1])
    on_held = evaluate_linear(
        train[0][~held],
        train[1][~held],
        *test,
        validation=(train[0][held], train[1][held]),
        recipe=GRID,
        device="cpu",
    )
    assert found.chosen == on_held.chosen
    rate = float(found.chosen["method"].split("=")[1])
    alone = LinearRecipe((rate,), batch_size=16, iterations=40)
    again = evaluate_linear(*train, *test, recipe=alone, device="cpu")
    assert found.metrics == pytest.approx(again.metrics, abs=1e-9)


def test_views_are_taken_in_turn():
    train, test = clusters(), clusters(seed=1)
    plain = evaluate_linear(*train, *test, recipe=SHORT, device="cpu")
    same = evaluate_linear(*train, *test, recipe=SHORT, views=[train[0]] * 2, device="cpu")
    assert same.metrics == plain.metrics
    unlike = [clusters(seed=3, noise=5)[0], train[0]]
    mixed = evaluate_linear(*train, *test, recipe=SHORT, views=unlike, device="cpu")
    assert mixed.metrics["ece"] != pytest.approx(plain.metrics["ece"], abs=1e-6)


def test_well_separated_classes_are_told_apart_however_few_the_images():
    rows = np.eye(3, dtype=np.float64)
    recipe = LinearRecipe((0.5,))
    found = evaluate_linear(rows, [5, -2, 9], rows, [5, -2, 9], recipe=recipe, device="cpu")
    assert found.metrics["top1"] == 100
    assert (found.classes, found.unseen) == (3, 0)
    one = evaluate_linear(rows, [5, -2, 9], rows[:1], [5], recipe=recipe, device="cpu")
    assert one.metrics["top1"] == 100 and np.isnan(one.ci95["top1"])


def test_class_numbers_do_not_matter_and_unseen_classes_are_wrong():
    train, (rows, labels) = clusters(), clusters(seed=1)
    plain = evaluate_linear(*train, rows, labels, recipe=SHORT, device="cpu")
    moved = evaluate_linear(
        train[0], 10 * train[1] - 7, rows, 10 * labels - 7, recipe=SHORT, device="cpu"
    )
    assert moved.metrics == plain.metrics
    turned = evaluate_linear(train[0], 2 - train[1], rows, 2 - labels, recipe=SHORT, device="cpu")
    assert turned.metrics["top1"] == pytest.approx(plain.metrics["top1"], abs=5)  # first weights
    labels = labels.copy()
    labels[:10] = 77
    assert evaluate_linear(*train, rows, labels, recipe=SHORT, device="cpu").unseen == 10


def test_heads_that_diverge_are_never_chosen():
    (rows, labels), test = clusters(noise=0.1), clusters(seed=1)
    recipe = LinearRecipe((1e38, 0.1), batch_size=256, iterations=60)
    found = evaluate_linear(1000 * rows, labels, *test, recipe=recipe, device="cpu")
    tried = list(found.chosen["tried"].values())
    assert tried[0] is None and tried[1] is not None
    assert "0.1" in found.chosen["method"]
    worse = LinearRecipe((1e38, 2e38), batch_size=256, iterations=60)
    for diverging in (worse, LinearRecipe((1e38,), epochs=60)):
        with pytest.raises(InputError, match="training diverged"):
            evaluate_linear(1000 * rows, labels, *test, recipe=diverging, device="cpu")


def test_progress_covers_the_choice_and_the_second_training():
    seen = []
    train = clusters()
    evaluate_linear(
        *train, *train, recipe=GRID, device="cpu", progress=lambda *done: seen.append(done)
    )
    assert seen == [(done, 80) for done in range(1, 81)]
    seen.clear()
    evaluate_linear(
        *train, *train, recipe=SHORT, device="cpu", progress=lambda *done: seen.append(done)
    )
    assert seen == [(done, 9) for done in range(1, 10)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {"none": slice(3, 3)}}, "columns none are no range of the 12"),
        ({"columns": {"odd": slice(0, 12, 2)}}, "columns odd"),
        ({"columns": {}}, "no range of the 12"),
        ({"views": [clusters()[0][1:]]}, "view 1 has 71 rows for 72 train images"),
        ({"views": [clusters()[0][:, 1:]]}, "view 1 11"),
        ({"seed": -1}, "seed=-1"),
        ({"recipe": 3}, "3 is not the name of a recipe"),
        ({"validation": (clusters()[0], clusters()[1] + 50)}, "72 validation images has a class"),
        ({"validation": (clusters()[0][:, 1:], clusters()[1])}, "validation features 11"),
    ],
)
def test_wrong_input_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        evaluate_linear(*clusters(), *clusters(), **({"recipe": GRID, "device": "cpu"} | changes))


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rates": ()},
        {"learning_rates": 0.1},
        {"learning_rates": ("fast",)},
        {"learning_rates": (0.1, -1.0)},
        {"learning_rates": (0.1, 0.1)},
        {"learning_rates": (float("nan"),)},
        {"batch_size": 0},
        {"epochs": 0},
        {"iterations": 0},
    ],
)
def test_a_recipe_that_cannot_be_is_refused(values):
    with pytest.raises(InputError, match=next(iter(values))):
        LinearRecipe(**values)


def test_an_unknown_recipe_and_one_image_of_each_class_are_refused():
    with pytest.raises(UnknownNameError, match="dinov5"):
        evaluate_linear(*clusters(), *clusters(), recipe="dinov5")
    rows = np.eye(3)
    with pytest.raises(InputError, match="no class of the 3 train images has two"):
        evaluate_linear(rows, [0, 1, 2], rows, [0, 1, 2], recipe=GRID, device="cpu")
