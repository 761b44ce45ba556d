"""Reads the fields of a resource file, whichever notation it is in, and refuses by name what is wrong."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from fairlead.agent import parse_go_duration_s
from fairlead.render.errors import ResourceError

MODE_MAX = 0o7777
_KINDS: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list of texts",
    dict: "a mapping",
}
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_SIGNAL = re.compile(r"(?:SIG)?([A-Z][A-Z0-9+-]*)")
T = TypeVar("T")


class Fields:
    """One mapping of a resource file.

    Every reader returns the default for a field that is not there, and raises ``ResourceError``, which names
    the field with the path to it, for one that is of the wrong kind.
    """

    def __init__(self, values: Any, *, name: str, known: Iterable[str], where: str = "") -> None:
        """Refuse what is no mapping and what is not known.

        Args:
            values: what the parser gave.
            name: the resource's file.
            known: the names of all fields there are.
            where: the path to this mapping, such as ``reload.``; empty at the top.
        """
        self.name = name
        self.where = where
        known = tuple(known)
        if not isinstance(values, Mapping):
            example = f" such as {{{known[0]}: ...}}" if known else ""
            raise self.error(f"{where.rstrip('.') or 'the file'} must be a mapping{example}, not {values!r}")
        self.values: dict[str, Any] = {str(field): value for field, value in values.items()}
        for field in self.values:
            if field not in known:
                near = difflib.get_close_matches(field, known, n=1)
                hint = f"; is it {where}{near[0]}?" if near else f"; known are {', '.join(known)}"
                raise self.error(f"field {where}{field} is unknown{hint}")

    def error(self, problem: str) -> ResourceError:
        """Return the error that says ``problem`` of this file."""
        return ResourceError(self.name, problem)

    def __contains__(self, field: str) -> bool:
        return self.values.get(field) is not None

    def _get(self, field: str, kind: type[T], default: T) -> T:
        value = self.values.get(field)
        if value is None:
            return default
        # In Python true is a number; in a file it is a slip.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(f"{self.where}{field} must be {_KINDS[kind]}, not {value!r}")
        return value

    def text(self, field: str, default: str = "") -> str:
        """Return a text."""
        return self._get(field, str, default)

    def required(self, field: str, example: str) -> str:
        """Return a text that must be there and not be empty."""
        value = self.text(field)
        if not value:
            raise self.error(f"{self.where}{field} is missing; write {example}")
        return value

    def flag(self, field: str, *, default: bool = False) -> bool:
        """Return true or false."""
        return self._get(field, bool, default)

    def whole(self, field: str, default: int = 0, *, least: int = 0) -> int:
        """Return a whole number that is not below ``least``."""
        value = self._get(field, int, default)
        if value < least:
            raise self.error(f"{self.where}{field} must be at least {least}, is {value}")
        return value

    def texts(self, field: str) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self._get(field, list, [])
        if not all(isinstance(value, str) for value in values):
            raise self.error(f"{self.where}{field} must be a list of texts, not {values!r}")
        return tuple(values)

    def maps(self, field: str, known: Iterable[str]) -> list["Fields"]:
        """Return a list of mappings."""
        values = self._get(field, list, [])
        known = tuple(known)
        return [
            Fields(value, name=self.name, known=known, where=f"{self.where}{field}[{index}].")
            for index, value in enumerate(values)
        ]

    def map(self, field: str, known: Iterable[str]) -> "Fields | None":
        """Return a mapping, None where there is none."""
        value = self.values.get(field)
        if value is None:
            return None
        return Fields(value, name=self.name, known=known, where=f"{self.where}{field}.")

    def choice(self, field: str, choices: Iterable[str], default: str) -> str:
        """Return one of a few words."""
        value = self.text(field, default)
        if value not in (choices := tuple(choices)):
            raise self.error(f"{self.where}{field} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def mode(self, field: str) -> int | None:
        """Read permission bits as Go does with base 0: 0644 and 0o644 are octal, 0x1a4 is hex, 420 is decimal."""
        text = self.text(field)
        if not text:
            return None
        try:
            # Go's leading zero means octal; Python wants the letter.
            mode = int(f"0o{text[1:]}" if re.fullmatch(r"0[0-7_]+", text) else text, 0)
        except ValueError:
            mode = -1
        if not 0 <= mode <= MODE_MAX:
            raise self.error(f'{self.where}{field} {text!r} is not a mode; write it in octal: mode = "0644"')
        return mode

    def account(self, *, number: str, word: str, look_up: Callable[[str], int]) -> int | None:
        """Return the id; confd takes -1 for unset, and the fork's name wins over the number."""
        if who := self.text(word):
            try:
                return look_up(who)
            except KeyError:
                raise self.error(f"{self.where}{word} {who} is not known on this host") from None
        value = self._get(number, int, -1)
        if value < -1:
            raise self.error(f"{self.where}{number} must not be negative, is {value}")
        return None if value == -1 else value

    def duration_s(self, field: str, default_s: float) -> float:
        """Read a duration as Go writes it, such as ``30s`` or ``1m30s``."""
        text = self.text(field)
        if not text:
            return default_s
        try:
            return parse_go_duration_s(text)
        except ValueError:
            said = f'{self.where}{field} {text!r} is not a duration; write it as in {field} = "30s"'
            raise self.error(said) from None

    def timeout_s(self, field: str, default_s: float) -> float:
        """Read a duration that is more than nothing."""
        value_s = self.duration_s(field, default_s)
        if value_s <= 0:
            raise self.error(f"{self.where}{field} must be more than nothing")
        return value_s

    def share(self, field: str) -> float | None:
        """Read a share such as ``50%``; None where there is none."""
        text = self.text(field)
        if not text:
            return None
        match = _SHARE.fullmatch(text)
        if match is None or float(match[1]) > 100:
            raise self.error(f'{self.where}{field} {text!r} is not a share; write it as in "50%"')
        return float(match[1]) / 100

    def signal(self, field: str, default: str = "") -> str:
        """Read a signal's name, with or without ``SIG``; return it without."""
        text = self.text(field, default)
        match = _SIGNAL.fullmatch(text.upper())
        if text and match is None:
            raise self.error(f"{self.where}{field} {text!r} is not a signal; write it as in HUP")
        return match[1] if match else ""

    def template_path(self, field: str, *, example: str) -> str:
        """Read a path inside ``templates``."""
        path = self.required(field, example)
        # A template outside templates/ is not loaded.
        if path.startswith("/") or ".." in path.split("/"):
            raise self.error(f"{self.where}{field} {path} must be a path inside templates/")
        return path
