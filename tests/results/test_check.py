import json
import re
from dataclasses import replace

import pytest

from lowlabel.errors import DataError, InputError
from lowlabel.results.baseline import Baseline, make_baseline
from lowlabel.results.check import Status, check
from lowlabel.results.record import Score, StoredInterval


def shifted(scored, points):
    record = scored.record
    scores = {
        metric: Score(score.mean + points, score.ci95) for metric, score in record.scores.items()
    }
    return replace(record, scores=scores)


@pytest.fixture
def runs(fewshot):
    return [fewshot("a", method, shots) for method in ("ncm", "dc") for shots in (1, 5)]


@pytest.fixture
def baseline(runs):
    return make_baseline([run.record for run in runs], tolerance=0.5)


def test_a_baseline_comes_back_from_its_file(baseline, tmp_path):
    path = tmp_path / "baseline.json"
    baseline.save(path)
    assert Baseline.load(path) == baseline
    assert len(baseline.entries) == 4


def test_the_records_it_was_made_from_hold(runs, baseline):
    report = check([run.record for run in runs], baseline)
    assert report.exit_code == 0
    assert {finding.status for finding in report.findings} == {Status.HOLDS}
    assert report.render().endswith("\n\n4 holds\n")


@pytest.mark.parametrize(
    ("points", "status", "exit_code"),
    [
        (-0.5, Status.HOLDS, 0),
        (-0.51, Status.REGRESSION, 1),
        (0.5, Status.HOLDS, 0),
        (0.51, Status.BETTER, 0),
    ],
)
def test_the_tolerance_decides(runs, baseline, points, status, exit_code):
    records = [shifted(runs[0], points), *(run.record for run in runs[1:])]
    report = check(records, baseline)
    assert report.findings[0].status is status
    assert report.exit_code == exit_code
    assert ("update the baseline" in report.render()) == (status is Status.BETTER)


def test_a_loss_of_exactly_the_tolerance_holds_in_binary_too(fewshot):
    assert 80.1 - 80.3 < -0.2
    baseline = make_baseline([fewshot(scores={"accuracy": Score(80.3)}).record], tolerance=0.2)
    assert check([fewshot(scores={"accuracy": Score(80.1)}).record], baseline).exit_code == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tasks": 100}, "protocol.tasks was 200, is 100"),
        ({"options": {"seed": 7}}, "protocol.seed was 0, is 7"),
        ({"options": {"new": 1}}, "protocol.new was None, is 1"),
        ({"version": 2}, "protocol_version was 1, is 2"),
        ({"method_version": 2}, "method_version was 1, is 2"),
        ({"manifest_sha256": "0" * 64}, "manifest_sha256 was .* is 0000"),
        ({"weights_sha256": "0" * 64}, "weights_sha256 was"),
        ({"pooling": "mean"}, "pooling was cls, is mean"),
        ({"complete": False}, "the run is incomplete"),
        ({"scores": {"accuracy": Score(None)}}, "the run is incomplete"),
        ({"scores": {"error": Score(1.0)}}, "no such record"),
        ({"method": "lr"}, "no such record"),
    ],
)
def test_what_is_not_comparable_says_why(fewshot, runs, baseline, change, reason):
    other = fewshot(**{"model": "a", "method": "ncm", "shots": 1} | change)
    report = check([other.record, *(run.record for run in runs[1:])], baseline)
    assert report.exit_code == 2
    assert report.findings[0].status is Status.NOT_COMPARABLE
    assert re.match(reason, report.findings[0].reason)
    assert reason.split()[0] in report.render()


def test_a_regression_outranks_what_is_missing(runs, baseline):
    report = check([shifted(runs[0], -5.0)], baseline)
    assert report.exit_code == 1
    assert report.render().endswith("1 regression, 3 not comparable\n")


def test_the_comparable_record_is_chosen_among_several(fewshot, runs, baseline):
    other = fewshot("a", "ncm", 1, mean=10, tasks=100)
    for order in ([other, *runs], [*runs, other]):
        assert check([run.record for run in order], baseline).exit_code == 0


def test_new_scores_are_counted_but_do_not_matter(fewshot, runs, baseline):
    report = check([*(run.record for run in runs), fewshot("b").record], baseline)
    assert (report.exit_code, report.unheld) == (0, 1)
    assert "Not in the baseline: 1 score." in report.render()


def test_chosen_metrics_only(retrieval):
    baseline = make_baseline([retrieval().record], 1.0, metrics=["recall@1", "map@r"])
    assert [entry.metric for entry in baseline.entries] == ["recall@1", "map@r"]


def test_a_baseline_is_not_made_of_nothing(fewshot):
    with pytest.raises(InputError, match="none of 0 records"):
        make_baseline([], 0.5)
    with pytest.raises(InputError, match="1 of 1 runs are incomplete"):
        make_baseline([fewshot(complete=False).record], 0.5)
    for tolerance in (-1.0, float("nan")):
        with pytest.raises(InputError, match="tolerance is"):
            make_baseline([fewshot().record], tolerance)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot use the baseline"),
        ("[]", "not a baseline of version 1"),
        ('{"baseline_version": 9, "entries": []}', "not a baseline of version 1"),
        ('{"baseline_version": 1, "entries": []}', "no entries"),
        ('{"baseline_version": 1, "entries": [{"suite": "x"}]}', r"entries\[0\] lacks dataset"),
    ],
)
def test_a_damaged_baseline_is_named(tmp_path, text, message):
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        Baseline.load(path)
    assert str(path) in caught.value.message


def test_a_corrected_method_has_a_baseline_of_its_own(fewshot):
    corrected = fewshot(method_version=2).record
    baseline = make_baseline([corrected], 0.5)
    assert check([corrected], baseline).exit_code == 0
    report = check([fewshot().record], baseline)
    assert report.findings[0].reason == "method_version was 2, is 1"


def test_a_tuned_method_does_not_stand_for_the_untuned_one(fewshot, tuned):
    plain, chosen = fewshot("a", "logreg").record, tuned("a", 0.1, mean=20).record
    baseline = make_baseline([plain, chosen], 0.5)
    assert check([chosen, plain], baseline).exit_code == 0
    report = check([chosen], baseline)
    assert [finding.status for finding in report.findings] == ["not comparable", "holds"]
    assert "tuned was None, is {" in report.findings[0].reason


def test_a_baseline_of_a_newer_version_asks_for_an_update(baseline, tmp_path):
    path = tmp_path / "baseline.json"
    baseline.save(path)
    data = json.loads(path.read_text())
    data["entries"][0]["interval"] = {}
    del data["content_sha256"]
    path.write_text(json.dumps(data))
    with pytest.raises(DataError, match="unknown field interval: made by a newer") as caught:
        Baseline.load(path)
    assert caught.value.hint == "Update lowlabel."


def test_an_edited_baseline_is_refused(baseline, tmp_path):
    path = tmp_path / "baseline.json"
    baseline.save(path)
    assert Baseline.load(path) == baseline
    path.write_text(path.read_text().replace('"tolerance": ', '"tolerance": 1'))
    with pytest.raises(DataError, match="the file was edited") as caught:
        Baseline.load(path)
    assert "--update" in caught.value.hint


def test_a_missing_baseline_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.json"):
        Baseline.load(tmp_path / "nowhere.json")


def test_the_file_can_be_read_by_a_person(baseline, tmp_path):
    path = tmp_path / "baseline.json"
    baseline.save(path)
    entry = json.loads(path.read_text())["entries"][0]
    assert (entry["model"], entry["method"], entry["tolerance"]) == ("a", "ncm", 0.5)
    assert entry["facts"]["protocol.tasks"] == 200


def test_tuned_and_untuned_scores_of_a_method_are_told_apart(fewshot, tuned):
    plain, chosen = fewshot("a", "logreg").record, tuned("a", 0.1, mean=70).record
    baseline = make_baseline([plain, chosen], tolerance=0.5)
    assert [entry.row_label for entry in baseline.entries] == ["logreg", "logreg (tuned)"]
    report = check([plain, replace(chosen, scores={"accuracy": Score(60.0)})], baseline)
    assert [finding.status for finding in report.findings] == [Status.HOLDS, Status.REGRESSION]
    assert "| logreg (tuned) |" in report.render()
    assert check([plain, chosen], make_baseline([plain], tolerance=0.5)).unheld == 1


def test_the_latest_of_records_that_match_equally_counts(fewshot):
    runs = [
        replace(
            fewshot("a", mean=mean, created=f"2026-01-0{day}").record,
            experiment=replace(fewshot("a").record.experiment, feature_keys={"novel": str(day)}),
        )
        for day, mean in ((2, 60.0), (3, 50.0), (1, 60.0))
    ]
    report = check(runs, make_baseline(runs[:1], tolerance=0.5))
    assert report.findings[0].mean == pytest.approx(50)
    assert report.exit_code == 1


@pytest.mark.parametrize(
    "change", [{"mean": float("nan")}, {"tolerance": float("inf")}, {"tolerance": -1.0}]
)
def test_a_baseline_that_would_always_hold_is_refused(baseline, tmp_path, change):
    path = tmp_path / "baseline.json"
    baseline.save(path)
    data = json.loads(path.read_text())
    data.pop("content_sha256", None)
    data["entries"][0] |= change
    path.write_text(json.dumps(data))
    with pytest.raises(DataError, match=f"the {next(iter(change))} of cifar-fs"):
        Baseline.load(path)


def test_rows_of_equal_weights_are_checked_under_their_names(fewshot, baseline, runs):
    record = runs[0].record
    model = replace(record.experiment.model, name="b")
    other = replace(record, experiment=replace(record.experiment, model=model))
    both = make_baseline([record, other], tolerance=0.5)
    assert [entry.model for entry in both.entries] == ["a", "b"]
    assert check([record, other], both).exit_code == 0
    assert check([record], both).exit_code == 2


HASHES = {"novel": "1" * 64, "base": "2" * 64}


def settled(scored, mean=None, *, deterministic=True, hashes=HASHES):
    """A record with the hashes of its features, and another mean of its accuracy if given."""
    record = scored.record
    if mean is not None:
        record = replace(record, scores={"accuracy": Score(mean, 0.7)})
    return replace(record, features_sha256=dict(hashes), deterministic=deterministic)


@pytest.mark.parametrize(
    ("now", "found", "status"),
    [
        ({}, 60.000001, Status.HOLDS),
        ({}, 59.99999, Status.REGRESSION),
        ({}, 60.00001, Status.BETTER),
        ({"hashes": {**HASHES, "base": "3" * 64}}, 59.6, Status.HOLDS),
        ({"hashes": {**HASHES, "base": "3" * 64}}, 59.4, Status.REGRESSION),
        ({"hashes": {"novel": "1" * 64}}, 59.6, Status.HOLDS),
        ({"hashes": {}}, 59.6, Status.HOLDS),
        ({"deterministic": False}, 59.6, Status.HOLDS),
        ({"deterministic": False}, 59.4, Status.REGRESSION),
    ],
)
def test_deterministic_scores_of_equal_features_have_to_be_equal(fewshot, now, found, status):
    baseline = make_baseline([settled(fewshot("a"), 60.0)], tolerance=0.5)
    report = check([settled(fewshot("a"), found, **now)], baseline)
    assert report.findings[0].status is status
    rule = report.findings[0].rule
    assert rule.exact == (not now)
    assert f"Held to {rule.what}: 1" in report.render()


def test_a_score_that_differs_by_a_near_tie_is_shown_with_its_digits(fewshot):
    baseline = make_baseline([settled(fewshot("a"), 60.0)], tolerance=0.5)
    text = check([settled(fewshot("a"), 59.99999)], baseline).render()
    assert "60.000000" in text and "59.999990" in text and "−0.000010" in text
    assert "1e-06 (deterministic, equal features)" in text
    assert "another processor or library breaks a near tie" in text
    far = check([settled(fewshot("a"), 50.0)], baseline).render()
    assert "near tie" not in far


def test_a_baseline_without_hashes_is_held_to_its_tolerance(fewshot, tmp_path):
    record = settled(fewshot("a"), 60.0)
    path = tmp_path / "baseline.json"
    make_baseline([fewshot("a").record], tolerance=0.5).save(path)
    assert "features_sha256" not in path.read_text()
    (finding,) = check([record], Baseline.load(path)).findings
    assert (finding.status, finding.rule.tolerance) == (Status.HOLDS, 0.5)
    assert "no hash of the features in the baseline" in finding.rule.reason


def test_hashes_of_features_come_back_from_a_baseline(fewshot, tmp_path):
    path = tmp_path / "baseline.json"
    baseline = make_baseline([settled(fewshot("a"))])
    baseline.save(path)
    assert Baseline.load(path) == baseline
    (entry,) = baseline.entries
    assert (entry.features_sha256, entry.deterministic) == (HASHES, True)


def test_a_probability_is_never_held_to_equality(fewshot):
    scores = {"top1": Score(60.0), "ece": Score(5.0), "nmi": Score(40.0)}
    record = settled(fewshot("a", scores=scores))
    exact = {entry.metric: entry.deterministic for entry in make_baseline([record]).entries}
    assert exact == {"top1": True, "ece": False, "nmi": False}


def test_a_score_gives_itself_its_tolerance(fewshot, retrieval):
    """0.1 points, one task of 200, and what is drawn or iterated its narrowest interval."""

    def given(record, metric="accuracy"):
        entries = make_baseline([record], metrics=[metric]).entries
        return entries[0].tolerance

    assert given(settled(fewshot("a"), 60.0)) == pytest.approx(100 / 200)
    assert given(settled(fewshot("a"), 60.0, deterministic=False)) == pytest.approx(0.7)
    many = replace(settled(fewshot("a"), 60.0), counts={"tasks": 10_000})
    assert given(many) == pytest.approx(0.1)
    kinds = {"tasks": StoredInterval(0.6, "t"), "images": StoredInterval(1.4, "i")}
    drawn = replace(settled(fewshot("a"), 60.0, deterministic=False), intervals={"accuracy": kinds})
    assert given(drawn) == pytest.approx(0.6)
    queries = retrieval().record
    assert given(replace(queries, deterministic=True), "recall@1") == pytest.approx(
        max(0.1, 100 / queries.counts["queries"])
    )
    assert make_baseline([settled(fewshot("a"))], 0.25).entries[0].tolerance == 0.25
