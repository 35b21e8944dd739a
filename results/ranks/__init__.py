"""Ranks of models over several datasets."""

from lowlabel.results.ranks.bootstrap import Ranks, Shared, rank
from lowlabel.results.ranks.critical_difference import CriticalDifference, critical_difference

__all__ = ["CriticalDifference", "Ranks", "Shared", "critical_difference", "rank"]
