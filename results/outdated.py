"""Records made before a change that newer records have.

They stay in tables with a mark: never bold, and never subtracted from a published number.
"""

from collections.abc import Iterable, Iterator

from lowlabel.results.record import Record


def made_before(records: Iterable[Record]) -> dict[str, str]:
    """What has changed since a record was made, by the identity of each such record.

    A method or protocol has changed if another of the records has a higher version of the same
    name. A tuned record has if it names the chosen options as its method.
    """
    records = list(records)
    latest: dict[tuple[str, str], int] = {}
    for record in records:
        for name, version in _versions(record):
            latest[name] = max(version, latest.get(name, version))
    reasons = {record.identity(): _reason(record, latest) for record in records}
    return {identity: reason for identity, reason in reasons.items() if reason}


def _versions(record: Record) -> Iterator[tuple[tuple[str, str], int]]:
    """The versions of a record by what they are of: ("method", "dc")."""
    e = record.experiment
    yield ("method", e.method.name), e.method.version
    yield ("protocol", e.protocol.name), e.protocol.version


def _reason(record: Record, latest: dict[tuple[str, str], int]) -> str:
    reasons = [
        f"version {version} of the {kind} {name}, now {latest[kind, name]}"
        for (kind, name), version in _versions(record)
        if version < latest[kind, name]
    ]
    if isinstance(record.experiment.method.options.get("tuned"), str):
        reasons.append("tuned by an older version, which names the chosen options as the method")
    return " and ".join(reasons)
