import numpy as np
import pytest
import torch

from lowlabel.retrieval import (
    evaluate_copies,
    evaluate_retrieval,
    evaluate_revisited,
    learn_whitening,
    top_images,
)

RANDOM = np.random.default_rng(0)
LABELS = np.repeat(np.arange(12), 10)
FEATURES = (RANDOM.normal(size=(12, 24))[LABELS] + RANDOM.normal(size=(120, 24))).astype("f4")
TRAIN = RANDOM.normal(size=(200, 24)).astype("f4")
POST = (
    *("whiten:8", "whiten,covariance=reference", "aqe:3", "dba:2", "k-reciprocal:5,k2=2"),
    *("diffusion:5", "whiten-pairs:8"),
)


def assert_both_agree(gpu, score):
    """The scores of the CPU and of the GPU are equal but for rounding."""
    on_cpu, on_gpu = score("cpu").metrics, score(gpu).metrics
    assert on_gpu == pytest.approx(on_cpu, abs=1e-4)


@pytest.mark.parametrize("post", ["", *POST])
def test_leave_one_out(gpu, post):
    train = {"train": TRAIN, "train_labels": np.repeat(np.arange(20), 10)}
    options = train if post.startswith("whiten") else {}
    steps = [post] if post else []
    assert_both_agree(
        gpu,
        lambda device: evaluate_retrieval(
            FEATURES, LABELS, ks=(1, 4), post=steps, device=device, **options
        ),
    )


@pytest.mark.parametrize("block_size", [7, None])
def test_queries_against_a_gallery(gpu, block_size):
    assert_both_agree(
        gpu,
        lambda device: evaluate_retrieval(
            FEATURES[::2],
            LABELS[::2],
            gallery=(FEATURES[1::2], LABELS[1::2]),
            ks=(1, 10),
            map_at=(5,),
            block_size=block_size,
            device=device,
        ),
    )


def test_landmarks(gpu):
    truth = [{"easy": [q], "hard": [q + 20, q + 21], "junk": [q + 40]} for q in range(10)]
    assert_both_agree(
        gpu,
        lambda device: evaluate_revisited(
            FEATURES[:10],
            FEATURES[10:],
            truth,
            distractors=TRAIN,
            transform=learn_whitening(TRAIN, FEATURES[10:], "whiten:8", device=device),
            device=device,
        ),
    )


def test_copies(gpu):
    groups = np.arange(30)
    assert_both_agree(
        gpu,
        lambda device: evaluate_copies(
            FEATURES[:30], groups, FEATURES[30:60], groups, distractors=TRAIN, device=device
        ),
    )


def test_nearest_images(gpu):
    queries = np.array([3, 50, 119])
    found = [top_images(FEATURES, 5, queries=queries, device=device)[1] for device in ("cpu", gpu)]
    assert np.array_equal(*found)


def test_numpy_has_no_view_of_the_gpu(gpu):
    with pytest.raises((RuntimeError, TypeError)):
        torch.zeros(3, device=gpu).numpy()
