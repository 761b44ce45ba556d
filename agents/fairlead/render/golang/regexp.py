r"""Go's regular expressions (RE2 syntax) on Python's engine.

Both take the first alternative that matches, so what matches is the same; what differs is spelled anew: ``$`` and
``\z`` are the very end of the text, ``\d``, ``\w``, ``\s`` and ``\b`` know ASCII only, ``[[:alpha:]]`` and
``\Q...\E`` exist.  What RE2 leaves out (look-around, back-references) and what Python lacks (``\pL``) is an error.
A pattern is the template author's, so that Python's going back costs the author alone.
Source: https://pkg.go.dev/regexp/syntax.
"""

import re
from functools import lru_cache

from fairlead.render.errors import TemplateFault

_TOKEN = re.compile(
    r"\\Q(?P<literal>.*?)(?:\\E|$)|\[:(?P<negated>\^?)(?P<posix>[a-z]+):\]|(?P<escape>\\.)"
    r"|(?P<group>\(\?(?:P?<[A-Za-z_]\w*>|[imsU-]*[:)]|.))|(?P<other>.)",
    re.DOTALL,
)
_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7f", "blank": r"\t ", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ", "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_EXPANSION = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)


@lru_cache(maxsize=256)
def compile_regexp(pattern: str) -> re.Pattern[str]:
    """Return the pattern as Python has it.

    Raises:
        TemplateFault: it is not a pattern, or one that Python cannot follow.
    """
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except (re.error, RecursionError, OverflowError) as error:
        raise TemplateFault(f"malformed pattern {pattern!r}: {error}; it follows Go's regexp") from None


def _translated(pattern: str) -> str:
    pieces: list[str] = []
    in_class = False
    for match in _TOKEN.finditer(pattern):
        kind, text = match.lastgroup, match[0]
        if match["literal"] is not None:
            text = re.escape(match["literal"])
        elif match["posix"]:
            text = _posix(match["posix"], is_negated=bool(match["negated"]), in_class=in_class)
        elif kind == "escape":
            text = _escape(text, in_class=in_class)
        elif kind == "group" and not in_class:
            text = _group(text, is_first=not pieces)
        elif text == "[" and not in_class:
            in_class = True
        elif text == "[" and in_class:
            text = "\\["
        elif text == "]" and in_class:
            # A bracket right after the opening one is a member.
            in_class = pieces[-1] == "[" or pieces[-2:] == ["[", "^"]
        elif text == "$" and not in_class:
            text = r"\Z"
        pieces.append(text)
    return "".join(pieces)


def _posix(name: str, *, is_negated: bool, in_class: bool) -> str:
    if name not in _POSIX or is_negated or not in_class:
        raise re.error(f"class [:{'^' * is_negated}{name}:] is not supported")
    return _POSIX[name]


def _escape(text: str, *, in_class: bool) -> str:
    if text == r"\z" and not in_class:
        return r"\Z"
    if text == r"\s" and not in_class:
        # RE2 leaves the vertical tab out.
        return r"[\t\n\f\r ]"
    if text[1] in "pPCXZ123456789":
        raise re.error(f"{text} is not supported")
    return text


def _group(text: str, *, is_first: bool) -> str:
    if text.startswith("(?<") and len(text) > len("(?<"):
        return "(?P" + text[2:]
    if text.startswith("(?P<"):
        return text
    if text[-1] not in ":)" or "U" in text or (text.endswith(")") and not is_first):
        raise re.error(f"{text} is not supported")
    if "m" in text:
        raise re.error(f"{text} is not supported: $ would change its meaning")
    return text


def expand(replacement: str, match: re.Match[str]) -> str:
    """Put groups in for ``$1``, ``$name``, ``${name}``; a group that is not there is empty, ``$$`` is a dollar."""

    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return match[int(name) if name.isdigit() else name] or ""
        except IndexError:
            return ""

    return _EXPANSION.sub(group, replacement)
