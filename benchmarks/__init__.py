"""Suites as TOML, and the runner: plan → skip → run → record."""

from lowlabel.benchmarks.plan import Job, Plan, make_plan
from lowlabel.benchmarks.request import BackboneOptions, Request
from lowlabel.benchmarks.runner import Run, run_plan
from lowlabel.benchmarks.suite import Suite, load_suite, suite_names

__all__ = [
    "BackboneOptions",
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
