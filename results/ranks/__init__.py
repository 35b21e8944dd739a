"""Ranks of models over several datasets."""

from lowlabel.results.ranks.critical_difference import CriticalDifference, critical_difference

__all__ = ["CriticalDifference", "critical_difference"]
