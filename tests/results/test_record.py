import json
from dataclasses import replace

import pytest

from lowlabel.errors import InputError
from lowlabel.intervals import Interval
from lowlabel.results.experiment import Counts, MethodInfo, Partial, ProtocolInfo
from lowlabel.results.record import SCHEMA_VERSION, Record, Score, stored_intervals


def through_json(record):
    return Record.from_json(json.loads(json.dumps(record.to_json())))


def test_json_gives_back_an_equal_record(fewshot):
    partial = (Partial("base", Counts(19_200, 64), Counts(38_400, 64)),)
    record = fewshot(
        partial=partial,
        transductive=True,
        contamination=("saw the test classes",),
        method_options={"lam": 0.5, "sizes": (1, 2), "deep": {"x": None}},
    ).record
    assert through_json(record) == record
    assert record.experiment.method.options["sizes"] == [1, 2]


def test_json_keeps_an_incomplete_score(retrieval):
    record = retrieval(scores={"recall@1": Score(None), "nmi": Score(40.0)}, complete=False).record
    assert through_json(record).scores == {"recall@1": Score(None), "nmi": Score(40.0)}


def test_scores_of_an_incomplete_record_are_empty(fewshot):
    record = fewshot(complete=False).record
    assert record.scores["accuracy"].mean == pytest.approx(60)
    assert record.score("accuracy") == Score(None)


def test_a_score_is_finite():
    with pytest.raises(InputError, match="mean of a score is nan"):
        Score(float("nan"), 1.0)
    with pytest.raises(InputError, match="ci95 of a score is inf"):
        Score(50.0, float("inf"))


def test_one_task_has_no_interval():
    assert Score(50.0, float("nan")) == Score(50.0, None)


def test_options_that_json_cannot_hold_are_refused():
    with pytest.raises(InputError, match=r"protocol.options.tasks is a set"):
        ProtocolInfo("x", 1, {"tasks": {1}})
    with pytest.raises(InputError, match=r"method.options.alpha\[1\] is nan"):
        MethodInfo("dc", {"alpha": (1.0, float("nan"))})


def test_identity_ignores_what_is_shown_and_where_it_ran(fewshot):
    record = fewshot().record
    same = replace(record, created="2030-01-01T00:00:00+00:00", wall_s=9.0, counts={"tasks": 7})
    assert same.identity() == record.identity()
    partial = (Partial("base", Counts(19_200, 64), Counts(38_400, 64)),)
    shown = fewshot(title="CIFAR-FS, half", partial=partial).record
    assert shown.identity() == record.identity()


@pytest.mark.parametrize(
    "change",
    [
        {"shots": 5},
        {"tasks": 100},
        {"version": 2},
        {"options": {"seed": 1}},
        {"method": "ncm,norm=l2n"},
        {"method_options": {"norm": "l2n"}},
        {"transductive": True},
        {"method_version": 2},
        {"weights_sha256": "0" * 64},
        {"pooling": "mean"},
        {"resolution": 112},
        {"manifest_sha256": "0" * 64},
        {"scheme": "other"},
        {"split": "val"},
        {"bad_images": 1},
    ],
)
def test_identity_changes_with_what_determines_the_numbers(fewshot, change):
    assert fewshot(**change).record.identity() != fewshot().record.identity()


CHOSEN = {"method": "logreg,c=0.1", "tried": {"logreg,c=0.1": 63.2, "logreg": 61.0}}


def test_what_was_chosen_is_kept_and_is_no_part_of_the_identity(fewshot):
    record = fewshot(chosen=CHOSEN).record
    assert through_json(record) == record
    assert through_json(record).chosen == CHOSEN
    assert record.identity() == fewshot().record.identity()
    with pytest.raises(InputError, match=r"chosen\.tried is a set"):
        fewshot(chosen={"tried": {1}})


INTERVALS = stored_intervals(
    {
        "accuracy": {
            "tasks": Interval("tasks", 0.2, "over tasks"),
            "images": Interval("images", 1.5, "over images"),
            "classes": Interval("classes", float("nan"), "has 5 classes"),
        }
    }
)


def test_intervals_are_kept_and_are_no_part_of_the_identity(fewshot):
    record = fewshot(intervals=INTERVALS).record.showing("images").sealed("")
    assert through_json(record) == record
    assert record.identity() == fewshot().record.identity()
    assert record.half_width("accuracy", "tasks") == 0.2
    assert record.half_width("accuracy", "classes") is None
    assert record.half_width("accuracy", "open") is None
    data = record.to_json()["intervals"]["accuracy"]
    assert data["classes"] == {"half_width": None, "definition": "has 5 classes"}


def test_a_record_shows_the_kind_of_interval_that_is_chosen(fewshot):
    record = fewshot(intervals=INTERVALS).record
    mean = record.scores["accuracy"].mean
    images = record.showing("images")
    assert (images.interval, images.scores["accuracy"]) == ("images", Score(mean, 1.5))
    assert images.ci95_definition == "over images"
    assert images.showing("tasks").scores["accuracy"] == Score(mean, 0.2)
    assert images.showing("classes").scores["accuracy"] == Score(mean, None)
    assert images.showing("open") is images
    older = fewshot().record
    assert older.showing("images") is older


def test_a_corrected_method_carries_its_version(fewshot):
    record = fewshot(method_version=2).record
    assert record.to_json()["experiment"]["method"]["version"] == 2
    assert through_json(record) == record


def test_a_grown_field_is_absent_at_its_default(fewshot):
    data = fewshot().record.to_json()
    assert "chosen" not in data
    assert "version" not in data["experiment"]["method"]
    written = damaged(fewshot().record, chosen={})
    written["experiment"]["method"]["version"] = 1
    assert Record.from_json(written).to_json() == data


def test_a_field_of_a_newer_version_is_named(fewshot):
    newer = "has the unknown field intervals_2: made by a newer lowlabel"
    with pytest.raises(ValueError, match=f"record {newer}"):
        Record.from_json(damaged(fewshot().record, intervals_2={}))
    data = damaged(fewshot().record)
    data["experiment"]["method"]["intervals_2"] = {}
    with pytest.raises(ValueError, match=f"record.experiment.method {newer}"):
        Record.from_json(data)


def damaged(record, **changes):
    return json.loads(json.dumps({**record.to_json(), **changes}))


def test_another_schema_is_refused(fewshot):
    with pytest.raises(ValueError, match=f"schema version 99; .* reads version {SCHEMA_VERSION}"):
        Record.from_json(damaged(fewshot().record, schema_version=99))


def test_a_changed_experiment_is_refused(fewshot):
    data = damaged(fewshot().record)
    data["experiment"]["protocol"]["options"]["tasks"] = 10_000
    with pytest.raises(ValueError, match="identity"):
        Record.from_json(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wall_s": "long"}, r"record.wall_s is 'long', not float"),
        ({"complete": 1}, r"record.complete is 1, not bool"),
        ({"counts": {"tasks": 1.5}}, r"record.counts.tasks is 1.5, not int"),
        ({"counts": {"tasks": True}}, r"record.counts.tasks is True, not int"),
        ({"scores": {"accuracy": {"ci95": 1.0}}}, r"record.scores.accuracy lacks mean"),
        ({"contamination": "all"}, r"record.contamination is 'all', not list"),
        ({"chosen": []}, r"record.chosen is \[\], not dict"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(fewshot, change, message):
    with pytest.raises(ValueError, match=message):
        Record.from_json(damaged(fewshot().record, **change))


@pytest.mark.parametrize("data", [[], 3, {}, {"experiment": {}}])
def test_json_of_something_else_is_refused(data):
    with pytest.raises(ValueError, match="not a record of lowlabel"):
        Record.from_json(data)


def test_absent_fields_that_have_a_default_are_filled(fewshot):
    record = replace(fewshot().record, task_hash=None, wall_s=None)
    data = record.to_json()
    del data["task_hash"], data["wall_s"], data["complete"]
    assert Record.from_json(data) == record
