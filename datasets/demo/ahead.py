"""Draws the demo's pictures while something else is done, such as importing torch."""

from contextlib import AbstractContextManager, nullcontext

from lowlabel.datasets.demo.copies import DEMO_COPIES
from lowlabel.datasets.demo.dataset import DEMO
from lowlabel.datasets.demo.landmarks import DEMO_LANDMARKS
from lowlabel.datasets.prepare import make, prepared_folder
from lowlabel.devices import keep_freed_memory
from lowlabel.processes.beside import beside

_DATASETS = DEMO, DEMO_LANDMARKS, DEMO_COPIES


def drawn_ahead() -> AbstractContextManager[None]:
    """Draws all demo datasets that are not there in a process beside this one.

    Whoever opens one meanwhile waits for it.
    """
    if all(prepared_folder(dataset).is_dir() for dataset in _DATASETS):
        return nullcontext()
    return beside(_draw)


def _draw() -> None:
    keep_freed_memory()
    for dataset in _DATASETS:
        make(dataset)
