"""A label budget that is killed goes on to the result of one that was not."""

import numpy as np
import pytest
from interrupted import Killed

from lowlabel.classification.budget import BudgetTask, build_budgets, build_learner
from lowlabel.classification.probe.heads import LinearHeads
from lowlabel.classification.unfinished import Unfinished
from lowlabel.errors import DataError

DRAWS = 4


pytestmark = pytest.mark.usefixtures("saves_every_step")


@pytest.fixture(scope="module")
def task():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 30)
    sets = [(np.eye(6)[labels] + random.normal(size=(120, 6)), labels) for _ in range(2)]
    options = {"base": None, "lists": None, "short": "error", "seed": 3, "device": "cpu"}
    return BudgetTask.of(*sets, budgets=build_budgets(7), draws=DRAWS, **options)


def scored(task, method, path=None, kill=None, of="a"):
    def progress(done, total):
        assert total == DRAWS
        if done == kill:
            raise Killed

    file = None if path is None else Unfinished(path, {"experiment": of}, every_s=0)
    return task.score(build_learner(method), task.draws[0], progress, file)


def assert_equal(found, expected):
    assert found.squares == expected.squares
    for name, values in expected.values.items():
        np.testing.assert_array_equal(found.values[name], values, err_msg=name)
        np.testing.assert_array_equal(found.by_draw[name], expected.by_draw[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [[1], [3], [1, 2, 3], [DRAWS]])
@pytest.mark.parametrize("method", ["ncm", "logreg", "knn,k=3", "linear-cached,epochs=5"])
def test_a_killed_budget_scores_the_draws_that_are_left(task, tmp_path, method, kills):
    expected, path, done = scored(task, method), tmp_path / "budget.partial", []
    for kill in kills:
        with pytest.raises(Killed):
            scored(task, method, path, kill)
    file = Unfinished(path, {"experiment": "a"})
    found = task.score(build_learner(method), task.draws[0], lambda n, total: done.append(n), file)
    assert done == list(range(kills[-1] + 1, DRAWS + 1))
    assert_equal(found, expected)


def test_a_training_goes_on_within_its_draw(task, tmp_path, monkeypatch):
    expected, path = scored(task, "linear-cached,epochs=5"), tmp_path / "budget.partial"
    step, steps = LinearHeads.step, []

    def killed_in_the_third_draw(self, *args):
        if len(steps) == 13:
            raise Killed
        steps.append(self)
        return step(self, *args)

    monkeypatch.setattr(LinearHeads, "step", killed_in_the_third_draw)
    with pytest.raises(Killed):
        scored(task, "linear-cached,epochs=5", path)
    monkeypatch.setattr(LinearHeads, "step", lambda self, *a: (steps.append(self), step(self, *a)))
    assert_equal(scored(task, "linear-cached,epochs=5", path), expected)
    assert len(steps) == DRAWS * 5  # a batch holds all labels, so an epoch is a step


def test_the_state_of_another_budget_is_refused(task, tmp_path):
    path = tmp_path / "budget.partial"
    with pytest.raises(Killed):
        scored(task, "ncm", path, 2)
    with pytest.raises(DataError, match="another training"):
        scored(task, "ncm", path, of="b")
