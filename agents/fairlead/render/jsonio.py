"""JSON that somebody else may have written: a key of another host, a line of a socket, a file that was edited.

Whoever reads it gets what was asked for, or is told what is wrong, and never a surprise further on.
"""

import json
from collections.abc import Mapping
from typing import Any

INTEGER_MAX = 2**63 - 1
"""Of a store's revisions."""
TIME_MAX_S = 253_402_300_799
"""The last second of the year 9999, which is as far as calendars go."""


def read_object(data: bytes | str) -> dict[str, Any] | None:
    """Return the object that ``data`` holds; None where it holds none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def integer(value: object, *, least: int = -INTEGER_MAX - 1, most: int = INTEGER_MAX) -> int:
    """Return a whole number between ``least`` and ``most``, both included.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError("not a whole number, or too large a one")
    return value


def time_s(value: object) -> float:
    """Return seconds since 1970.  Raises ValueError for what is no time."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= TIME_MAX_S:
        raise ValueError("not a time")
    return value


def text(value: object) -> str:
    """Return a text.  Raises ValueError for what is none."""
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - one error for all that is read
    return value


def truth(value: object) -> bool:
    """Return true or false.  Raises ValueError for what is neither."""
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")  # noqa: TRY004 - as above
    return value


def items(value: object) -> list[Any]:
    """Return a list.  Raises ValueError for what is none."""
    if not isinstance(value, list):
        raise ValueError("not a list")  # noqa: TRY004 - as above
    return value


def members(value: object) -> Mapping[str, Any]:
    """Return an object.  Raises ValueError for what is none."""
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - as above
    return value


def texts(value: object) -> dict[str, str]:
    """Return an object of texts.  Raises ValueError for what is none."""
    return {name: text(one) for name, one in members(value).items()}


def integers(value: object) -> dict[str, int]:
    """Return an object of whole numbers.  Raises ValueError for what is none."""
    return {name: integer(one) for name, one in members(value).items()}
