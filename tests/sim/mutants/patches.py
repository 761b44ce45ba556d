"""Changing the program while it runs, and changing it back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class Patches:
    """What has been changed."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Put ``value`` in the place of an attribute."""
        old = vars(owner)[name]
        self._undo.append(lambda: setattr(owner, name, old))
        setattr(owner, name, value)

    def put(self, table: Any, key: Any, value: Any) -> None:
        """Put ``value`` in the place of an item of a table."""
        old = table[key]
        self._undo.append(lambda: table.__setitem__(key, old))
        table[key] = value

    def undo(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug to be found.

    Attributes:
        name: for the table.
        breaks: what it does wrong, and where that happened before.
        apply: brings it in.
        seed: the first that catches it, counted from 1.
    """

    name: str
    breaks: str
    apply: Callable[[Patches], None]
    seed: int


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """Run with a bug."""
    patches = Patches()
    try:
        mutant.apply(patches)
        yield
    finally:
        patches.undo()
