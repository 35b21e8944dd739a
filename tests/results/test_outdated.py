"""Tuned rows, and records made before a change."""

import io
import json

import pandas as pd
import pytest

from lowlabel.results.labels import BEFORE
from lowlabel.results.leaderboard import leaderboard
from lowlabel.results.render import render_csv, render_latex, render_markdown

OLD_TUNING = {"c": 0.1, "tuned": "val, 500 tasks of seed 0: logreg,c=0.1 63.20; logreg 61.00"}


def only(*scored):
    (section,) = leaderboard([one.record for one in scored])
    return section


def cells(section):
    """The score cells of the first table, by method and heading."""
    frame = section.tables[0].frame.set_index("Method").drop(columns="Model")
    return {key: cell for key, cell in frame.stack().items() if cell}


def bold(section):
    table = section.tables[0]
    return {(table.frame["Method"][row], table.frame.columns[column]) for row, column in table.bold}


def frame_of(*scored):
    return pd.read_csv(io.StringIO(render_csv([one.record for one in scored])))


def test_a_tuned_method_has_one_row_and_a_note_of_what_was_chosen(fewshot, tuned):
    section = only(
        fewshot("a", "logreg"),
        fewshot("a", "logreg,c=0.1"),
        tuned("a", 0.1, mean=62),
        tuned("a", 10.0, shots=5),
    )
    assert cells(section).keys() == {
        ("logreg", "5-way 1-shot"),
        ("logreg,c=0.1", "5-way 1-shot"),
        ("logreg (tuned)", "5-way 1-shot"),
        ("logreg (tuned)", "5-way 5-shot"),
    }
    assert ("logreg (tuned)", "5-way 1-shot") in bold(section)
    note = "Chosen by tuning: 5-way 1-shot, a: logreg,c=0.1; 5-way 5-shot, a: logreg,c=10.0."
    assert note in section.notes
    assert BEFORE not in "".join(section.notes)


def test_the_long_form_says_what_was_chosen_and_tried(fewshot, tuned):
    frame = frame_of(fewshot("a", "logreg"), tuned("a", 0.1)).set_index("method")
    chosen = json.loads(frame.loc["logreg (tuned)", "chosen"])
    assert chosen["method"] == "logreg,c=0.1"
    assert chosen["tried"]["logreg,c=0.1"] == 63.2
    assert pd.isna(frame.loc["logreg", "chosen"])
    assert list(frame_of(fewshot()).columns)[-1] == "identity"


def test_a_tuned_method_has_one_full_row_for_every_model_in_every_format(fewshot, tuned):
    choices = {("a", 1): 0.1, ("a", 5): 10.0, ("b", 1): 10.0, ("b", 5): 1.0}
    scored = [
        make(model, *c, shots=shots, dataset=dataset, title=dataset)
        for dataset in ("one", "two")
        for (model, shots), chosen in choices.items()
        for make, c in ((tuned, (chosen,)), (fewshot, ("logreg",)), (fewshot, ("logreg,c=0.1",)))
    ]
    records = [one.record for one in scored]
    methods = ["logreg", "logreg (tuned)", "logreg,c=0.1"]
    for section in leaderboard(records):
        frame = section.tables[0].frame
        rows = sorted(zip(frame["Model"], frame["Method"], strict=True))
        assert rows == [(model, method) for model in "ab" for method in methods]
        assert (frame != "").all(axis=None)
        (note,) = (note for note in section.notes if note.startswith("Chosen by tuning"))
        for (model, shots), c in choices.items():
            assert f"5-way {shots}-shot, {model}: logreg,c={c}" in note
    rows = frame_of(*scored).pivot(
        index=["dataset", "model", "method"], columns="protocol", values="mean"
    )
    assert len(rows) == 2 * 2 * 3
    assert rows.notna().all(axis=None)
    for text, count in ((render_markdown(records), 4), (render_latex(records), 4)):
        lines = [line for line in text.splitlines() if "logreg (tuned)" in line]
        assert len(lines) == count
        assert all(line.count("±") + line.count(r"$\pm$") == 2 for line in lines)


def test_new_and_old_tuned_records_and_untuned_ones_stand_in_rows_of_their_own(fewshot, tuned):
    old = fewshot("a", "logreg,c=0.1", method_options=OLD_TUNING, mean=70)
    section = only(old, tuned("a", 0.1), fewshot("a", "logreg,c=0.1"), fewshot("a", "logreg"))
    frame = section.tables[0].frame
    assert sorted(frame["Method"]) == ["logreg", "logreg (tuned)", "logreg,c=0.1", "logreg,c=0.1"]
    assert frame["5-way 1-shot"].str.endswith(BEFORE).sum() == 1


def test_of_two_records_in_one_cell_the_later_is_shown_and_the_other_counted(tuned):
    early, late = (
        tuned("a", 0.1, tasks=tasks, mean=mean, created=f"2026-01-0{day}T00:00:00+00:00")
        for tasks, mean, day in ((500, 60, 1), (400, 50, 2))
    )
    for one, other in ((early, late), (late, early)):
        section = only(one, other)
        assert cells(section)["logreg (tuned)", "5-way 1-shot"].startswith("50.00")
        assert "Not shown: 1 record of cells that hold a later one; the CSV has them all." in (
            section.notes
        )
    assert len(frame_of(early, late)) == 2


def test_a_tuned_record_of_an_older_version_is_marked(fewshot):
    section = only(
        fewshot("a", "logreg,c=0.1", method_options=OLD_TUNING, mean=70), fewshot("a", "ncm")
    )
    (marked,) = (cell for (method, _), cell in cells(section).items() if method == "logreg,c=0.1")
    assert marked.startswith("70.00±")
    assert marked.endswith(f" {BEFORE}")
    assert bold(section) == {("ncm", "5-way 1-shot")}
    (note,) = (note for note in section.notes if note.startswith(BEFORE))
    assert note.startswith(f"{BEFORE} made before: tuned by an older version")


def test_an_older_version_of_a_method_is_marked_where_a_newer_is_at_hand(fewshot):
    old, new = fewshot("a", "dc,k=2", mean=70), fewshot("b", "dc", 5, method_version=2)
    assert BEFORE not in render_markdown([old.record])
    section = only(old, new, fewshot("a", "ncm", mean=50))
    assert cells(section)["dc,k=2", "5-way 1-shot"].endswith(BEFORE)
    assert not cells(section)["dc", "5-way 5-shot"].endswith(BEFORE)
    assert bold(section) == {("ncm", "5-way 1-shot"), ("dc", "5-way 5-shot")}
    assert f"{BEFORE} made before: version 1 of the method dc, now 2; never bold, no Δ." in (
        section.notes
    )


def test_the_form_of_a_reference_has_versions_of_its_own(fewshot):
    old = fewshot("a", "cosine+whiten:8", mean=70)
    new = fewshot("a", "cosine+whiten:8,covariance=reference", method_version=2)
    assert BEFORE not in "".join(only(old, new).notes)
    outdated = fewshot("b", "cosine+whiten:4,covariance=reference")
    (note,) = (note for note in only(old, new, outdated).notes if note.startswith(BEFORE))
    assert "cosine+whiten,covariance=reference, now 2" in note


def test_versions_of_one_method_have_rows_of_their_own(fewshot):
    section = only(fewshot("a", "dc", mean=70), fewshot("a", "dc", method_version=2, mean=60))
    assert list(section.tables[0].frame["Model"]) == [
        "a [method_version=1]",
        "a [method_version=2]",
    ]


def test_an_older_version_of_a_protocol_is_marked_in_every_section(retrieval):
    records = [retrieval(dataset="cars").record, retrieval(version=2, dataset="cub").record]
    old, new = leaderboard(records)
    assert any(note.startswith(f"{BEFORE} made before: version 1 of the protocol") for note in (
        old.notes
    ))  # fmt: skip
    assert not old.tables[0].bold
    assert new.tables[0].bold


def test_what_was_made_before_is_set_against_no_published_number(retrieval):
    new = retrieval(version=2, dataset="cars", title="SOP").record
    section = leaderboard([retrieval().record, new])[0]
    assert not any(table.caption.startswith("Beside") for table in section.tables)
    frame = frame_of(retrieval(), retrieval(version=2, dataset="cars"))
    old = frame[frame["dataset"] == "cub"]
    assert old["published"].isna().all()
    assert (old["made_before"] == "version 1 of the protocol dml-zeroshot, now 2").all()
    assert frame[frame["dataset"] == "cars"]["published"].notna().any()


def test_the_mark_is_escaped_in_latex(fewshot):
    latex = render_latex([fewshot("a", "logreg,c=0.1", method_options=OLD_TUNING).record])
    assert r" \S{} " in latex
    assert BEFORE not in latex


@pytest.mark.parametrize("c", [0.1, 1.0])
def test_a_tuned_method_is_published_with_its_chosen_options(fewshot, c):
    options = {"k": 2, "alpha": 0.21, "samples": 750, "c": 1.0, "tuned": {"part": "val"}}
    chosen = "dc-sslvit" if c == 1.0 else f"dc-sslvit,c={c}"
    scored = fewshot(
        "dino_vits16",
        "dc-sslvit",
        method_options=options,
        chosen={"method": chosen},
        dataset="cub",
        scheme="frn",
    )
    assert frame_of(scored)["published"].notna().all() == (c == 1.0)
