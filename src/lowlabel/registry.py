"""A mapping from names to objects that rejects duplicates and suggests similar names."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from lowlabel.errors import UnknownNameError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Named objects of one kind, in the order of their addition.

    Looking up an unknown name raises an `UnknownNameError`.

    Args:
        kind: What the objects are, for messages: "dataset", "few-shot method".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Adds `item` under `name` and returns it; raises a `ValueError` if the name is taken."""
        if name in self._items:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._items[name] = item
        return item

    def __getitem__(self, name: str) -> T:
        try:
            return self._items[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._items) from None

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
