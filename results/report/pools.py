"""Records as JSON in which equal parts are stored once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowlabel.results.grid import newest
from lowlabel.results.record import Record
from lowlabel.specs import canonical_json

_SHARED = ("model", "dataset", "protocol", "method", "environment")


@dataclass
class Pool:
    """Records, with the parts that many of them share.

    Attributes:
        records: The JSON of each record, with the place of its shared parts in their place.
        parts: The shared parts, by kind.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[str, list[Any]] = field(default_factory=lambda: {kind: [] for kind in _SHARED})
    _places: dict[str, int] = field(default_factory=dict)
    _known: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Adds a record; one that is known by identity and model stays as it is."""
        if (name := _name(record)) in self._places:
            return
        facts = record.to_json()
        experiment = facts.pop("experiment")
        assert isinstance(experiment, dict)
        shared = {**experiment, "environment": facts["environment"]}
        facts |= {kind: self._place(kind, shared.pop(kind)) for kind in _SHARED}
        self._places[name] = len(self.records)
        self.records.append({**shared, **facts})

    def place(self, record: Record) -> int:
        """Number of a record."""
        return self._places[_name(record)]

    def facts(self) -> Mapping[str, Any]:
        """The JSON of all."""
        return {"list": self.records, "parts": self.parts}

    def _place(self, kind: str, part: object) -> int:
        text = canonical_json(part)
        if (kind, text) not in self._known:
            self._known[kind, text] = len(self.parts[kind])
            self.parts[kind].append(part)
        return self._known[kind, text]


def pooled(records: Iterable[Record]) -> Pool:
    """The latest record of each experiment; see `newest`."""
    pool = Pool()
    for record in newest(records):
        pool.add(record)
    return pool


def _name(record: Record) -> str:
    return f"{record.identity()} {record.experiment.model.name}"
