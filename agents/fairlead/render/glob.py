r"""The patterns of ``gets`` and ``getvs``: Go's ``path.Match``, not the shell's and not Python's ``fnmatch``.

``*`` and ``?`` do not cross a slash; ``[a-z]`` and ``[^a-z]`` may; ``\`` takes the next character as it is;
a pattern matches the whole name; a malformed pattern is an error whatever the name.

A pattern becomes a regular expression in which every ``*`` takes the shortest run that lets the text up to
the next ``*`` match, in an atomic group: Go never goes back either, so a hostile pattern costs no more
than length of pattern times length of name.  Source: https://pkg.go.dev/path#Match.
"""

import re
from functools import lru_cache

from fairlead.render.errors import TemplateFault

_META = re.compile(r"[*?\[\\]")


def literal_prefix(pattern: str) -> str:
    """Return what every match starts with."""
    return _META.split(pattern, maxsplit=1)[0]


@lru_cache(maxsize=1024)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """Return the expression to ``fullmatch`` names with.

    Raises:
        TemplateFault: the pattern is malformed (an open class, an empty one, a trailing backslash).
    """
    first, *rest = _chunks(pattern)
    if not rest:
        return re.compile(first)
    middle = "".join(f"(?>[^/]*?{chunk})" for chunk in rest[:-1])
    # The text after the last star is held in place by the end of the name.
    return re.compile(f"{first}{middle}[^/]*{rest[-1]}")


def _chunks(pattern: str) -> list[str]:
    """Split at runs of ``*`` and translate what lies between."""
    chunks = [""]
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            # A run of stars is one star.
            if pattern[at : at + 1] != "*":
                chunks.append("")
            continue
        if char == "?":
            expression = "[^/]"
        elif char == "[":
            expression, at = _character_class(pattern, at)
        else:
            if char == "\\":
                char, at = _escaped(pattern, at)
            expression = re.escape(char)
        chunks[-1] += expression
    return chunks


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """Translate the class whose ``[`` stands before ``at``; return it and where it ends."""
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    count = 0
    while not (count and pattern[at : at + 1] == "]"):
        low, at = _class_member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _class_member(pattern, at + 1)
        count += 1
        # An upside-down range is well formed and holds nothing.
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if not ranges:
        return (r"[\s\S]" if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(ranges)}]", at + 1


def _class_member(pattern: str, at: int) -> tuple[str, int]:
    char = pattern[at : at + 1]
    if char in {"", "-", "]"}:
        raise _malformed(pattern)
    return _escaped(pattern, at + 1) if char == "\\" else (char, at + 1)


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    if at >= len(pattern):
        raise _malformed(pattern)
    return pattern[at], at + 1


def _malformed(pattern: str) -> TemplateFault:
    return TemplateFault(f"malformed pattern {pattern!r}: it follows Go's path.Match")
