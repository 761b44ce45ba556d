"""Reading JSON values as Go reads them into vulcand's structs, with errors that name the field.

Names match whatever their case, null counts as absent, and fields that nobody asks for are left alone, so that
keys written for a later version, or for vulcand, still work.  Source: Go, encoding/json.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from fairlead.agent import parse_go_duration_s
from fairlead.proxy.errors import KeyProblem

_DURATION_S_MAX = 1e9
_INTEGER_MAX = 2**63 - 1


class Fields:
    """A JSON object, read field by field; ``where`` is its path, for the errors.

    Every reader raises KeyProblem when the field is there and is not what it should be.
    """

    __slots__ = ("_folded", "_values", "_where")

    def __init__(self, values: Mapping[str, Any], *, where: str = "") -> None:
        self._values = values
        self._folded: dict[str, Any] | None = None
        self._where = where

    def __repr__(self) -> str:
        return f"Fields({self._where or 'the value'})"

    def __contains__(self, name: str) -> bool:
        return self._get(name) is not None

    @property
    def values(self) -> Mapping[str, Any]:
        """The object itself."""
        return self._values

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        value = self._get(name)
        return default if value is None else str(self._of(name, value, str))

    def required_text(self, name: str) -> str:
        """Return a string that must be there and not be empty."""
        text = self.text(name)
        if not text:
            raise KeyProblem(f"{self.path(name)} is missing; give it as a string")
        return text

    def header_text(self, name: str) -> str:
        """Return a string that may stand in a header field: anything else could break out of it."""
        text = self.text(name)
        if not text.isascii() or not (text.isprintable() or not text):
            raise KeyProblem(f"{self.path(name)} must be printable ASCII, not {text!r}")
        return text

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return one of ``choices``, in lower case."""
        text = self.text(name, default).lower() or default
        if text not in choices:
            wanted = ", ".join(f'"{each}"' for each in choices if each)
            raise KeyProblem(f"{self.path(name)} must be {wanted}, not {text!r}")
        return text

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return true or false."""
        value = self._get(name)
        return default if value is None else bool(self._of(name, value, bool))

    def number(self, name: str, default: int = 0, *, low: int | None = None, high: int = _INTEGER_MAX) -> int:
        """Return a whole number within ``low`` and ``high``."""
        value = self._get(name)
        if value is None:
            return default
        number = int(self._of(name, value, int))
        if number > high or (low is not None and number < low):
            wanted = f"at least {low}" if high == _INTEGER_MAX else f"from {low} to {high}"
            raise KeyProblem(f"{self.path(name)} must be {wanted}, not {number}")
        return number

    def ratio(self, name: str, default: float, *, high: float = 1.0) -> float:
        """Return a number from 0 to ``high``."""
        value = self._get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
            raise KeyProblem(f"{self.path(name)} must be a number from 0 to {high:g}, not {_shown(value)}")
        return float(value)

    def duration_s(self, name: str, default: float | None = None) -> float | None:
        """Return the seconds of a Go duration: text such as "1m30s", or whole nanoseconds; 0 is ``default``."""
        value = self._get(name)
        if value is None or value in ("", "0"):
            return default
        if isinstance(value, str):
            try:
                seconds = parse_go_duration_s(value)
            except ValueError as error:
                said = f'a duration looks like "5s" or "1m30s", not {value!r}'
                raise KeyProblem(f"{self.path(name)}: {said}") from error
            if not 0 < seconds < _DURATION_S_MAX:
                raise KeyProblem(f"{self.path(name)}: the duration {value!r} is out of range")
            return seconds
        nanoseconds = self.number(name, low=0, high=int(_DURATION_S_MAX * 1e9))
        return nanoseconds / 1e9 if nanoseconds else default

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of strings; a single string counts as a list of one."""
        value = self._get(name)
        if value is None:
            return ()
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise KeyProblem(f"{self.path(name)} must be a list of strings, not {_shown(value)}")
        return tuple(values)

    def inside(self, name: str) -> "Fields":
        """Return the object in a field; an empty one when there is none."""
        value = self._get(name)
        inside = {} if value is None else self._of(name, value, dict)
        return Fields(inside, where=self.path(name))

    def each_inside(self, name: str) -> list["Fields"]:
        """Return the objects of a list; a single object counts as a list of one."""
        value = self._get(name)
        if value is None:
            return []
        if isinstance(value, dict):
            return [Fields(value, where=self.path(name))]
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise KeyProblem(f"{self.path(name)} must be a list of objects, not {_shown(value)}")
        return [Fields(each, where=f"{self.path(name)}[{n}]") for n, each in enumerate(value)]

    def path(self, name: str) -> str:
        """Return where the field ``name`` is, for a message."""
        return f"{self._where}.{name}" if self._where else name

    def _get(self, name: str) -> Any:
        values = self._values
        if name in values:
            return values[name]
        if self._folded is None:
            self._folded = {key.lower(): value for key, value in values.items()}
        return self._folded.get(name.lower())

    def _of(self, name: str, value: Any, kind: type) -> Any:
        # In Python a bool is an int; in JSON it is not.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise KeyProblem(f"{self.path(name)} must be {_JSON_NAMES[kind]}, not {_shown(value)}")
        return value


_JSON_NAMES = {str: "a string", int: "a whole number", bool: "true or false", dict: "an object"}


def read_json(value: bytes) -> Fields:
    """Return the object that ``value`` is.

    Raises:
        KeyProblem: it is not JSON, or not an object.
    """
    try:
        values = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise KeyProblem(f"the value is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise KeyProblem(f"the value must be a JSON object, not {type(values).__name__}")
    return Fields(values)


def _shown(value: Any) -> str:
    return json.dumps(value)[:60]
