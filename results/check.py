"""Check of records against a baseline."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tabulate import tabulate

from lowlabel.errors import number_of
from lowlabel.escaping import markdown_cell
from lowlabel.results.baseline import ABSENT, Baseline, BaselineEntry, comparable_facts
from lowlabel.results.grid import newest
from lowlabel.results.labels import format_difference
from lowlabel.results.metrics import find_metric
from lowlabel.results.outdated import made_before
from lowlabel.results.record import Record
from lowlabel.results.tolerance import Rule, rule_of

_TURNED = (
    "deterministic scores of equal features differ by less than the baseline's own tolerance: the "
    "code has changed, or another processor or library breaks a near tie the other way."
)
_ROUNDING = 9  # digits; a difference of exactly the tolerance holds


class Status(StrEnum):
    """Result of comparing a score with its baseline."""

    HOLDS = "holds"
    BETTER = "better"
    REGRESSION = "regression"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Finding:
    """One entry of the baseline and the score found for it.

    Attributes:
        entry: The entry.
        status: The result.
        mean: The new mean; None if not comparable.
        reason: Why it is not comparable; empty otherwise.
        rule: What it was held to; None if not comparable.
    """

    entry: BaselineEntry
    status: Status
    mean: float | None = None
    reason: str = ""
    rule: Rule | None = None


@dataclass(frozen=True)
class CheckReport:
    """Result of a check.

    Attributes:
        findings: One per entry of the baseline, in its order.
        unheld: Number of scores that are not in the baseline; they do not affect the exit code.
    """

    findings: tuple[Finding, ...]
    unheld: int

    @property
    def exit_code(self) -> int:
        """0 if all hold, 1 for a regression, 2 if an entry is not comparable.

        A regression comes first: a missing record must not hide it.
        """
        found = {finding.status for finding in self.findings}
        if Status.REGRESSION in found:
            return 1
        return 2 if Status.NOT_COMPARABLE in found else 0

    def render(self) -> str:
        """The report as Markdown: every entry that does not just hold, the rules, the counts."""
        counts = {status: self._count(status) for status in Status}
        notable = [f for f in self.findings if f.status is not Status.HOLDS]
        parts = [_table(notable)] if notable else []
        parts += [f"- {f.entry}: {f.reason}" for f in notable if f.reason]
        if turned := sum(map(_is_turned, notable)):
            parts.append(f"{turned} {_TURNED}")
        if counts[Status.BETTER]:
            parts.append("Better by more than the tolerance: update the baseline.")
        if self.unheld:
            parts.append(f"Not in the baseline: {number_of(self.unheld, 'scores')}.")
        held = Counter(f.rule.what for f in self.findings if f.rule)
        parts += [f"Held to {rule}: {number}" for rule, number in sorted(held.items())]
        parts.append(", ".join(f"{number} {status}" for status, number in counts.items() if number))
        return "\n\n".join(parts) + "\n"

    def _count(self, status: Status) -> int:
        return sum(finding.status is status for finding in self.findings)


def check(records: Iterable[Record], baseline: Baseline) -> CheckReport:
    """Checks records against a baseline.

    A deterministic score of features with the hashes of the baseline must be equal, to 1e-6. Any
    other may be worse by the tolerance of its entry.

    An entry is not comparable if its record is missing or incomplete, or if images, weights,
    preprocessing, versions or protocol options (number of tasks, seed) differ.
    """
    records = newest(records)
    outdated = made_before(records)
    latest = [record for record in records if record.identity() not in outdated]
    findings = tuple(_finding(entry, latest) for entry in baseline.entries)
    known = {(*_names(entry), entry.row_label) for entry in baseline.entries}
    scores = ((record, metric) for record in latest for metric in record.scores)
    found = [(*_record_names(record, metric), record.row_label) for record, metric in scores]
    return CheckReport(findings, sum(names not in known for names in found))


def _finding(entry: BaselineEntry, records: Sequence[Record]) -> Finding:
    candidates = [
        record
        for record in records
        if entry.metric in record.scores and _record_names(record, entry.metric) == _names(entry)
    ]
    if not candidates:
        return Finding(entry, Status.NOT_COMPARABLE, reason="no such record")
    # Of records that differ equally, the latest counts.
    record = min(reversed(candidates), key=lambda record: len(_differences(entry, record)))
    differing = _differences(entry, record)
    if differing:
        return Finding(entry, Status.NOT_COMPARABLE, reason="; ".join(differing))
    mean = record.score(entry.metric).mean
    if mean is None:
        return Finding(entry, Status.NOT_COMPARABLE, reason="the run is incomplete")
    rule = rule_of(entry, record)
    return Finding(entry, _status(entry, mean, rule.tolerance), mean, rule=rule)


def _is_turned(finding: Finding) -> bool:
    """Whether a score that has to be equal is within the tolerance of the baseline."""
    if finding.mean is None or not (finding.rule and finding.rule.exact):
        return False
    return abs(finding.mean - finding.entry.mean) <= finding.entry.tolerance


def _status(entry: BaselineEntry, mean: float, tolerance: float) -> Status:
    gain = round(find_metric(entry.metric).merit(mean - entry.mean), _ROUNDING)
    if gain < -tolerance:
        return Status.REGRESSION
    return Status.BETTER if gain > tolerance else Status.HOLDS


def _differences(entry: BaselineEntry, record: Record) -> list[str]:
    old, new = ABSENT | entry.facts, ABSENT | comparable_facts(record)
    if old["manifest"] != new["manifest"]:
        return ["images were known by their size in bytes, now by their content"]
    return [
        f"{name} was {old.get(name)}, is {new.get(name)}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]


def _names(entry: BaselineEntry) -> tuple[str, ...]:
    return entry.suite, entry.dataset, entry.protocol, entry.model, entry.method, entry.metric


def _record_names(record: Record, metric: str) -> tuple[str, ...]:
    e = record.experiment
    return e.suite, e.dataset.name, e.protocol.name, e.model.name, e.method.spec, metric


def _table(findings: Sequence[Finding]) -> str:
    rows = [
        {
            "Status": finding.status,
            "Dataset": finding.entry.dataset,
            "Protocol": finding.entry.protocol,
            "Model": finding.entry.model,
            "Method": finding.entry.row_label,
            "Metric": find_metric(finding.entry.metric).label,
            "Baseline": _number(finding, finding.entry.mean),
            "Now": _number(finding, finding.mean),
            "Δ": _change(finding),
            "Held to": str(finding.rule or ""),
        }
        for finding in findings
    ]
    rows = [{key: markdown_cell(text) for key, text in row.items()} for row in rows]
    return tabulate(rows, headers="keys", tablefmt="pipe", disable_numparse=True)


def _number(finding: Finding, value: float | None) -> str:
    return "–" if value is None else f"{value:.{_digits(finding)}f}"


def _change(finding: Finding) -> str:
    if finding.mean is None:
        return ""
    return format_difference(finding.mean - finding.entry.mean, _digits(finding))


def _digits(finding: Finding) -> int:
    """As tables have; more where equality is asked for."""
    exact = finding.rule and finding.rule.exact
    return 6 if exact else find_metric(finding.entry.metric).digits
