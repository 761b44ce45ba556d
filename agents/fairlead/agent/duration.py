"""Spans of time as Go writes them, ``90s``, ``1h30m``, ``250ms``, and as people do: ``2d``, ``7``.

Source: Go, time.ParseDuration.
"""

import re

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)


def parse_duration_s(text: str) -> float:
    """Return the seconds that ``text`` stands for; the form is Go's, with days.  A bare number is seconds.

    Raises:
        ValueError: it is no span of time; the text says what one looks like.
    """
    word = text.strip()
    return float(word) if _NUMBER.fullmatch(word) else _parts_s(word, text)


def parse_go_duration_s(text: str) -> float:
    """Return the seconds that ``text`` stands for to a program in Go: no days, no number alone, no sign.

    Raises:
        ValueError: it is no span of time; the text says what one looks like.
    """
    return _parts_s("" if "d" in text else text, text)


def _parts_s(word: str, text: str) -> float:
    if not _WHOLE.fullmatch(word):
        raise ValueError(f"{text!r} is no duration; write one such as 10s, 1h30m or 250ms")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(word))
