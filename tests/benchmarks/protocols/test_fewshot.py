import numpy as np
import pytest

from lowlabel.benchmarks.protocols.fewshot import FewShot
from lowlabel.benchmarks.recording import Recorder
from lowlabel.benchmarks.tuning import TUNING_TASKS
from lowlabel.datasets import DATASETS
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import build_method, evaluate_fewshot
from lowlabel.results import load_scored

QUICK = {"ways": 2, "shots": (1,), "queries": 2, "tasks": 20}


def test_scores_are_those_of_evaluate_fewshot(data):
    protocol = FewShot.from_table({**QUICK, "method": ["ncm,norm=cl2n"], "shots": [1, 3]})
    for trial, shots in zip(protocol.trials(data, "cpu"), (1, 3), strict=True):
        (scores,) = trial.run()
        expected = evaluate_fewshot(
            data.evaluated.features,
            data.evaluated.labels,
            base=(data.train.features, data.train.labels),
            method="ncm,norm=cl2n",
            ways=2,
            shots=shots,
            queries=2,
            tasks=20,
            device="cpu",
        )
        assert scores.scores["accuracy"].mean == expected.mean
        assert np.array_equal(scores.per_item["accuracy"], expected.accuracies)
        assert scores.task_hash == expected.task_hash
        assert trial.experiments[0].protocol.name == f"2-way {shots}-shot"
        assert set(trial.experiments[0].feature_keys) == {"all", "base"}


def test_methods_of_a_suite_that_do_not_fit_are_left_out_and_named(data):
    protocol = FewShot.from_table({**QUICK, "method": ["ncm", "logreg,norm=tukey"]})
    assert len(list(protocol.trials(data, "cpu"))) == 1
    (note,) = protocol.left_out(data)
    assert "logreg,norm=tukey on mine.npz: it needs features without negative values" in note


def test_methods_that_were_asked_for_are_tried(data):
    protocol = FewShot.from_table({**QUICK, "method": ["logreg,norm=tukey"], "strict": True})
    (trial,) = protocol.trials(data, "cpu")
    with pytest.raises(InputError):
        trial.run()
    assert protocol.left_out(data) == []


@pytest.mark.parametrize(
    ("method", "tune", "parts"),
    [
        ("ncm", False, ("novel",)),
        ("ncm,norm=cl2n", False, ("base", "novel")),
        ("ridge", True, ("val", "novel")),
    ],
)
def test_embeds_only_the_parts_that_its_methods_use(method, tune, parts):
    protocol = FewShot(method=(build_method(method),), tune=tune)
    assert protocol.needs(DATASETS["cub"].division("feat")) == parts


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"method": 3}, InputError, "3 is not the name of a few-shot method"),
        ({"method": ["nosuch"]}, UnknownNameError, "unknown few-shot method 'nosuch'"),
        ({"ways": 0}, InputError, "ways=0"),
        ({"shots": [1, 0]}, InputError, r"shots=\(1, 0\) must be one or more integers"),
        ({"seed": -1}, InputError, "seed=-1"),
        ({"tasks": 2.5}, InputError, "tasks=2.5 must be a whole number"),
        ({"ways": True}, InputError, "ways=True must be a whole number"),
        ({"interval": "student"}, UnknownNameError, "student-t"),
        ({"way": 5}, UnknownNameError, "Did you mean ways"),
    ],
)
def test_options_are_checked_before_any_work(table, error, message):
    with pytest.raises(error, match=message):
        FewShot.from_table(table)


def test_a_tuned_experiment_is_known_before_tuning(data):
    protocol = FewShot.from_table({**QUICK, "method": ["ridge", "ncm"], "tune": True})
    ridge, ncm = (trial.experiments[0] for trial in protocol.trials(data, "cpu"))
    assert ridge.method.spec == "ridge"
    assert ridge.method.options["tuned"] == {"part": "val", "tasks": 20, "seed": 0}
    assert "tuned" not in ncm.method.options  # there is nothing to choose
    assert TUNING_TASKS == 500


def test_the_interval_that_is_shown_is_no_part_of_the_experiment(data):
    trials = {
        name: next(
            FewShot.from_table({**QUICK, "method": "ncm", "interval": name}).trials(data, "cpu")
        )
        for name in ("images", "tasks", "classes", "open", "normal", "student-t")
    }
    identities = {name: trial.experiments[0].identity() for name, trial in trials.items()}
    student = identities.pop("student-t")  # as in older records
    assert len(set(identities.values())) == 1
    assert student != identities["tasks"]
    shown = {name: trial.interval for name, trial in trials.items()}
    assert shown == {
        **{name: name for name in ("images", "tasks", "classes", "open")},
        **dict.fromkeys(("normal", "student-t"), "tasks"),
    }


@pytest.mark.parametrize(
    ("interval", "kinds"),
    [("images", {"tasks", "classes", "images"}), ("tasks", {"tasks", "classes"})],
)
def test_a_record_keeps_the_intervals_with_what_a_pair_needs(data, tmp_path, interval, kinds):
    protocol = FewShot.from_table({**QUICK, "method": "ncm", "interval": interval})
    (record,) = Recorder(tmp_path, "cpu").records(next(protocol.trials(data, "cpu")), ())
    assert record.interval == interval
    assert record.intervals["accuracy"].keys() == kinds
    assert record.scores["accuracy"].ci95 == record.half_width("accuracy", interval)
    (scored,) = load_scored(tmp_path)
    replicates = scored.replicates["accuracy"]
    assert replicates.keys() == kinds - {"tasks"}
    if interval == "images":
        assert replicates["images"].shape == (48, 20)


def test_tuning_needs_a_validation_part():
    protocol = FewShot.from_table({"method": ["ridge"], "tune": True})
    assert "ridge cannot be tuned" in protocol.unfit(DATASETS["cub"].division("dml-zeroshot"))
    assert protocol.unfit(DATASETS["cub"].division("feat")) is None
