"""Other processes' words, made fit for our log."""

from typing import Final

_CHARACTERS_MAX: Final = 500


def one_line(text: str) -> str:
    """Return ``text`` on one line, not a long one, and without what would steer a terminal."""
    return "".join(each if each.isprintable() else " " for each in text[:_CHARACTERS_MAX]).strip()
