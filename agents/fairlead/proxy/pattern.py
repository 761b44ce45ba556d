"""Patterns and regular expressions of routes, compiled so that no request can make them slow.

A pattern is literal text with vulcand's placeholders: ``<name>`` (up to the separator), ``<int:name>``
(digits, up to the separator), ``<path:name>`` (the rest).  Placeholders take all they can and give nothing
back, as vulcand's trie does; possessive quantifiers say the same.  A regular expression is searched for,
not anchored, and must stay within what RE2 knows.  Python's engine backtracks, so that a repeat of what can
itself match in several ways is refused (that is where the cost turns exponential), the number of repeats is
bounded, and so is the length of what is searched (that keeps the polynomial rest small; see ``config``).

Source: vulcand/route, trie.go; RE2's syntax page.
"""

import re
import warnings
from functools import lru_cache

from fairlead.proxy.config import CACHED_MAX, REGEXP_CHARS_MAX, REGEXP_OPTIONS_MAX, REGEXP_REPEATS_MAX
from fairlead.proxy.errors import KeyProblem

_PLACEHOLDER = re.compile(r"<([^>]+)>")
_PIECE = re.compile(
    r"""(?P<escape>\\.)
       |(?P<atom>\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])
       |(?P<open>\((?:\?(?::|P?<\w+>))?)
       |(?P<close>\))
       |(?P<bar>\|)
       |(?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??)
       |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_FOLDING = re.compile(r"(\^?)\(\?i\)")
_FIXED = re.compile(r"\{\d+\}\??")


def is_literal(pattern: str) -> bool:
    """Whether ``pattern`` has no placeholder and stands for itself."""
    return _PLACEHOLDER.search(pattern) is None


@lru_cache(CACHED_MAX)
def compile_pattern(pattern: str, *, separator: str) -> re.Pattern[bytes]:
    """Return the regular expression that fully matches what ``pattern`` stands for.

    Raises:
        KeyProblem: the pattern is empty or has a placeholder of an unknown kind.
    """
    if not pattern:
        raise KeyProblem("a pattern must not be empty")
    edge = re.escape(separator)
    parts: list[str] = []
    position = 0
    for found in _PLACEHOLDER.finditer(pattern):
        parts.append(re.escape(pattern[position : found.start()]))
        parts.append(_placeholder(found[1], edge))
        position = found.end()
    parts.append(re.escape(pattern[position:]))
    return re.compile("".join(parts).encode(), re.DOTALL)


def _placeholder(inside: str, edge: str) -> str:
    kind, _, name = inside.rpartition(":")
    regexp = {"": rf"[^{edge}]*+", "string": rf"[^{edge}]*+", "int": rf"[0-9]*+(?={edge}|\Z)", "path": ".*+"}
    if kind not in regexp or not name or "/" in name:
        raise KeyProblem(f"<{inside}> is not one of <name>, <string:name>, <int:name>, <path:name>")
    return regexp[kind]


def compile_regexp(text: str, *, ignore_case: bool = False) -> re.Pattern[bytes]:
    """Return ``text`` compiled for searching.

    Raises:
        KeyProblem: it is too long, not a regular expression, or one that could take for ever.
    """
    if len(text) > REGEXP_CHARS_MAX:
        raise KeyProblem(f"a regular expression may have {REGEXP_CHARS_MAX} characters, not {len(text)}")
    flags = re.IGNORECASE if ignore_case else 0
    if (found := _FOLDING.match(text)) is not None:
        # Go takes the flag behind the anchor, too; Python at the very beginning alone.
        text, flags = found[1] + text[found.end() :], re.IGNORECASE
    _check_bounded(text)
    try:
        with warnings.catch_warnings():
            # Python warns where a later version may read nested sets; RE2 has none.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(text.encode(), flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise KeyProblem(f"the regular expression {text!r} is wrong: {error}") from error


def literal_prefix(text: str) -> str:
    """Return what everything that a regular expression matches begins with; empty when nothing is certain."""
    if not text.startswith("^") or "|" in text:
        return ""
    prefix = ""
    for piece in _PIECE.finditer(text, 1):
        kind, part = piece.lastgroup, piece[0]
        if kind == "repeat":
            return prefix[:-1]
        if kind == "escape" and not part[1].isalnum():
            prefix += part[1]
        elif kind == "other" and part not in ".^$":
            prefix += part
        else:
            break
    return prefix


def _check_bounded(text: str) -> None:
    """Refuse repeats of what can match in several ways, too many repeats, and what RE2 does not know."""
    varies = [False]  # per open group: whether what is in it can match in several ways
    atom_varies = False
    unbounded = optional = 0
    previous = ""
    for piece in _PIECE.finditer(text):
        kind, token = piece.lastgroup or "", piece[0]
        if kind == "open":
            varies.append(False)
        elif kind == "close" and len(varies) > 1:
            atom_varies = varies.pop()
            varies[-1] |= atom_varies
        elif kind == "bar":
            varies[-1] = True
        elif kind == "repeat":
            if previous == "open":
                raise KeyProblem(f"the regular expression {text!r} looks around or sets flags inside a group")
            if atom_varies and token[0] != "?":
                raise KeyProblem(f"the regular expression {text!r} repeats what repeats or has alternatives")
            varies[-1] |= _FIXED.fullmatch(token) is None
            optional += token[0] == "?"
            unbounded += token[0] != "?" and _FIXED.fullmatch(token) is None
        elif kind == "atom" and "[:" in token:
            raise KeyProblem(f"the regular expression {text!r} names a class; write it out, as in [a-z]")
        elif kind == "escape" and token[1].isdigit():
            raise KeyProblem(f"the regular expression {text!r} refers back to a group")
        else:
            atom_varies = False
        previous = kind
    if unbounded > REGEXP_REPEATS_MAX or optional > REGEXP_OPTIONS_MAX:
        raise KeyProblem(
            f"the regular expression {text!r} has more than {REGEXP_REPEATS_MAX} repeats"
            f" or {REGEXP_OPTIONS_MAX} optional parts"
        )
