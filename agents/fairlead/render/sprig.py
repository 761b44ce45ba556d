"""The general-purpose functions that confd's active fork adds, in sprig's names.

What a function works on comes last, so that a Go pipeline can hand it over: ``default("none", value)``.  Where
Jinja has a filter of the same name (``default``, ``indent``, ``list``) the filter stays Jinja's own and only the
function is this one.  JSON is written as Go's ``encoding/json`` writes it: keys sorted, no blanks, ``<``, ``>``
and ``&`` escaped.  Deliberately different: whole numbers in JSON stay whole.
Source: abtreece/confd, ``docs/templates.md``, section "Utility Functions".
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fairlead.render.errors import TemplateFault
from fairlead.render.golang.jsonio import write_json
from fairlead.render.golang.quoting import quoted
from fairlead.render.golang.regexp import compile_regexp, expand
from fairlead.render.golang.values import Values
from fairlead.render.view import to_bytes

REPEAT_CHARACTERS_MAX = 10_000_000
"""A longer text out of ``repeat`` or ``indent`` is a mistake."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z\s_-]+|[A-Z]")


def is_empty(value: object) -> bool:
    """Whether ``value`` is nothing, false, zero, or without items; a pair or a record never is."""
    return isinstance(value, str | bool | int | float | list | dict | None) and not value


def default(fallback: object, value: object = None) -> object:
    """Return ``value``, or ``fallback`` where it is empty."""
    return fallback if is_empty(value) else value


def ternary(when_true: object, when_false: object, condition: object) -> object:
    """Return the first for true, the second for false.

    Raises:
        TemplateFault: the condition is neither.
    """
    if not isinstance(condition, bool):
        raise TemplateFault("ternary takes true or false as its last argument; use parseBool on a text")
    return when_true if condition else when_false


def coalesce(*values: object) -> object:
    """Return the first that is not empty, None where all are."""
    return next((value for value in values if not is_empty(value)), None)


def to_json(value: object) -> str:
    """Write JSON on one line."""
    return write_json(value)


def to_pretty_json(value: object) -> str:
    """Write JSON, two blanks for each level."""
    return write_json(value, indent="  ")


def from_json(text: str) -> Any:
    """Read any JSON value."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TemplateFault(f"not JSON: {error}") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def indent(spaces: int, text: str) -> str:
    """Put blanks before every line; the empty text stays empty."""
    pad = " " * spaces
    if len(pad) * (text.count("\n") + 1) > REPEAT_CHARACTERS_MAX:
        raise TemplateFault(f"indent by {spaces} makes too long a text")
    return pad + text.replace("\n", "\n" + pad) if text else ""


def nindent(spaces: int, text: str) -> str:
    """Start a new line and indent."""
    return "\n" + indent(spaces, text)


def squote(text: str) -> str:
    """Put the text between apostrophes; nothing is escaped (see ``shquote`` for that)."""
    return f"'{text}'"


def repeat(count: int, text: str) -> str:
    """Return the text ``count`` times."""
    if count < 0 or count * len(text) > REPEAT_CHARACTERS_MAX:
        raise TemplateFault(f"repeat cannot make {count} times {len(text)} characters")
    return text * count


def nospace(text: str) -> str:
    """Return the text without any white space."""
    return "".join(text.split())


def _words(text: str) -> list[str]:
    """Split at changes to upper case, blanks, underscores and hyphens; an abbreviation is one word."""
    spread = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", text)
    return _WORD.findall(spread)


def snakecase(text: str) -> str:
    """Return ``snake_case``."""
    return "_".join(_words(text)).lower()


def kebabcase(text: str) -> str:
    """Return ``kebab-case``."""
    return "-".join(_words(text)).lower()


def camelcase(text: str) -> str:
    """Return ``camelCase``."""
    words = [word.lower() for word in _words(text)]
    return "".join(words[:1] + [word[:1].upper() + word[1:] for word in words[1:]])


def make_dict(*pairs: object, **named: object) -> dict[str, object]:
    """Return a map of alternating keys and values, or, as Jinja has it, of named arguments."""
    keys = pairs[::2]
    if len(pairs) % 2 or not all(isinstance(key, str) for key in keys):
        raise TemplateFault("a map is made of pairs: a text as key and a value, and so on")
    return {str(key): value for key, value in zip(keys, pairs[1::2], strict=True)} | named


def make_list(*values: object) -> list[object]:
    """Return the arguments as a list."""
    return Values(values)


def has_key(values: Mapping[str, object], key: str) -> bool:
    """Whether the map holds ``key``, even for nothing."""
    return key in values


def keys(values: Mapping[str, object]) -> list[str]:
    """Return the keys, sorted."""
    return sorted(values)


def values(of: Mapping[str, object]) -> list[object]:
    """Return the values, sorted by key."""
    return Values(of[key] for key in sorted(of))


def append(values: Sequence[object] | None, value: object) -> list[object]:
    """Return the list with one more item."""
    return Values([*(values or ()), value])


def pluck(key: str, *maps: Mapping[str, object]) -> list[object]:
    """Return what each map that has ``key`` holds for it."""
    return Values(each[key] for each in maps if key in each)


def regex_match(pattern: str, text: str) -> bool:
    """Whether the pattern matches somewhere in the text."""
    return compile_regexp(pattern).search(text) is not None


def regex_find(pattern: str, text: str) -> str:
    """Return the first match, the empty text where there is none."""
    found = compile_regexp(pattern).search(text)
    return found[0] if found else ""


def regex_replace_all(pattern: str, text: str, replacement: str) -> str:
    """Replace every match; ``$1`` and ``${name}`` in the replacement stand for groups."""
    return compile_regexp(pattern).sub(lambda match: expand(replacement, match), text)


def sha256sum(text: str) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(to_bytes(text)).hexdigest()


SPRIG: Mapping[str, Callable[..., Any]] = {
    "append": append,
    "camelcase": camelcase,
    "coalesce": coalesce,
    "default": default,
    "dict": make_dict,
    "empty": is_empty,
    "fromJson": from_json,
    "hasKey": has_key,
    "indent": indent,
    "kebabcase": kebabcase,
    "keys": keys,
    "list": make_list,
    "nindent": nindent,
    "nospace": nospace,
    "pluck": pluck,
    "quote": quoted,
    "regexFind": regex_find,
    "regexMatch": regex_match,
    "regexReplaceAll": regex_replace_all,
    "repeat": repeat,
    "sha256sum": sha256sum,
    "snakecase": snakecase,
    "squote": squote,
    "ternary": ternary,
    "toJson": to_json,
    "toPrettyJson": to_pretty_json,
    "trimPrefix": str.removeprefix,
    "values": values,
}
"""Global name to function."""
