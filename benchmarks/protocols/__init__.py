"""Protocols: how scores are taken, one file each."""

from lowlabel.benchmarks.protocols.base import Protocol
from lowlabel.benchmarks.protocols.copies import Copies
from lowlabel.benchmarks.protocols.fewshot import FewShot
from lowlabel.benchmarks.protocols.knn import KNN
from lowlabel.benchmarks.protocols.label_budget import LabelBudget
from lowlabel.benchmarks.protocols.label_free import LabelFree
from lowlabel.benchmarks.protocols.landmarks import Landmarks
from lowlabel.benchmarks.protocols.linear import Linear
from lowlabel.benchmarks.protocols.logistic_regression import LogisticRegression
from lowlabel.benchmarks.protocols.retrieval import Retrieval
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.registry import Registry

__all__ = ["PROTOCOLS", "Protocol", "ProtocolScores", "Trial"]

PROTOCOLS: Registry[type[Protocol]] = Registry("protocol")
for _protocol in (
    FewShot,
    KNN,
    Linear,
    LogisticRegression,
    LabelBudget,
    Retrieval,
    Landmarks,
    Copies,
    LabelFree,
):
    PROTOCOLS.add(_protocol.name, _protocol)
