"""Names of devices, and where scores are computed."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lowlabel import devices
from lowlabel.devices import describe_device, resolve_device, scoring_device
from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.retrieval import evaluate_retrieval

ROOT = Path(__file__).parent.parent


@pytest.fixture
def mps(monkeypatch):
    """Lets MPS be resolved on any machine; a tensor cannot be put there."""
    resolve = devices.resolve_device
    monkeypatch.setattr(
        devices,
        "resolve_device",
        lambda device="auto": torch.device("mps") if str(device) == "mps" else resolve(device),
    )


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has MPS")
def test_a_device_that_is_not_here_is_named():
    for name in ("mps", "nonsense"):
        with pytest.raises(InputError, match=f"device '{name}' cannot be used here"):
            resolve_device(name)


def test_scores_of_mps_are_computed_on_the_cpu(mps):
    """Only MPS lacks float64; a tensor on it would fail here."""
    random = np.random.default_rng(0)
    features = random.standard_normal((60, 8), dtype=np.float32)
    labels = np.arange(6).repeat(10)
    options = {"method": "ncm", "ways": 3, "shots": 1, "tasks": 20, "queries": 3}
    found = evaluate_fewshot(features, labels, **options, device="mps")
    assert found.mean == evaluate_fewshot(features, labels, **options, device="cpu").mean
    ranked = evaluate_retrieval(features, labels, ks=(1,), device="mps").metrics
    assert ranked == evaluate_retrieval(features, labels, ks=(1,), device="cpu").metrics
    assert scoring_device("mps") == torch.device("cpu")
    assert describe_device(torch.device("mps")).startswith("mps, scores on cpu")


@pytest.mark.parametrize("folder", ["analysis", "classification", "fewshot", "retrieval"])
def test_no_score_is_computed_on_a_device_without_float64(folder):
    for file in (ROOT / folder).rglob("*.py"):
        assert not re.search(r"\bresolve_device\b", file.read_text()), file
