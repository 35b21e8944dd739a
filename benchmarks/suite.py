"""Suites: which models, datasets and protocols belong together, read from TOML."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from lowlabel.benchmarks.protocols import PROTOCOLS, Protocol
from lowlabel.errors import InputError, UnknownNameError

_KEYS = ("title", "model", "label", "include")


@dataclass(frozen=True)
class Suite:
    """A named collection of protocols.

    Attributes:
        name: Name on the command line.
        title: What it is.
        model: Models to run when none is named.
        label: Their names in tables; empty for their own.
        protocols: In the order of the registry.
    """

    name: str
    title: str
    model: tuple[str, ...] = ()
    protocols: tuple[Protocol, ...] = ()
    label: tuple[str, ...] = ()

    def label_of(self, place: int) -> str | None:
        """The name in tables of the model at a place; None for its own."""
        return self.label[place] if self.label else None

    def protocol(self, name: str) -> Protocol:
        """The protocol of a name; raises an `InputError` if the suite has none."""
        found = {protocol.name: protocol for protocol in self.protocols}
        if PROTOCOLS[name].name not in found:
            raise InputError(
                f"suite {self.name} has no protocol {name}; it has: {', '.join(found)}",
                "Choose another suite: lowlabel list",
            )
        return found[name]

    def with_options(
        self, shared: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]
    ) -> "Suite":
        """Overrides options of the protocols.

        Args:
            shared: By field, for every protocol that has it. Of a field whose values are named,
                such as the kinds of intervals, for those that have the value.
            settings: By protocol and field.

        Raises:
            UserError: If a protocol or field does not exist, or a value does not fit.
        """
        for name in settings:
            self.protocol(name)
        changed = tuple(
            protocol.with_options(
                {
                    name: value
                    for name, value in shared.items()
                    if self._is_for(protocol, name, value)
                }
                | dict(settings.get(protocol.name, {}))
            )
            for protocol in self.protocols
        )
        return dataclasses.replace(self, protocols=changed)

    def _is_for(self, protocol: Protocol, name: str, value: object) -> bool:
        """Whether a protocol takes an option; a value that none has is for all, to be refused."""
        if protocol.has_option(name, value):
            return True
        known = any(other.has_option(name, value) for other in self.protocols)
        return name in protocol.options() and not known


def suite_names() -> list[str]:
    """The names of all suites."""
    folder = files("lowlabel.benchmarks") / "suites"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir())


def load_suite(name: str) -> Suite:
    """Reads a suite.

    Raises:
        UnknownNameError: If there is no such suite, with suggestions; if its file names a protocol,
            a method or an option that does not exist.
    """
    if name not in suite_names():
        raise UnknownNameError("suite", name, suite_names())
    text = (files("lowlabel.benchmarks") / "suites" / f"{name}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    for key in table.keys() - set(_KEYS):
        PROTOCOLS[key]  # an unknown key is an error
    protocols = {
        key: kind.from_table(table[key]) for key, kind in PROTOCOLS.items() if key in table
    }
    for included in map(load_suite, table.get("include", ())):
        for protocol in included.protocols:
            first = protocols.get(protocol.name)
            protocols[protocol.name] = first.joined(protocol) if first else protocol
    ordered = tuple(protocols[key] for key in PROTOCOLS if key in protocols)
    model, label = (tuple(table.get(key, ())) for key in ("model", "label"))
    return Suite(name, table["title"], model, ordered, label)
