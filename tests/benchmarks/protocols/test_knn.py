from dataclasses import replace

import numpy as np
import pytest

from lowlabel.benchmarks.protocols.knn import KNN, index_in_class
from lowlabel.classification import evaluate_knn
from lowlabel.errors import InputError


def test_index_in_class():
    labels = np.array([3, 1, 3, 3, 1, 9])
    assert index_in_class(labels).tolist() == [0, 0, 1, 2, 1, 0]


def test_classes_of_one_image_cannot_vote_on_themselves(data):
    table = replace(data.evaluated, labels=np.arange(len(data.evaluated.labels)))
    (trial,) = KNN.from_table({}).trials(replace(data, tables={"all": table}), "cpu")
    with pytest.raises(InputError, match="no class of the 80 images of mine"):
        trial.run()


def test_numbers_of_neighbours_share_one_pass_and_give_a_record_each(data, monkeypatch):
    calls = []

    def counted(*arguments, **options):
        calls.append(options["k"])
        return evaluate_knn(*arguments, **options)

    monkeypatch.setattr("lowlabel.benchmarks.protocols.knn.evaluate_knn", counted)
    protocol = KNN.from_table({"neighbours": [3, 1000]})
    (trial,) = protocol.trials(data, "cpu")
    assert [e.method.spec for e in trial.experiments] == ["knn,k=3", "knn,k=1000"]
    few, all_voters = trial.run()
    assert calls == [(3, 1000)]
    features, labels = data.evaluated.features, data.evaluated.labels
    scored = index_in_class(labels) % 2 == 1
    halves = features[~scored], labels[~scored], features[scored], labels[scored]
    for scores, k in ((few, 3), (all_voters, 40)):
        alone = evaluate_knn(*halves, k=k, device="cpu")
        assert scores.scores["top1"].mean == alone.metrics[f"top1@{k}"]
        assert scores.counts == {"images": 40, "voters": 40}


@pytest.mark.parametrize(
    ("option", "value"),
    [("neighbours", []), ("neighbours", [0]), ("neighbours", [5, 5]), ("temperature", 0)],
)
def test_options_are_checked_before_any_work(option, value):
    with pytest.raises(InputError, match=option):
        KNN.from_table({option: value})
