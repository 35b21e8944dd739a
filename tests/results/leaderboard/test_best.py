from dataclasses import replace

import numpy as np
import pytest

from lowlabel.results import archive_records, load, open_records, save_record, scores_frame
from lowlabel.results.leaderboard import leaderboard, make_board
from lowlabel.results.record import Score, StoredInterval
from lowlabel.results.render import render_csv, render_latex, render_markdown
from lowlabel.results.report import render_report, render_terminal

CLASSES = 20


@pytest.fixture
def near(fewshot):
    """Two models whose difference of 0.5 shows only where it is paired, and one far below."""
    common = np.random.default_rng(0).normal(60, 10, 300)
    own = np.random.default_rng(1).normal(0, 1, (2, 300))
    return [
        fewshot("first", values=common + 0.5 + own[0]),
        fewshot("second", values=common + own[1]),
        fewshot("third", values=common - 30),
    ]


def bold(sections):
    """Models of the bold cells, by the heading of their column."""
    found = {}
    for section in sections:
        for table in section.tables:
            for row, column in sorted(table.bold):
                model = table.frame["Model"][row]
                found.setdefault(table.frame.columns[column], []).append(model)
    return found


def finder(scored):
    by_model = {one.record.experiment.model.name: one for one in scored}
    return lambda record: by_model[record.experiment.model.name]


def test_what_is_not_told_apart_from_the_best_is_bold(near):
    (section,) = leaderboard([one.record for one in near])
    assert bold([section]) == {"5-way 1-shot": ["first", "second"]}
    (note,) = (note for note in section.notes if note.startswith("Bold: "))
    assert note.endswith("Scores near the best were compared unpaired over tasks (1).")


def test_scores_of_the_same_tasks_are_paired(near):
    (section,) = leaderboard([one.record for one in near], scored=finder(near))
    assert bold([section]) == {"5-way 1-shot": ["first"]}
    assert any(note.endswith("compared paired over tasks (1).") for note in section.notes)


def test_scores_of_other_tasks_are_not_paired(near):
    first, second, _ = near
    second = replace(second, record=replace(second.record, task_hash="others"))
    sections = leaderboard([first.record, second.record], scored=finder([first, second]))
    assert bold(sections) == {"5-way 1-shot": ["first", "second"]}


def test_the_scores_of_what_is_far_from_the_best_are_not_read(near):
    def only_near(record):
        assert record.experiment.model.name != "third"
        return finder(near)(record)

    leaderboard([one.record for one in near], scored=only_near)


def test_many_rows_are_corrected_together(fewshot):
    """A difference that is shown alone is not among twenty."""
    common = np.random.default_rng(2).normal(60, 10, 300)
    noise = np.random.default_rng(3).normal(0, 1, (21, 300))
    noise -= noise.mean(1, keepdims=True)
    scored = [fewshot("best", values=common + 0.17 + noise[0])]
    scored += [fewshot(f"other {n}", values=common + noise[n]) for n in range(1, 21)]
    alone, among = (
        leaderboard([one.record for one in some], scored=finder(some))
        for some in (scored[:2], scored)
    )
    assert bold(alone) == {"5-way 1-shot": ["best"]}
    assert bold(among)["5-way 1-shot"][0] == "best"
    assert len(bold(among)["5-way 1-shot"]) > 1


def test_the_pair_is_over_the_kind_of_interval_that_the_table_shows(fewshot):
    """Over tasks the two differ; over classes they do not, since one class makes the difference."""
    common = np.random.default_rng(4).normal(60, 10, 300)
    scored = []
    for model, shift in (("first", 0.5), ("second", 0.0)):
        one = fewshot(model, values=common + shift)
        without = np.full(CLASSES, one.per_item["accuracy"].mean())
        without[0] -= shift
        kinds = {"classes": StoredInterval(2.0, "jackknife"), "tasks": StoredInterval(1.0, "tasks")}
        record = replace(one.record, intervals={"accuracy": kinds}, interval="classes")
        scored.append(replace(one, record=record, replicates={"accuracy": {"classes": without}}))
    (section,) = leaderboard([one.record for one in scored], scored=finder(scored))
    assert bold([section]) == {"5-way 1-shot": ["first", "second"]}
    assert any("paired over classes (1)" in note for note in section.notes)
    shown = [one.record.showing("tasks") for one in scored]
    assert bold(leaderboard(shown, scored=finder(scored))) == {"5-way 1-shot": ["first"]}


def test_lower_is_better_where_the_metric_says_so(knn):
    def with_error(model, error):
        record = knn(model).record
        return replace(record, scores={"ece": Score(error, 0.5)})

    records = [with_error("calm", 3.0), with_error("near", 3.2), with_error("sure", 9.0)]
    assert list(bold(leaderboard(records)).values()) == [["calm", "near"]]


def test_without_an_interval_equal_numbers_alone_are_bold(retrieval):
    records = [
        replace(retrieval(model).record, scores={"nmi": Score(value)})
        for model, value in (("a", 55.5), ("b", 55.5), ("c", 55.4))
    ]
    (section,) = leaderboard(records)
    assert bold([section]) == {"NMI": ["a", "b"]}
    assert any("equal numbers alone, without an interval (2)" in note for note in section.notes)


def test_clusters_are_paired_over_their_seeds(retrieval):
    scored = []
    for model, values in (("a", [55.1, 55.4, 55.9]), ("b", [55.0, 55.5, 55.7])):
        one, values = retrieval(model), np.array(values)
        kinds = {"nmi": {"seeds": StoredInterval(1.0, "over seeds")}}
        score = {"nmi": Score(float(values.mean()), 1.0)}
        record = replace(one.record, scores=score, intervals=kinds, interval="classes")
        scored.append(replace(one, record=record, per_item={"nmi": values}))
    (section,) = leaderboard([one.record for one in scored], scored=finder(scored))
    assert bold([section]) == {"NMI": ["a", "b"]}
    assert any("paired over seeds (1)" in note for note in section.notes)


def test_every_format_marks_the_same_scores(near):
    board = make_board([one.record for one in near])
    assert render_markdown(board).count("**") == 2 * 2
    assert render_latex(board).count(r"\textbf{") == 2
    assert render_terminal(board).count("**") == 2 * 2
    assert '"bold":[[0,2],[1,2]]' in render_report(board).replace(" ", "")
    assert scores_frame(board).set_index("model")["best"].to_dict() == {
        "first": True, "second": True, "third": False,
    }  # fmt: skip
    assert "best" in render_csv(board).splitlines()[0].split(",")


def test_a_folder_is_paired_and_an_archive_is_not(near, tmp_path):
    for one in near:
        save_record(one.record, one.per_item, tmp_path)
    archive_records(tmp_path, tmp_path / "leaderboard.tar.xz")
    best = load(tmp_path).set_index("model")["best"]
    assert best.to_dict() == {"first": True, "second": False, "third": False}
    best = load(tmp_path / "leaderboard.tar.xz").set_index("model")["best"]
    assert best.to_dict() == {"first": True, "second": True, "third": False}


def test_a_source_finds_the_scores_of_its_records(near, tmp_path):
    for one in near[:2]:
        save_record(one.record, one.per_item, tmp_path)
    found = open_records(tmp_path)
    assert [found.scored(record).record for record in found.records] == list(found.records)
    assert found.scored(near[2].record) is None
    assert found.of([near[1].record]) == [near[1].record]
