"""Functions compiled by numba, whose compiler no signal disturbs.

What a signal raises inside a call from LLVM to Python is dropped, and numba then writes to an
address that it did not get; an object that is half made is freed twice. So while numba compiles a
function, or loads it from its cache on disk, a signal's KeyboardInterrupt waits for the next pass
of the compiler or for its end. Importing this module guards all of numba's functions.

It also lets numba's parallel loops, such as umap's, run on OpenMP. Beside OpenVINO numba would take
the TBB that OpenVINO brings, which then prints a warning to stdout whenever the process forks.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import config, njit
from numba.core.event import Event, Listener, register

from lowlabel.processes.interrupts import (
    defer_interrupts,
    raise_if_interrupted,
    resume_interrupts,
)

F = TypeVar("F", bound=Callable[..., Any])
_OF_NUMBA = ["tbb", "omp", "workqueue"]


def compiled(function: F, **options: Any) -> F:
    """Compiles a function at its first call, and caches it on disk.

    It releases the global interpreter lock, so threads run side by side. Numba's cache watches only
    the file of the function: what it calls must be in the same file.

    Args:
        function: Function of arrays and numbers.
        options: Further options of `numba.njit`.
    """
    return cast(F, njit(nogil=True, cache=True, error_model="numpy", **options)(function))


def compiled_sum(function: F, **options: Any) -> F:
    """As `compiled`, of a sum whose terms may be added in any order, as vector instructions do."""
    return compiled(function, fastmath={"reassoc", "contract"}, **options)


class _AtWork(Listener):  # type: ignore[misc]
    def on_start(self, event: Event) -> None:
        if _in_main_thread():
            defer_interrupts()

    def on_end(self, event: Event) -> None:
        if _in_main_thread():
            resume_interrupts()


class _BetweenPasses(Listener):  # type: ignore[misc]
    def on_start(self, event: Event) -> None:
        if _in_main_thread():
            raise_if_interrupted()

    def on_end(self, event: Event) -> None:
        pass


def _in_main_thread() -> bool:  # the only one in which signals are handled
    return threading.current_thread() is threading.main_thread()


if config.THREADING_LAYER_PRIORITY == _OF_NUMBA:  # nobody chose another order
    config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]
register("numba:compiler_lock", _AtWork())
register("numba:run_pass", _BetweenPasses())
