"""Runs as jobs of a launcher: one job for each model on each dataset in each suite."""

from lowlabel.benchmarks.sweep.jobs import SweepJob, sweep_jobs
from lowlabel.benchmarks.sweep.run import Sweep, run_sweep
from lowlabel.benchmarks.sweep.state import describe_jobs

__all__ = ["Sweep", "SweepJob", "describe_jobs", "run_sweep", "sweep_jobs"]
