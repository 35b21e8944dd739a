"""The measurement of coverage: its worlds, its file and its table."""

import math

import numpy as np
import pytest
from typer.testing import CliRunner

from lowlabel.benchmarks.coverage.__main__ import main
from lowlabel.benchmarks.coverage.cells import CELLS
from lowlabel.benchmarks.coverage.classification import KNNCell, LabelBudgetCell
from lowlabel.benchmarks.coverage.fewshot import FewShotCell
from lowlabel.benchmarks.coverage.outcomes import (
    DIFFERENCE,
    Outcome,
    append,
    clopper_pearson,
    read,
    table,
)
from lowlabel.benchmarks.coverage.retrieval import RetrievalCell
from lowlabel.benchmarks.coverage.worlds import World, unequal

SMALL = {
    "fewshot": FewShotCell(6, 12, 1, queries=3),
    "retrieval": RetrievalCell(5, 4),
    "knn": KNNCell(4, 4, grouped=True),
    "budget": LabelBudgetCell(3, 4, 2),
}


def outcomes(kind, target, misses, worlds=1000, truth=0.0):
    return [
        Outcome("cell", seed, "top1", kind, target, 2.0 * (seed < misses), 1.0, truth)
        for seed in range(worlds)
    ]


@pytest.mark.parametrize("name", SMALL)
def test_a_world_is_that_of_its_seed(monkeypatch, name):
    monkeypatch.setattr("lowlabel.benchmarks.coverage.classification._FRESH", 20)
    monkeypatch.setattr("lowlabel.benchmarks.coverage.fewshot._FRESH", 40)
    monkeypatch.setattr("lowlabel.benchmarks.coverage.fewshot._FRESH_TASKS", 50)
    monkeypatch.setattr("lowlabel.benchmarks.coverage.fewshot._TASKS", 50)
    if name == "knn":
        monkeypatch.setattr("lowlabel.benchmarks.coverage.classification._K", 3)
    one, again, other = (list(SMALL[name].outcomes(seed)) for seed in (3, 3, 4))
    assert list(map(repr, one)) == list(map(repr, again)) != list(map(repr, other))
    assert {each.seed for each in other} == {4}
    claims = [each for each in one if each.kind == each.target]
    assert claims and all(each.half_width >= 0 for each in claims)


def test_cells_have_names_of_their_own():
    names = [each.name for each in CELLS]
    assert len(set(names)) == len(names)


def test_images_of_a_burst_share_their_noise():
    world = World.of((0,), 2, 1.0)
    labels = np.zeros(4000, np.int64)
    pairs = world.images(labels, np.ones(4000), burst=4).reshape(1000, 4, -1)[:, :2]
    correlation = np.corrcoef(pairs[:, 0, 0], pairs[:, 1, 0])[0, 1]
    assert correlation == pytest.approx(0.7, abs=0.1)


def test_unequal_classes_have_the_mean_size():
    sizes = np.bincount(unequal(20, 60))
    assert sizes.min() == pytest.approx(2 / 3 * 60, rel=0.05)
    assert sizes.mean() == pytest.approx(60, rel=0.02) and sizes.max() > 2 * sizes.min()


def test_what_was_appended_is_read_and_half_a_line_is_left_out(tmp_path):
    path = tmp_path / "new" / "coverage.csv"
    assert read(path) == []
    wanted = outcomes("images", "images", 1, worlds=3)
    append(path, wanted[:2])
    append(path, wanted[2:])
    assert read(path) == wanted
    with path.open("a") as file:
        file.write("cell,3,top1,im")
    assert read(path) == wanted


def test_clopper_pearson_is_exact():
    assert clopper_pearson(0, 10)[0] == 0 and clopper_pearson(10, 10)[1] == 1
    low, high = clopper_pearson(950, 1000)
    assert (low, high) == pytest.approx((0.92951, 0.96611), abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "target", "misses", "verdict"),
    [
        ("images", "images", 50, "yes"),
        ("images", "images", 110, "no"),
        ("images", "images", 5, "no"),
        ("tasks", "images", 500, ""),
        ("images", DIFFERENCE, 90, "yes"),
        ("images", DIFFERENCE, 110, "no"),
        ("images", DIFFERENCE, 0, "yes"),
    ],
)
def test_the_rule_of_the_table(kind, target, misses, verdict):
    (row,) = table(outcomes(kind, target, misses))
    assert row["holds"] == verdict
    assert row["coverage, %"] == f"{100 - misses / 10:.1f}"
    assert row["worlds"] == 1000


def test_an_unknown_truth_is_the_mean_of_the_other_worlds():
    values = np.random.default_rng(0).normal(60, 10, 50)
    worlds = [
        Outcome("cell", seed, "top1", "classes", "classes", value, 15.0, math.nan)
        for seed, value in enumerate(values)
    ]
    expected = np.mean([abs(v - np.delete(values, i).mean()) <= 15 for i, v in enumerate(values)])
    (row,) = table(worlds)
    assert row["coverage, %"] == f"{100 * expected:.1f}"


def test_a_run_is_continued(tmp_path):
    import typer

    app = typer.Typer()
    app.command()(main)
    path = tmp_path / "coverage.csv"
    arguments = ["--cell", "retrieval 30 × 12", "--output", str(path)]

    def run(worlds):
        found = CliRunner().invoke(app, [*arguments, "--worlds", str(worlds)])
        assert found.exit_code == 0, found.output
        return {(each.cell, each.seed) for each in read(path)}, len(read(path))

    first, length = run(1)
    assert len(first) == 2  # equal and unequal classes
    assert run(1) == (first, length)
    assert run(2)[1] == 2 * length


def test_few_worlds_give_no_verdict():
    (row,) = table(outcomes("images", "images", 2, worlds=40))
    assert row["holds"] == "so far"
