"""One object of Traefik's: its options by path, whatever their case, each with a text as value."""

import re
from collections.abc import Iterable, Mapping

from fairlead.proxy.errors import KeyProblem

_LIST_PLACE = re.compile(r"(?<=/servers)/[^/]+(?=/)|/[0-9]+(?=/|$)")
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": True}


class Node:
    """The options below one path.  Every reader raises KeyProblem when a value is not what it should be."""

    __slots__ = ("_options", "_path", "_read")

    def __init__(self, options: Mapping[str, str], path: str = "", read: set[str] | None = None) -> None:
        """Look at ``options``, whose paths are in lower case, below ``path``, which ends in a slash or is empty.

        ``read`` collects the paths of what has been asked for.
        """
        self._options = options
        self._path = path
        self._read = set() if read is None else read

    @property
    def unread(self) -> list[str]:
        """The options that nobody has asked for, whatever their place in lists."""
        left = (each for each in self._options if each.startswith(self._path) and each not in self._read)
        return sorted({_LIST_PLACE.sub(r"/*", each) for each in left})

    def leave(self) -> None:
        """Take all that is here as read: somebody else speaks of it."""
        self._read.update(self._options)

    def accept(self, path: str, *texts: str) -> None:
        """Take an option as read if it says what is done anyway."""
        if self._options.get(self._path + path, "").lower() in texts:
            self._read.add(self._path + path)

    def disown(self, path: str) -> None:
        """Take an option as unread after all: not all of what it says is done."""
        self._read.discard(self._path + path)

    def __contains__(self, path: str) -> bool:
        """Whether the option is there, or any below it."""
        full = self._path + path
        self._read.add(full)
        return full in self._options or any(each.startswith(f"{full}/") for each in self._options)

    def at(self, path: str) -> "Node":
        """Return what is below ``path``."""
        return Node(self._options, f"{self._path}{path}/", self._read)

    def text(self, path: str) -> str:
        """Return a text; empty when there is none."""
        self._read.add(self._path + path)
        return self._options.get(self._path + path, "")

    def required(self, path: str) -> str:
        """Return a text that must be there."""
        text = self.text(path)
        if not text:
            raise KeyProblem(f"{self._path}{path} is missing")
        return text

    def flag(self, path: str, *, default: bool = False) -> bool:
        """Return true or false."""
        if self._path + path not in self._options:
            return default
        text = self.text(path)
        if text.lower() not in _FLAGS:
            raise KeyProblem(f"{self._path}{path} must be true or false, not {text!r}")
        return _FLAGS[text.lower()]

    def number(self, path: str, default: int = 0) -> int:
        """Return a whole number."""
        text = self.text(path)
        if not text:
            return default
        if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
            raise KeyProblem(f"{self._path}{path} must be a whole number, not {text!r}")
        return int(text[:20])

    def duration(self, path: str) -> str:
        """Return a duration as Go writes it; a bare number is seconds, and none of them is nothing."""
        text = self.text(path)
        if text.isascii() and text.isdigit():
            text = f"{int(text[:20])}s"
        return "" if text == "0s" else text

    def texts(self, path: str) -> list[str]:
        """Return a list: numbered options in the order of their numbers, or one text with commas."""
        if single := self.text(path):
            return [each.strip() for each in single.split(",")]
        return [self.at(path).text(name) for name in self.names(path)]

    def names(self, path: str = "") -> list[str]:
        """Return the names directly below ``path``, numbers in their order."""
        start = f"{self._path}{path}/" if path else self._path
        return sorted(_names_below(self._options, start), key=_in_order)

    def pairs(self, path: str) -> dict[str, str]:
        """Return an object of texts."""
        return {name: self.at(path).text(name) for name in self.names(path)}


def _names_below(options: Mapping[str, str], start: str) -> set[str]:
    return {each[len(start) :].partition("/")[0] for each in options if each.startswith(start)}


def _in_order(name: str) -> tuple[int, str]:
    return (int(name) if name.isascii() and name.isdigit() and len(name) < 10 else 1 << 40, name)


def without_provider(name: str) -> str:
    """Return a name without the provider that may be behind it: ``web@file``."""
    return name.partition("@")[0]


def required_names(names: Iterable[str], what: str) -> list[str]:
    """Return the names, of which there must be one."""
    found = [without_provider(each) for each in names]
    if not found:
        raise KeyProblem(f"there are no {what}")
    return found
