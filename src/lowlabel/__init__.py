"""Benchmarks of self-supervised embeddings when labels are few or absent.

Import its packages by name (`lowlabel.fewshot`, `lowlabel.retrieval`, `lowlabel.classification`,
`lowlabel.features`, `lowlabel.datasets`, `lowlabel.results`); `lowlabel` alone loads nothing heavy.
"""

__version__ = "0.1.0"
