"""How label-free measures go with the scores of a results folder's models."""

from lowlabel.results.correlation.pairs import Correlation, correlations
from lowlabel.results.correlation.table import label_free_sections, render_correlations_csv

__all__ = ["Correlation", "correlations", "label_free_sections", "render_correlations_csv"]
