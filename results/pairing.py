"""Pairs of records to compare, and whether a pair is comparable."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence

from lowlabel.results.experiment import Experiment
from lowlabel.results.grid import protocol_facts
from lowlabel.results.store import ScoredRecord
from lowlabel.specs import canonical_json

Pair = tuple[ScoredRecord | None, ScoredRecord | None]
Key = Callable[[Experiment], Hashable]


def _same_protocol(e: Experiment) -> Hashable:
    protocol = [e.protocol.name, e.protocol.version, e.protocol.options]
    return canonical_json([e.suite, e.dataset.manifest_sha256, *protocol])


def _same_names(e: Experiment) -> Hashable:
    return e.suite, e.dataset.name, e.protocol.name


def _exact_method(e: Experiment) -> Hashable:
    return canonical_json([e.method.spec, e.method.options, e.method.version])


_WHAT: tuple[Key, ...] = (
    lambda e: (e.model.name, _exact_method(e)),
    lambda e: (e.model.name, e.method.spec),
    _exact_method,
    lambda e: e.method.spec,
    lambda e: e.model.name,
    lambda e: None,
)


def pair_records(a: Sequence[ScoredRecord], b: Sequence[ScoredRecord]) -> list[Pair]:
    """Pairs the records of two sides, each record once.

    Records with the same model and method are paired first, then those with the same method, then
    with the same model, and last the only two that are left. A method is the same if its options
    are, or else if its spec is. Each step first looks on the same images and protocol, then
    among equal names, so that the comparison can say why it is refused. A partner must be the
    only candidate. Records without a partner come last, paired with None.
    """
    left, right, pairs = list(a), list(b), list[Pair]()
    for where in (_same_protocol, _same_names):
        for what in _WHAT:
            found = list(_unique_pairs(left, right, where, what))
            pairs += found
            left = [item for item in left if all(item is not one for one, _ in found)]
            right = [item for item in right if all(item is not other for _, other in found)]
    return [*pairs, *((item, None) for item in left), *((None, item) for item in right)]


def reason_against(a: ScoredRecord | None, b: ScoredRecord | None) -> str | None:
    """Why two records cannot be compared item by item; None if they can."""
    if a is None or b is None:
        return "no counterpart in " + ("A" if a is None else "B")
    for side, scored in (("A", a), ("B", b)):
        if not scored.record.complete:
            return f"{side} is incomplete"
    ours, theirs = _must_agree(a), _must_agree(b)
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            return f"{name} differs: {_short(ours.get(name))} and {_short(theirs.get(name))}"
    one, other = a.record.experiment.method, b.record.experiment.method
    if one.name == other.name and one.version != other.version:
        return f"method version differs: {one.version} and {other.version}"
    if a.record.experiment.suite == "fewshot" and a.record.task_hash is None:
        return "the records do not say which tasks were sampled"
    return None


def _unique_pairs(
    left: Sequence[ScoredRecord], right: Sequence[ScoredRecord], where: Key, what: Key
) -> Iterator[tuple[ScoredRecord, ScoredRecord]]:
    sides = []
    for records in (left, right):
        groups: dict[Hashable, list[ScoredRecord]] = defaultdict(list)
        for scored in records:
            experiment = scored.record.experiment
            groups[where(experiment), what(experiment)].append(scored)
        sides.append(groups)
    for key, ours in sides[0].items():
        theirs = sides[1].get(key, [])
        if len(ours) == len(theirs) == 1:
            yield ours[0], theirs[0]


def _must_agree(scored: ScoredRecord) -> dict[str, object]:
    dataset = scored.record.experiment.dataset
    return {
        "scheme": dataset.scheme,
        "split": dataset.split,
        "manifest": dataset.manifest_sha256,
        "bad images": dataset.bad_images,
        **{f"protocol {key}": value for key, value in protocol_facts(scored.record).items()},
        "task hash": scored.record.task_hash,
    }


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "…"
