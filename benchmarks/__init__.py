"""Suites as TOML, and the runner: plan → skip → run → record.

Names are looked up on first use, since the runner imports networks and the modules of `speed/`,
which measure memory, need none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowlabel.benchmarks.jobs import Job
    from lowlabel.benchmarks.plan import Plan, make_plan
    from lowlabel.benchmarks.request import Request
    from lowlabel.benchmarks.runner import Run, run_plan
    from lowlabel.benchmarks.suite import Suite, load_suite, suite_names

__all__ = [
    "Job",
    "Plan",
    "Request",
    "Run",
    "Suite",
    "load_suite",
    "make_plan",
    "run_plan",
    "suite_names",
]

_MODULES = ("suite", "request", "plan", "runner")  # the lightest first


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            names = vars(import_module(f"{__name__}.{module}"))
            if name in names:
                return names[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
