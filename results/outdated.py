"""Records made before a change of their method, protocol or format.

Tables show them with a mark: never bold, and without a difference from a published number.
"""

from collections.abc import Iterable, Iterator

from lowlabel.results.record import Record


def made_before(records: Iterable[Record]) -> dict[str, str]:
    """The reason by identity, for each record made before a change.

    A record is outdated if another record has a higher version of the same method or protocol, or
    if it was tuned when `method.spec` was still the chosen method.
    """
    records = list(records)
    latest: dict[tuple[str, str], int] = {}
    for record in records:
        for name, version in _versions(record):
            latest[name] = max(version, latest.get(name, version))
    reasons = ((record, _reason(record, latest)) for record in records)
    return {record.identity(): reason for record, reason in reasons if reason}


def _versions(record: Record) -> Iterator[tuple[tuple[str, str], int]]:
    """The versions of a record by kind and name: ("method", "dc")."""
    e = record.experiment
    yield ("method", "+".join(map(_name, e.method.spec.split("+")))), e.method.version
    yield ("protocol", e.protocol.name), e.protocol.version
    images = f"{e.dataset.name}:{e.dataset.scheme} {e.dataset.split}"
    yield ("manifest of", images), 2 if e.dataset.manifest else 1


def _name(step: str) -> str:
    """The name of a method or step; the form of a reference has versions of its own."""
    name, *options = step.split(",")
    forms = (option for option in options if option.endswith("=reference"))
    return ",".join([name.partition(":")[0], *forms])


def _reason(record: Record, latest: dict[tuple[str, str], int]) -> str:
    reasons = [
        f"version {version} of the {kind} {name}, now {latest[kind, name]}"
        for (kind, name), version in _versions(record)
        if version < latest[kind, name]
    ]
    if isinstance(record.experiment.method.options.get("tuned"), str):
        reasons.append("tuned by an older version, which names the chosen options as the method")
    return " and ".join(reasons)
