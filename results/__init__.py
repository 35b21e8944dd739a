"""Records of experiments, and the tables, comparisons and checks made from them alone."""

from lowlabel.results.baseline import Baseline, BaselineEntry, make_baseline
from lowlabel.results.check import CheckReport, check
from lowlabel.results.comparison.compare import compare, compare_tuned
from lowlabel.results.comparison.render import render_comparison
from lowlabel.results.comparison.several import compare_several
from lowlabel.results.environment import Environment, describe_environment
from lowlabel.results.experiment import (
    Counts,
    DatasetInfo,
    Experiment,
    MethodInfo,
    ModelInfo,
    Partial,
    ProtocolInfo,
    Without,
)
from lowlabel.results.folder import (
    archive_records,
    find_records,
    load_records,
    load_scored,
    open_records,
)
from lowlabel.results.leaderboard import leaderboard
from lowlabel.results.record import Record, Score, StoredInterval, stored_intervals
from lowlabel.results.reference import find_reference, load_references, published_rows
from lowlabel.results.render import (
    render_csv,
    render_label_free,
    render_latex,
    render_markdown,
    write_leaderboards,
)
from lowlabel.results.scores import load, scores_frame
from lowlabel.results.store import (
    ScoredRecord,
    delete_record,
    load_record,
    load_scores,
    record_path,
    save_changed,
    save_record,
)

__all__ = [
    "Baseline",
    "BaselineEntry",
    "CheckReport",
    "Counts",
    "DatasetInfo",
    "Environment",
    "Experiment",
    "MethodInfo",
    "ModelInfo",
    "Partial",
    "ProtocolInfo",
    "Record",
    "Score",
    "ScoredRecord",
    "StoredInterval",
    "Without",
    "archive_records",
    "check",
    "compare",
    "compare_several",
    "compare_tuned",
    "delete_record",
    "describe_environment",
    "find_records",
    "find_reference",
    "leaderboard",
    "load",
    "load_record",
    "load_records",
    "load_references",
    "load_scored",
    "load_scores",
    "make_baseline",
    "open_records",
    "published_rows",
    "record_path",
    "render_comparison",
    "render_csv",
    "render_label_free",
    "render_latex",
    "render_markdown",
    "save_changed",
    "save_record",
    "scores_frame",
    "stored_intervals",
    "write_leaderboards",
]
