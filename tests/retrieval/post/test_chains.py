"""Chains of post-processing, their specs, and bad input."""

import numpy as np
import pytest

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.post import build_post


def test_chain_is_applied_in_order(clustered):
    x, labels = clustered(images=200, classes=20)
    train = np.random.default_rng(9).standard_normal((100, 24)).astype(np.float32)

    def scores(*post):
        return evaluate_retrieval(x, labels, train=train, post=post).metrics["map"]

    plain = scores()
    both, swapped = scores("whiten:12", "aqe:4"), scores("aqe:4", "whiten:12")
    assert len({plain, both, swapped, scores("whiten:12"), scores("aqe:4")}) == 5
    assert scores("dba:4", "aqe:4") > plain


def test_post_processing_may_be_given_built_or_by_spec(clustered):
    x, labels = clustered(images=200, classes=20)
    read = evaluate_retrieval(x, labels, post=("dba:4", "aqe:4"))
    built = evaluate_retrieval(x, labels, post=[build_post("dba:4"), "aqe:4"])
    assert built.metrics == read.metrics


def test_canonical_specs():
    assert build_post("aqe").spec == "aqe:10"
    assert build_post("whiten").spec == "whiten"
    assert build_post("whiten:64,covariance=reference").spec == "whiten:64,covariance=reference"
    assert build_post("k-reciprocal,weight=0.5").spec == "k-reciprocal:20,weight=0.5"
    assert build_post("aqe,rule=reference").spec == "aqe:10,rule=reference"


def test_options_that_were_added_are_in_a_record_only_away_from_their_default():
    assert build_post("aqe:3").options == {"neighbours": 3, "alpha": 3.0}
    assert build_post("dba:3").options == {"neighbours": 3}
    released = build_post("dba:3,weights=reference").options
    assert released == {"neighbours": 3, "weights": "reference"}


def test_only_corrected_arithmetic_has_a_later_version():
    centred, reference = build_post("whiten:8"), build_post("whiten:8,covariance=reference")
    assert (centred.arithmetic, reference.arithmetic) == (1, 2)
    assert [build_post(name).arithmetic for name in ("aqe", "dba")] == [1, 1]
    assert [build_post(name).arithmetic for name in ("k-reciprocal", "diffusion")] == [2, 2]


@pytest.mark.parametrize(
    ("post", "train", "message"),
    [
        (("whiten:8",), None, "is trained on training images, and there are none"),
        (("whiten:8",), np.ones((40, 12)), "features have 24 dimensions, train features 12"),
        (("whiten:8",), "few", "15 training images for 24 dimensions"),
        (("whiten:25",), "other", "whiten:25 keeps more dimensions than the 24"),
        (("whiten:8",), "test", "100 of the 100 images searched are among"),
        (("whiten:8,covariance=mean",), "other", "covariance=mean is not possible"),
        (("aqe:100",), None, "100 neighbours .* 99 images"),
        (("aqe:0",), None, "must be at least 1"),
        (("aqe:ten",), None, "must be a whole number"),
        (("aqe:3,beta=1",), None, "no option 'beta'"),
        (("k-reciprocal:4,k2=9",), None, "k2=9 of k-reciprocal must be at most"),
        (("diffusion:5", "aqe:2"), None, "aqe:2 needs embeddings, and diffusion:5 gives"),
        (("aqe:2", "diffusion:5"), None, "needs queries that are rows of the gallery"),
        (("dba:2", "k-reciprocal:5"), None, "needs queries that are rows of the gallery"),
        (("diffusion:5,alpha=1",), None, "alpha=1.0 of diffusion"),
        (("diffusion:1",), None, "neighbours=1 of diffusion must be at least 2"),
        (("k-reciprocal:5,overlap=half",), None, "overlap=half is not possible"),
        (("aqe:5,rule=theirs",), None, "rule=theirs is not possible"),
        (("aqe:5,alpha=0.5,rule=reference",), None, "alpha=0.5 of aqe is no power"),
        (("dba:5,alpha=2",), None, "alpha=2.0 of dba has no meaning with weights=rank"),
        (("dba:5,weights=reference,alpha=1.5",), None, "alpha=1.5 of dba is no power"),
        (("dba:3", "whiten,covariance=reference"), "other", "Put whiten,covariance=reference firs"),
        (("whiten,eps=-1",), "other", "eps=-1.0 of whiten must be at least 0"),
        (("whiten,eps=0",), "flat", "not vary in 1 of the 24 dimensions that whiten,eps=0.0 keeps"),
        (("whiten",), "constant", "do not vary in 24 of the 24 dimensions that whiten keeps"),
        (("whiten:8", "aqe:2", "whiten:4"), "other", "whiten:8 and whiten:4 would be trained"),
        (("diffusion:101",), None, "neighbours=101 of diffusion .* at most 100"),
        (("whiten-pairs",), "other", "the training images have no labels"),
    ],
)
def test_bad_input(clustered, post, train, message):
    x, labels = clustered(images=100, classes=10)
    rng = np.random.default_rng(1)
    trains = {
        "few": rng.standard_normal((15, 24)),
        "flat": rng.standard_normal((50, 24)) * (np.arange(24) > 0),
        "constant": np.ones((50, 24)),
        "other": rng.standard_normal((50, 24)),
        "test": np.concatenate([x, rng.standard_normal((50, 24)).astype(np.float32)]),
    }
    train = trains[train] if isinstance(train, str) else train
    with pytest.raises(InputError, match=message):
        evaluate_retrieval(x, labels, post=post, train=train)


def test_unknown_names(clustered):
    x, labels = clustered(images=100, classes=10)
    with pytest.raises(UnknownNameError, match=r"unknown post-processing 'qe'"):
        evaluate_retrieval(x, labels, post=("qe:10",))
