"""One program of a site, and how what a site file says becomes its command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program of a site.

    Attributes:
        name: what its lines are prefixed with.
        arguments: of ``fairlead`` when it is ours, else the whole command line.
        is_ours: whether it is a ``fairlead`` command, which logs JSON and says when it is ready.
    """

    name: str
    arguments: tuple[str, ...]
    is_ours: bool


def flag_words(flags: Mapping[str, Any], folder: Path) -> list[str]:
    """Return flags as words; a value that begins with ``./`` is a path beside the site file, in ``folder``."""
    words = []
    for name, value in flags.items():
        flag = f"--{name}"
        if value is True:
            words.append(flag)
        elif value is not False and value is not None:
            text = joined(value)
            words += [flag, str((folder / text).resolve()) if text.startswith("./") else text]
    return words


def joined(value: object) -> str:
    """Return a list as one word with commas, anything else as its text."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
