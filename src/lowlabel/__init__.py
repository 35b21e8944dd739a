"""Benchmarks of self-supervised embeddings when labels are few or absent.

Import its packages by name (`lowlabel.fewshot`, `lowlabel.retrieval`, `lowlabel.classification`,
`lowlabel.features`, `lowlabel.datasets`, `lowlabel.results`); `lowlabel` alone loads nothing heavy.

It lets OpenMP's threads sleep soon when they wait for each other: beside another busy process, a
thread that spins holds the core that the other one needs, and small operations take many times as
long. A policy that the user has set stays.
"""

import os

__version__ = "0.1.0"

# Here, because OpenMP reads them when torch is imported. 1000 is what libgomp itself takes if there
# are more threads than cores: waiting in a loop for about as long as waking up takes.
if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}:
    os.environ |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
