from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fields import encode, fit_fields, grown


@dataclass
class Options:
    count: int = 1
    share: float = 0.5
    ks: tuple[int, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    ties: Literal["first", "last"] = "first"
    file: Path | None = None
    size: int | tuple[int, int] = 1
    budgets: tuple[int | str, ...] = ()


@pytest.mark.parametrize(
    ("name", "value", "fitted"),
    [
        ("count", 3, 3),
        ("share", 2, 2.0),
        ("ks", [1, 2], (1, 2)),
        ("ks", 4, (4,)),
        ("pair", [1, 2], (1.0, 2.0)),
        ("ties", "last", "last"),
        ("file", None, None),
        ("file", "a/b", Path("a/b")),
        ("size", (2, 3), (2, 3)),
    ],
)
def test_values_that_fit(name, value, fitted):
    assert fit_fields(Options, {name: value}, "x") == {name: fitted}


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("count", True, InputError, "count=True must be a whole number"),
        ("count", 2.0, InputError, "must be a whole number"),
        ("share", "much", InputError, "share='much' must be a number"),
        ("ks", [1, "2"], InputError, "ks='2' must be a whole number"),
        ("pair", [1], InputError, "must hold 2 values"),
        ("ties", "lst", UnknownNameError, "Did you mean last"),
        ("size", (2, "3"), InputError, "must be a whole number"),
        ("budgets", (1.5,), InputError, "budgets=1.5 must be a whole number or text"),
        ("cuont", 1, UnknownNameError, "unknown option of x 'cuont'"),
    ],
)
def test_values_that_do_not(name, value, error, message):
    with pytest.raises(error, match=message):
        fit_fields(Options, {name: value}, "x")


@dataclass(frozen=True)
class Grown:
    count: int = 1
    pair: tuple[int, int] = (1, 2)
    later: str = grown("as before")


def test_a_grown_field_is_encoded_only_away_from_its_default():
    assert encode({"a": (Grown(),)}) == {"a": [{"count": 1, "pair": [1, 2]}]}
    assert encode(Grown(later="new")) == {"count": 1, "pair": [1, 2], "later": "new"}
