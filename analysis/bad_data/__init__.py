"""Images of a dataset that are suspect: outliers, duplicates, label errors and blank images."""

from lowlabel.analysis.bad_data.find import BadData, find_bad_data
from lowlabel.analysis.bad_data.leakage import Leakage, find_leakage
from lowlabel.analysis.bad_data.pool import Pool
from lowlabel.analysis.bad_data.sheet import draw_flags

__all__ = ["BadData", "Leakage", "Pool", "draw_flags", "find_bad_data", "find_leakage"]
