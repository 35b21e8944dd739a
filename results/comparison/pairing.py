"""Pairs of records to compare, and whether a pair is comparable."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.fields import encode
from lowlabel.results.experiment import Experiment
from lowlabel.results.grid import protocol_facts, row_facts
from lowlabel.results.labels import distinctions
from lowlabel.results.metrics import find_metric
from lowlabel.results.record import Record
from lowlabel.results.store import ScoredRecord
from lowlabel.specs import canonical_json

_MOST_LISTED = 6

Key = Callable[[Experiment], Hashable]


def same_protocol(e: Experiment) -> Hashable:
    """What two records share that are scored on the same images by the same protocol."""
    return canonical_json([_same_whole(e), encode(e.dataset.without)])


def _same_whole(e: Experiment) -> Hashable:
    """As `same_protocol`, whatever images were left out."""
    protocol = [e.protocol.name, e.protocol.version, e.protocol.options]
    return canonical_json([e.suite, e.dataset.whole_manifest, *protocol])


def _same_names(e: Experiment) -> Hashable:
    return e.suite, e.dataset.name, e.protocol.name


def exact_method(e: Experiment) -> Hashable:
    """The method with all of its options."""
    return canonical_json([e.method.spec, e.method.options, e.method.version])


def _exact_model(e: Experiment) -> Hashable:
    return canonical_json(asdict(e.model))


_WHAT: tuple[Key, ...] = (
    lambda e: (_exact_model(e), exact_method(e)),
    lambda e: (e.model.name, exact_method(e)),
    lambda e: (e.model.name, e.method.spec),
    exact_method,
    lambda e: e.method.spec,
    lambda e: e.model.name,
)


_WHERE: tuple[Key, ...] = (same_protocol, _same_whole, _same_names)


@dataclass(frozen=True)
class Pair:
    """Two records to compare, or one without a partner.

    Attributes:
        a: The record of side A; None if that of side B has no partner.
        b: The record of side B; None if that of side A has no partner.
        reason: Why one has no partner; empty for two.
    """

    a: ScoredRecord | None
    b: ScoredRecord | None
    reason: str = ""


def pair_records(a: Sequence[ScoredRecord], b: Sequence[ScoredRecord]) -> list[Pair]:
    """Pairs the records of two sides, each record once.

    Records with the same model (in everything, or else by name) and method are paired first, then
    those with the same method, then with the same model. Two single records of one dataset and
    protocol are paired anyway. A method is the same if its options are, or else if its spec is.
    Each step first looks on the same images and protocol, then on the same dataset whatever images
    were left out of it, then among equal names, so that the comparison can say why it is refused.
    A partner must be the only candidate. Records without a partner come last, with the reason: none
    fits, or several do.
    """
    left, right, pairs = list(a), list(b), list[tuple[ScoredRecord, ScoredRecord]]()
    steps = [(where, what) for where in _WHERE for what in _WHAT]
    if len(left) == len(right) == 1:
        steps.append((_same_names, lambda e: None))
    for where, what in steps:
        found = list(_unique_pairs(left, right, where, what))
        pairs += found
        left = [item for item in left if all(item is not one for one, _ in found)]
        right = [item for item in right if all(item is not other for _, other in found)]
    reasons = _ambiguities(left, right)
    return [
        *(Pair(*pair) for pair in pairs),
        *(Pair(one, None, reasons.get(id(one), "no counterpart in B")) for one in left),
        *(Pair(None, one, reasons.get(id(one), "no counterpart in A")) for one in right),
    ]


def reason_against(a: ScoredRecord, b: ScoredRecord) -> str | None:
    """Why two records cannot be compared item by item; None if they can."""
    for side, scored in (("A", a), ("B", b)):
        if not scored.record.complete:
            return f"{side} is incomplete"
    ours, theirs = _must_agree(a), _must_agree(b)
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            if name == "manifest" and (old := _known_by_size(a, b)):
                return f"manifest differs: {old} knows its images by their size: score it again"
            return f"{name} differs: {_short(ours.get(name))} and {_short(theirs.get(name))}"
    one, other = a.record.experiment.method, b.record.experiment.method
    if one.name == other.name and one.version != other.version:
        return f"method version differs: {one.version} and {other.version}"
    if a.record.experiment.suite == "fewshot" and a.record.task_hash is None:
        return "the records do not say which tasks were sampled"
    return None


def _known_by_size(a: ScoredRecord, b: ScoredRecord) -> str:
    """Which of the two an earlier version made, if the other knows its images by their content."""
    ours, theirs = (bool(scored.record.experiment.dataset.manifest) for scored in (a, b))
    if ours == theirs:
        return ""
    return "B" if ours else "A"


def _unique_pairs(
    left: Sequence[ScoredRecord], right: Sequence[ScoredRecord], where: Key, what: Key
) -> Iterator[tuple[ScoredRecord, ScoredRecord]]:
    ours_by, theirs_by = (_groups(side, where, what) for side in (left, right))
    for key, ours in ours_by.items():
        theirs = theirs_by.get(key, [])
        if len(ours) == len(theirs) == 1:
            yield ours[0], theirs[0]


def _groups(
    records: Sequence[ScoredRecord], where: Key, what: Key
) -> dict[Hashable, list[ScoredRecord]]:
    groups: dict[Hashable, list[ScoredRecord]] = defaultdict(list)
    for scored in records:
        experiment = scored.record.experiment
        groups[where(experiment), what(experiment)].append(scored)
    return groups


def _ambiguities(left: Sequence[ScoredRecord], right: Sequence[ScoredRecord]) -> dict[int, str]:
    """Why records that are left have no partner though some would fit, by their `id`."""
    reasons: dict[int, str] = {}
    for where in _WHERE:
        for what in _WHAT:
            ours, theirs = (_groups(side, where, what) for side in (left, right))
            for key in ours.keys() & theirs.keys():
                a, b = ours[key], theirs[key]
                reasons = dict.fromkeys(map(id, a), _ambiguity("A", a, "B", b)) | reasons
                reasons = dict.fromkeys(map(id, b), _ambiguity("B", b, "A", a)) | reasons
    return reasons


def _ambiguity(
    here: str, rivals: Sequence[ScoredRecord], there: str, fitting: Sequence[ScoredRecord]
) -> str:
    if len(fitting) > 1:
        return f"ambiguous: {len(fitting)} records of {there} fit: {_told_apart(fitting)}"
    return (
        f"ambiguous: {len(rivals)} records of {here} fit {_told_apart(fitting)} of {there}: "
        f"{_told_apart(rivals)}"
    )


def _told_apart(records: Sequence[ScoredRecord]) -> str:
    """Names of records, with what differs where names are equal."""
    every = [scored.record for scored in records]
    names = [f"{record.experiment.model.name} with {record.method_label}" for record in every]
    facts = [
        {
            **row_facts(record),
            **protocol_facts(record),
            **_dataset_facts(record),
            "without": str(record.experiment.dataset.without),
        }
        for record in every
    ]
    shown = [n + added for n, added in zip(names, distinctions(names, facts), strict=True)]
    more = f" and {len(shown) - _MOST_LISTED} more" if len(shown) > _MOST_LISTED else ""
    return ", ".join(shown[:_MOST_LISTED]) + more


def _must_agree(scored: ScoredRecord) -> dict[str, object]:
    return {
        **_dataset_facts(scored.record),
        **{f"protocol {key}": value for key, value in protocol_facts(scored.record).items()},
        "task hash": scored.record.task_hash,
    }


def common_items(
    a: ScoredRecord, b: ScoredRecord, metric: str
) -> tuple[NDArray[np.floating], NDArray[np.floating]] | None:
    """Scores of the items that both records have; None if they cannot be told.

    Where different images were left out of the two, these are the images of the evaluated part
    that both have and both could score, if each has a score in the order of the part.
    """
    ours, theirs = a.per_item[metric], b.per_item[metric]
    gone_a, gone_b = _left_out_rows(a.record), _left_out_rows(b.record)
    if np.array_equal(gone_a, gone_b):
        return ours, theirs
    if not find_metric(metric).is_mean:
        return None  # the scores of other images depend on those that were left out
    if any(one.record.task_hash or len(one.per_item[metric]) != _images(one) for one in (a, b)):
        return None
    count = len(ours) + len(gone_a)
    if count != len(theirs) + len(gone_b):
        return None
    every = np.arange(count)
    kept_a, kept_b = np.setdiff1d(every, gone_a), np.setdiff1d(every, gone_b)
    ours, theirs = ours[np.isin(kept_a, kept_b)], theirs[np.isin(kept_b, kept_a)]
    both = np.isfinite(ours) & np.isfinite(theirs)
    return ours[both], theirs[both]


def _left_out_rows(record: Record) -> NDArray[np.int64]:
    without = record.experiment.dataset.without
    return np.array(without.rows if without else (), dtype=np.int64)


def _images(scored: ScoredRecord) -> int:
    return scored.record.experiment.dataset.images


def _dataset_facts(record: Record) -> dict[str, object]:
    """What tells the images of two records apart, before any were left out."""
    dataset = record.experiment.dataset
    return {
        "scheme": dataset.scheme,
        "split": dataset.split,
        "manifest": dataset.whole_manifest,
        "bad images": dataset.bad_images,
    }


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "…"
