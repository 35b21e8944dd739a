"""What the published numbers of a table must state, as the command line gives it."""

from collections.abc import Iterable

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.results.reference.numbers import TRAITS, load_references


def parse_traits(settings: Iterable[str]) -> dict[str, str]:
    """What published numbers must state, from "self_supervised=yes"; see `Reference.has`.

    Raises:
        UnknownNameError: If no published number has the column or the value.
        InputError: If a column is named twice.
    """
    traits: dict[str, str] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in ("training", *TRAITS):
            raise UnknownNameError("column of published numbers", name, ("training", *TRAITS))
        known = {getattr(reference, name) for reference in load_references()} - {""}
        if value not in known:
            raise UnknownNameError(name, value, known)
        if name in traits:
            raise InputError(f"--published {name} is given twice", "Leave one of them out.")
        traits[name] = value
    return traits
