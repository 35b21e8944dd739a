import sys

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.training.finetuning import library
from lowlabel.training.finetuning.losses import (
    NAMED_LOSSES,
    build_loss,
    check_loss,
    full_spec,
    needs_pairs,
)

LABELS = torch.arange(6).repeat_interleave(3)


def embeddings(seed=0, dimension=8):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(LABELS), dimension, generator=generator)


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_proxy_nca_is_its_formula():
    loss = build_loss("proxy-nca", 6, 8)
    rows = embeddings()
    x, p = 3 * unit(rows), 3 * unit(loss.loss.proxies.detach())
    total = 0.0
    for row, label in zip(x, LABELS.tolist(), strict=True):
        distances = [float(((row - proxy) ** 2).sum()) for proxy in p]
        others = [np.exp(-d) for j, d in enumerate(distances) if j != label]
        total += distances[label] + np.log(sum(others))
    assert float(loss(rows, LABELS)) == pytest.approx(total / len(x), rel=1e-5)


def test_multi_similarity_is_the_published_code():
    """Roth et al.: per anchor, mined pairs; the mean over anchors with mined pairs."""
    loss = build_loss("multi-similarity", 6, 8)
    x = unit(embeddings())
    similarities = x @ x.T
    found = []
    for i, label in enumerate(LABELS.tolist()):
        same = LABELS.numpy() == label
        positive = similarities[i][same & (np.arange(len(x)) != i)]
        negative = similarities[i][~same]
        mined_negative = negative[negative + 0.1 > positive.min()]
        mined_positive = positive[positive - 0.1 < negative.max()]
        if not len(mined_negative) or not len(mined_positive):
            continue
        near = np.log1p(np.exp(-2 * (mined_positive - 0.5)).sum()) / 2
        found.append(near + np.log1p(np.exp(40 * (mined_negative - 0.5)).sum()) / 40)
    assert found
    assert float(loss(embeddings(), LABELS)) == pytest.approx(np.mean(found), rel=1e-4)


def test_multi_similarity_leaves_out_anchors_without_mined_pairs():
    loss = build_loss("multi-similarity", 2, 2)
    rows = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [0, 1]])
    labels = torch.tensor([0, 0, 1, 1])  # the first two are found already
    x = unit(rows)
    expected = []
    for anchor, positive, negatives in ((2, 3, (0, 1)), (3, 2, (0, 1))):
        near = np.log1p(np.exp(-2 * (x[anchor] @ x[positive] - 0.5))) / 2
        mined = [x[anchor] @ x[n] for n in negatives if x[anchor] @ x[n] + 0.1 > x[2] @ x[3]]
        if mined:
            far = np.log1p(sum(np.exp(40 * (s - 0.5)) for s in mined)) / 40
            expected.append(near + far)
    assert float(loss(rows, labels)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_margin_is_its_formula_on_the_mined_triplets():
    loss = build_loss("margin", 6, 8)
    rows = embeddings()
    with torch.no_grad():
        loss.loss.beta.copy_(torch.linspace(0.8, 1.4, 6))
    torch.manual_seed(3)
    triplets = [index.tolist() for index in loss.miner(rows, LABELS)]
    x, beta = unit(rows), loss.loss.beta.detach().double().numpy()
    terms = []
    for a, p, n in zip(*triplets, strict=True):
        own = beta[LABELS[a]]
        terms.append(max(0.0, np.linalg.norm(x[a] - x[p]) - own + 0.2))
        terms.append(max(0.0, own - np.linalg.norm(x[a] - x[n]) + 0.2))
    active = sum(term > 0 for term in terms)
    torch.manual_seed(3)
    assert float(loss(rows, LABELS)) == pytest.approx(sum(terms) / active, rel=1e-4)


def test_margins_beta_is_learned_for_each_class():
    loss = build_loss("margin", 6, 8)
    assert loss.loss.beta.shape == (6,)
    assert loss.loss.beta.requires_grad
    torch.testing.assert_close(loss.loss.beta.detach(), torch.full((6,), 1.2))


def test_proxy_anchor_is_its_formula():
    """Kim et al., CVPR 2020: α = 32, δ = 0.1."""
    loss = build_loss("proxy-anchor", 6, 8)
    labels = LABELS % 4  # two classes without an image
    cosines = unit(embeddings()) @ unit(loss.loss.proxies.detach()).T
    positive = negative = 0.0
    for proxy in range(6):
        same = labels.numpy() == proxy
        if same.any():
            positive += np.log1p(np.exp(-32 * (cosines[same, proxy] - 0.1)).sum())
        negative += np.log1p(np.exp(32 * (cosines[~same, proxy] + 0.1)).sum())
    expected = positive / 4 + negative / 6
    assert float(loss(embeddings(), labels)) == pytest.approx(expected, rel=1e-4)


REQUIRED = {"RankedListLoss": ",margin=0.4,Tn=10"}
LOSSES = sorted({*NAMED_LOSSES, *library.library_losses()})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_gives_a_finite_gradient(name):
    torch.manual_seed(0)
    loss = build_loss(name + REQUIRED.get(name, ""), 6, 8)
    rows = embeddings().requires_grad_()
    loss(rows, LABELS).backward()
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()
    assert rows.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("margin", True), ("multi-similarity", True), ("proxy-nca", False), ("ArcFaceLoss", False)],
)
def test_losses_that_learn_nothing_from_single_images_are_known(name, expected):
    assert needs_pairs(build_loss(name, 6, 8), 6, 8) == expected


def test_options_reach_the_class():
    loss = build_loss("TripletMarginLoss,margin=0.3,distance=CosineSimilarity", 6, 8, "none")
    assert loss.loss.margin == 0.3
    assert type(loss.loss.distance).__name__ == "CosineSimilarity"
    assert build_loss("margin,beta=0.6", 6, 8).loss.beta.tolist() == pytest.approx([0.6] * 6)
    mined = build_loss("ContrastiveLoss", 6, 8, "MultiSimilarityMiner,epsilon=0.25")
    assert mined.miner.epsilon == 0.25
    assert build_loss("multi-similarity", 6, 8, "none").miner is None


def test_the_record_holds_the_settings_that_a_name_stands_for():
    loss, miner = full_spec("multi-similarity,beta=50")
    assert loss == "multi-similarity,alpha=2,base=0.5,beta=50,reducer=AvgNonZeroReducer"
    assert miner == "MultiSimilarityMiner,epsilon=0.1"
    assert full_spec("ArcFaceLoss") == ("ArcFaceLoss", "none")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("multisimilarity", "multi-similarity"),
        ("TripletMarginLos", "TripletMarginLoss"),
        ("margin,bta=1", "Did you mean beta"),
        ("ArcFaceLoss,scal=3", "Did you mean scale"),
        ("TripletMarginLoss,distance=Cosine", "CosineSimilarity"),
    ],
)
def test_unknown_names_get_suggestions(spec, expected):
    with pytest.raises(UnknownNameError) as caught:
        build_loss(spec, 6, 8)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("CrossBatchMemory", "wraps another loss"),
        ("RankedListLoss", "needs a value of Tn, margin"),
        ("proxy-nca,scale=0", "scale=0"),
        ("proxy-nca,num_classes=5", "num_classes is 6 here"),
        ("ProxyAnchorLoss,embedding_size=9", "embedding_size is 8 here"),
        ("TripletMarginLoss,margin=wide", "margin=wide"),
        ("ContrastiveLoss,distance=BatchedDistance", "missing 1 required"),
        ("ContrastiveLoss,reducer=ThresholdReducer", "At least one of low or high"),
        ("ContrastiveLoss,reducer=DoNothingReducer", "it gives dict, not one number"),
        ("HistogramLoss,n_bins=0", "n_bins=0 is not possible: division by zero"),
    ],
)
def test_losses_that_cannot_be_computed_are_refused(spec, expected):
    with pytest.raises(InputError, match=expected):
        build_loss(spec, 6, 8)


@pytest.mark.parametrize("name", [*NAMED_LOSSES, "TripletMarginLoss", "ContrastiveLoss"])
def test_the_loss_of_embeddings_that_are_not_finite_is_nan(name):
    for value in (float("nan"), float("inf")):
        rows = embeddings()
        rows[4, 2] = value
        assert build_loss(name, 6, 8)(rows.requires_grad_(), LABELS).isnan()


def test_a_loss_is_refused_with_its_reason_before_anything_is_made():
    with pytest.raises(InputError, match="CrossBatchMemory cannot be used: it wraps another loss"):
        check_loss("CrossBatchMemory")
    with pytest.raises(UnknownNameError, match="Did you mean multi-similarity"):
        check_loss("multi-similarty")
    check_loss("ArcFaceLoss,scale=3")


def test_an_unknown_miner_gets_suggestions():
    with pytest.raises(UnknownNameError, match="BatchHardMiner"):
        build_loss("ContrastiveLoss", 6, 8, "BatchHardMinr")


def test_without_the_library_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'lowlabel\[metric-learning\]'"):
        build_loss("margin", 6, 8)
    assert build_loss("proxy-nca", 6, 8).loss.proxies.shape == (6, 8)
