"""Benchmarks of self-supervised embeddings when labels are few or absent.

The package's parts are imported by name (`lowlabel.fewshot`, `lowlabel.retrieval`,
`lowlabel.features`, `lowlabel.datasets`, `lowlabel.results`); importing `lowlabel` itself loads
nothing heavy.
"""

__version__ = "0.1.0"
