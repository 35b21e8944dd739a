import numpy as np
import pytest

from lowlabel.benchmarks.protocols.retrieval import Retrieval
from lowlabel.datasets import DATASETS
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.retrieval import evaluate_retrieval


def test_scores_are_those_of_evaluate_retrieval(data):
    protocol = Retrieval.from_table({"k": [1, 3], "post": ["aqe:2"], "ties": "optimistic"})
    (trial,) = protocol.trials(data, "cpu")
    (scores,) = trial.run()
    features, labels = data.evaluated.features, data.evaluated.labels
    options = {"ks": (1, 3), "post": ["aqe:2"], "ties": "optimistic"}
    expected = evaluate_retrieval(features, labels, device="cpu", **options)
    assert {name: score.mean for name, score in scores.scores.items()} == dict(expected.metrics)
    assert np.array_equal(scores.per_item["map"], expected.per_query["map"])
    (experiment,) = trial.experiments
    assert experiment.method.spec == "cosine+aqe:2"
    assert set(experiment.feature_keys) == {"all"}


@pytest.mark.parametrize(
    ("post", "file", "parts"),
    [
        ("aqe:3", None, ("test",)),
        ("whiten:4", None, ("train", "test")),
        ("whiten:4", "other.npz", ("test",)),
    ],
)
def test_embeds_the_train_part_only_to_learn_from_it(post, file, parts):
    protocol = Retrieval.from_table({"post": [post], "train_features": file})
    assert protocol.needs(DATASETS["cub"].division("dml-zeroshot")) == parts


def test_k_is_the_dataset_s_own_where_none_is_named(data):
    assert Retrieval().for_dataset(DATASETS["sop"]).k == DATASETS["sop"].ks
    assert Retrieval(k=(7,)).for_dataset(DATASETS["sop"]).k == (7,)
    assert Retrieval().for_dataset(None).k == (1, 2, 4, 8)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"post": ["nosuch"]}, UnknownNameError, "unknown post-processing 'nosuch'"),
        ({"search": "hnws"}, UnknownNameError, "Did you mean hnsw"),
        ({"k": [0]}, InputError, "k="),
        ({"worst": -1}, InputError, "worst=-1"),
        ({"nmi": "yes"}, InputError, "nmi='yes' must be True or False"),
        ({"lone_queries": "drop"}, UnknownNameError, "exclude, miss"),
    ],
)
def test_options_are_checked_before_any_work(table, error, message):
    with pytest.raises(error, match=message):
        Retrieval.from_table(table)
