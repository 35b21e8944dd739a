"""A linear probe that is killed goes on to the result of one that was not."""

import numpy as np
import pytest
import torch
from interrupted import Killed

from lowlabel.classification import LinearRecipe, evaluate_linear
from lowlabel.classification.unfinished import Unfinished
from lowlabel.errors import DataError

IMAGES, BATCH = 60, 16
EPOCH = 4  # steps
RECIPES = {
    "one head": LinearRecipe((0.3,), batch_size=BATCH, epochs=5),
    "grid": LinearRecipe((0.1, 0.5, 1.0), batch_size=BATCH, iterations=11),
}


pytestmark = pytest.mark.usefixtures("saves_every_step")


@pytest.fixture(scope="module")
def sets():
    random = np.random.default_rng(0)
    labels = np.arange(IMAGES) % 3
    return [
        each
        for noise in (0.8, 1.0)
        for each in (np.eye(3)[labels] + noise * random.normal(size=(IMAGES, 3)), labels)
    ]


def probe(sets, recipe, path=None, kill=None, of="a"):
    def progress(done, total):
        if done == kill:
            raise Killed

    file = None if path is None else Unfinished(path, {"experiment": of}, every_s=0)
    return evaluate_linear(
        *sets, recipe=RECIPES[recipe], unfinished=file, progress=progress, device="cpu"
    )


@pytest.mark.parametrize(
    ("recipe", "kills"),
    [
        ("one head", [2 * EPOCH]),
        ("one head", [6]),
        ("one head", [1, 7, 12]),
        ("grid", [5]),
        ("grid", [11]),  # the last step before the choice
        ("grid", [12, 17]),  # in the training of the chosen head
    ],
)
def test_a_killed_probe_ends_as_one_that_was_not(sets, tmp_path, recipe, kills):
    expected, path = probe(sets, recipe), tmp_path / "probe.partial"
    for kill in kills:
        with pytest.raises(Killed):
            probe(sets, recipe, path, kill)
        assert path.is_file()
    steps = []
    found = evaluate_linear(
        *sets,
        recipe=RECIPES[recipe],
        unfinished=Unfinished(path, {"experiment": "a"}),
        progress=lambda done, total: steps.append(done),
        device="cpu",
    )
    assert steps[0] in (kills[-1], kills[-1] + 1)  # the last step before the choice is repeated
    assert found.chosen == expected.chosen
    for name, values in expected.values.items():
        np.testing.assert_array_equal(found.values[name], values, err_msg=name)


def test_nothing_is_written_before_it_is_time(sets, tmp_path):
    path = tmp_path / "probe.partial"
    file = Unfinished(path, {}, every_s=3600)
    evaluate_linear(*sets, recipe=RECIPES["one head"], unfinished=file, device="cpu")
    assert not path.exists()


def test_the_state_of_another_training_and_a_damaged_one_are_refused(sets, tmp_path):
    path = tmp_path / "probe.partial"
    with pytest.raises(Killed):
        probe(sets, "one head", path, 6)
    with pytest.raises(DataError, match="another training") as caught:
        probe(sets, "one head", path, of="b")
    assert "Delete it" in caught.value.hint
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read") as caught:
        probe(sets, "one head", path)
    assert "Delete it" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"heads": []},
        {"heads": None},
        {"step": "x"},
        {"step": -1},
        {"chosen": {"head": ["sgd", 0.3], "tried": {}}},
        {"chosen": 3},
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_refused(sets, tmp_path, change):
    path = tmp_path / "probe.partial"
    with pytest.raises(Killed):
        probe(sets, "grid", path, 5)
    file = Unfinished(path, {"experiment": "a"})
    file.save(file.load(torch.device("cpu")) | change)
    with pytest.raises(DataError, match="cannot be resumed from") as caught:
        probe(sets, "grid", path)
    assert "Delete it" in caught.value.hint
