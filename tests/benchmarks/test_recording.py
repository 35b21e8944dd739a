import dataclasses

import numpy as np
import pytest

from lowlabel.benchmarks.protocols import ProtocolScores, Trial
from lowlabel.benchmarks.protocols.knn import KNN
from lowlabel.benchmarks.recording import Recorder
from lowlabel.intervals import Interval
from lowlabel.results import Score, load_records, load_scored


@pytest.fixture
def trial(data):
    """A trial of three experiments that counts its runs and gives 1, 2 and 3 percent."""
    (planned,) = KNN(neighbours=(1, 2, 3)).trials(data, "cpu")
    runs = []

    def run():
        runs.append(1)
        means = range(1, 1 + len(planned.experiments))
        return [
            ProtocolScores(
                {"top1": Score(m)}, {"top1": np.full(4, float(m))}, "none", {"images": 4}
            )
            for m in means
        ]

    found = Trial(planned.experiments, run)
    return found, runs


def test_a_trial_gives_a_record_for_each_experiment_and_runs_once(trial, tmp_path):
    planned, runs = trial
    recorder = Recorder(tmp_path, "cpu")
    records = list(recorder.records(planned, ()))
    assert [record.scores["top1"].mean for record in records] == [1, 2, 3]
    assert list(recorder.records(planned, ())) == records
    assert len(runs) == 1


def test_only_missing_records_are_saved(trial, tmp_path):
    planned, runs = trial
    first = Trial(planned.experiments[:1], lambda: planned.run()[:1])
    (kept,) = Recorder(tmp_path, "cpu").records(first, ())
    found = list(Recorder(tmp_path, "cpu").records(planned, ()))
    assert found[0] == kept
    assert len(load_records(tmp_path)) == 3
    assert len(runs) == 2


def test_overwriting_and_other_contamination_score_again(trial, tmp_path):
    planned, runs = trial
    list(Recorder(tmp_path, "cpu").records(planned, ()))
    list(Recorder(tmp_path, "cpu", overwrite=True).records(planned, ()))
    (record, *_) = Recorder(tmp_path, "cpu").records(planned, ("seen",))
    assert record.contamination == ("seen",)
    assert len(runs) == 3


def test_a_known_record_shows_the_interval_that_is_asked_for(trial, tmp_path):
    planned, _ = trial

    def run():
        intervals = {
            "tasks": Interval("tasks", 0.5, "over tasks"),
            "images": Interval("images", 2.0, "over images", np.ones((2, 3))),
        }
        (scores, *_) = planned.run()
        return [dataclasses.replace(scores, intervals={"top1": intervals})]

    recorder = Recorder(tmp_path, "cpu")
    for kind, half_width in (("images", 2.0), ("tasks", 0.5), ("open", 0.5)):
        (record,) = recorder.records(Trial(planned.experiments[:1], run, kind), ())
        assert record.scores["top1"] == Score(1.0, half_width)
        (saved,) = load_scored(tmp_path)
        assert saved.record == record
        np.testing.assert_array_equal(saved.replicates["top1"]["images"], np.ones((2, 3)))


def under(trial, name):
    """The trial with another name of its model."""
    return Trial(
        tuple(
            dataclasses.replace(each, model=dataclasses.replace(each.model, name=name))
            for each in trial.experiments
        ),
        trial.run,
    )


def test_a_known_experiment_is_recorded_under_the_name_it_is_given(trial, tmp_path):
    planned, runs = trial
    recorder = Recorder(tmp_path, "cpu")
    for name in ("DINO", "dino", "DINO"):
        records = list(recorder.records(under(planned, name), ()))
        assert [record.experiment.model.name for record in records] == [name] * 3
        assert [record.scores["top1"].mean for record in records] == [1, 2, 3]
    assert len(runs) == 1
    names = [record.experiment.model.name for record in load_records(tmp_path)]
    assert sorted(names) == ["DINO"] * 3 + ["dino"] * 3


def test_what_was_chosen_is_kept_outside_the_identity(trial, tmp_path):
    planned, _ = trial
    chosen = {"method": "logreg,c=0.1", "tried": {"logreg,c=0.1": 60.0}}
    run = lambda: [dataclasses.replace(scores, chosen=chosen) for scores in planned.run()]  # noqa: E731
    (record, *_) = Recorder(tmp_path, "cpu").records(Trial(planned.experiments, run), ())
    assert record.chosen == chosen
    assert record.identity() == planned.experiments[0].identity()


def test_work_that_resumes_keeps_its_state_beside_the_record_until_that_is_there(trial, tmp_path):
    planned, _ = trial
    paths = []

    def resume(path):
        paths.append(path)
        path.write_text("state")
        if len(paths) == 1:
            raise KeyboardInterrupt
        return planned.run()[:1]

    resumed = Trial(planned.experiments[:1], planned.run, resume=resume)
    with pytest.raises(KeyboardInterrupt):
        list(Recorder(tmp_path, "cpu").records(resumed, ()))
    assert paths[0].is_file() and load_records(tmp_path) == []
    list(Recorder(tmp_path, "cpu").records(resumed, ()))
    assert paths[0] == paths[1] and paths[0].parent == tmp_path
    assert not paths[0].exists() and len(load_records(tmp_path)) == 1
