"""Label-free measures: what the spectrum and the geometry of embeddings say without a classifier.

`label_free_measures` computes all of them and returns a `LabelFreeResult`.
"""

from lowlabel.classification.label_free.measures import LabelFreeResult, label_free_measures

__all__ = ["LabelFreeResult", "label_free_measures"]
