from dataclasses import replace

import numpy as np
import pytest

from lowlabel.benchmarks.protocols.ranking import similarity
from lowlabel.benchmarks.protocols.retrieval import Retrieval
from lowlabel.datasets import DATASETS
from lowlabel.errors import DataError, InputError, UnknownNameError
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
        ("aqe:3", False, ("test",)),
        ("whiten:4", False, ("train", "test")),
        ("whiten:4", True, ("test",)),
        ("whiten-pairs", False, ("train", "test")),
    ],
)
def test_embeds_the_train_part_only_to_learn_from_it(post, file, parts, feature_file):
    protocol = Retrieval.from_table(
        {"post": [post], "train_features": str(feature_file) if file else None}
    )
    assert protocol.needs(DATASETS["cub"].division("dml-zeroshot")) == parts


def test_k_is_the_dataset_s_own_where_none_is_named(data):
    assert Retrieval().for_dataset(DATASETS["sop"]).k == DATASETS["sop"].ks
    assert Retrieval(k=(7,)).for_dataset(DATASETS["sop"]).k == (7,)
    assert Retrieval().for_dataset(None).k == (1, 2, 4, 8)


def test_a_k_that_exceeds_the_images_is_left_out_unless_it_is_named(data):
    images = len(data.evaluated.labels)
    suite = Retrieval(k=(1, images - 1, images, 500))
    ((experiment,),) = (trial.experiments for trial in suite.trials(data, "cpu"))
    assert experiment.protocol.options["ks"] == [1, images - 1]
    (note,) = suite.left_out(data)
    assert f"K = {images}, 500 on " in note
    assert f"a query has {images - 1} images" in note
    named = suite.with_options({"k": (1, images)})
    assert named.left_out(data) == []
    (trial,) = named.trials(data, "cpu")
    with pytest.raises(InputError, match=f"ks={images} exceeds the {images - 1} other images"):
        trial.run()


def test_a_k_that_exceeds_the_images_of_other_groups_is_left_out(data):
    images = len(data.evaluated.labels)
    groups = np.minimum(np.arange(images), images - 5)  # five images of one group
    tables = {**data.tables, data.evaluated_part: replace(data.evaluated, groups=groups)}
    grouped = replace(data, tables=tables)
    suite = Retrieval(k=(1, images - 5, images - 4), ignore_same_group=True)
    ((experiment,),) = (trial.experiments for trial in suite.trials(grouped, "cpu"))
    assert experiment.protocol.options["ks"] == [1, images - 5]
    (note,) = suite.left_out(grouped)
    assert f"a query has {images - 5} images of other groups" in note


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"post": ["nosuch"]}, UnknownNameError, "unknown post-processing 'nosuch'"),
        ({"search": "hnws"}, UnknownNameError, "Did you mean hnsw"),
        ({"k": [0]}, InputError, "k="),
        ({"worst": -1}, InputError, "worst=-1"),
        ({"nmi": "yes"}, InputError, "nmi='yes' must be True or False"),
        ({"lone_queries": "drop"}, UnknownNameError, "exclude, miss"),
        ({"post": [3]}, InputError, "3 is not the name of a post-processing"),
        ({"search": 3}, InputError, "3 is not the name of a search index"),
        ({"train_features": 3}, InputError, "train_features=3 must be a path"),
        ({"train_features": "none.npz"}, DataError, "there is no feature file none.npz"),
        ({"post": ["diffusion:5", "aqe"]}, InputError, "Put diffusion:5 last"),
        ({"post": ["diffusion:5"], "search": "flat"}, InputError, "an index cannot use"),
        ({"post": ["k-reciprocal"], "nmi": True}, InputError, "NMI cannot use"),
    ],
)
def test_options_are_checked_before_any_work(table, error, message):
    with pytest.raises(error, match=message):
        Retrieval.from_table(table)


def test_options_that_a_division_does_not_fit(feature_file):
    flat, divided = (DATASETS[name].divisions[0] for name in ("omniglot", "cub"))
    whitening = Retrieval.from_table({"post": ["whiten:4"]})
    assert whitening.unfit(divided) is None
    file = Retrieval.from_table({"train_features": str(feature_file)})
    assert "add --post whiten" in file.unfit(divided)
    only_novel = type(flat)("flat", ("all",), flat.read)
    assert "add --train-features FILE" in whitening.unfit(only_novel)


def test_the_version_of_a_step_is_that_of_the_method():
    (step,) = Retrieval.from_table({"post": ["aqe:2"]}).post

    class Corrected(type(step)):
        version = 3

    assert similarity([step]).version == 1
    assert similarity([Corrected(), step]).version == 3
