import json
from dataclasses import replace

import pytest

from lowlabel.benchmarks import make_plan, run_plan
from lowlabel.benchmarks.protocols.label_kinds import OneLabel
from lowlabel.benchmarks.protocols.logistic_regression import LogisticRegression
from lowlabel.classification import DEFAULT_CS, evaluate_logistic_regression
from lowlabel.errors import InputError, UnknownNameError


@pytest.fixture
def birds(draw_birds):
    return draw_birds(16, 16)


def test_c_is_chosen_on_a_tenth_of_train_where_there_is_no_val(learned):
    (trial,) = LogisticRegression().trials(learned, "cpu")
    (experiment,) = trial.experiments
    assert experiment.method.spec == "logreg"
    assert experiment.method.options == {
        "c": list(DEFAULT_CS),
        "norm": "none",
        "max_iter": 100,
        "tuned": {"part": "base", "share": 0.1, "seed": 0},
    }
    assert experiment.method.is_tuned
    assert experiment.protocol.name == "base → all"
    (scores,) = trial.run()
    train, test = learned.train, learned.evaluated
    alone = evaluate_logistic_regression(
        train.features, train.labels, test.features, test.labels, device="cpu"
    )
    assert scores.chosen == {**alone.chosen, "where": OneLabel.held_out}
    assert scores.scores["top1"].mean == pytest.approx(alone.metrics["top1"])
    names = {"top1", "top5", "balanced_accuracy", "macro_f1", "auroc", "ece"}
    assert set(scores.scores) == set(scores.per_item) == names
    assert scores.counts == {"images": 40, "train": 60}


def test_one_c_needs_no_choice(learned):
    protocol = LogisticRegression(c=(0.5,), norm="l2")
    (trial,) = protocol.trials(learned, "cpu")
    assert trial.experiments[0].method.spec == "logreg,c=0.5,norm=l2"
    assert not trial.experiments[0].method.is_tuned
    (scores,) = trial.run()
    assert scores.chosen == {}
    assert protocol.describe() == "logistic regression, C = 0.5"


def test_a_val_part_is_what_c_is_chosen_on(request_of, birds):
    request = request_of("classification", birds, settings=("logistic-regression.c=(0.1, 10.0)",))
    plan = make_plan(request)
    jobs = tuple(job for job in plan.jobs if job.protocol.name == "logistic-regression")
    outcome = run_plan(replace(plan, jobs=jobs), request)
    assert outcome.failures == []
    (record,) = outcome.records
    assert record.experiment.method.spec == "logreg,c=(0.1, 10.0)"
    assert record.experiment.method.options["tuned"] == {"part": "val"}
    assert set(record.experiment.feature_keys) == {"train", "val", "test"}
    assert record.chosen["where"] == "val"
    assert set(record.chosen["tried"]) == {"logreg,c=0.1", "logreg,c=10.0"}
    assert record.chosen["method"] in record.chosen["tried"]
    assert record.counts == {"images": 9, "train": 18}
    json.dumps(record.chosen)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"c": ()}, "c="),
        ({"c": (0.0,)}, "c=0.0"),
        ({"c": (1.0, 1.0)}, "c="),
        ({"max_iter": 0}, "max_iter=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_options_are_checked_before_any_work(fields, message):
    with pytest.raises(InputError, match=message):
        LogisticRegression.from_table(fields)


def test_an_unknown_norm_is_refused():
    with pytest.raises(UnknownNameError, match="l3"):
        LogisticRegression.from_table({"norm": "l3"})
