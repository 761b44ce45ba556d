"""confd's template functions that look at nothing but their arguments.

The names and meanings are confd's, where Go and Python differ Go's: whole numbers have 64 bits and division
truncates, ``atoi`` takes no blanks, upper and lower case are taken letter by letter, base64 is strict.
Deliberately different: ``reverse`` and the sorts return a new list, whole numbers in JSON stay whole, and a
wrong argument is an error that says so.  (Converted templates get Go's way of these too: see ``gotemplate``.)
Source: confd, ``docs/templates.md``; Go's packages ``strings``, ``strconv``, ``path``.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from fairlead.render import paths
from fairlead.render.errors import TemplateFault
from fairlead.render.sprig import SPRIG
from fairlead.render.view import KVPair, to_bytes, to_text

SEQUENCE_ITEMS_MAX = 100_000
"""Items of one ``seq``; the sandbox holds ``range`` to the same number."""

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_INTEGER = re.compile(r"[+-]?[0-9]+")
_PLAIN = re.compile(r"[\w.:/@%+=,\[\]~-]+", re.ASCII)
_SHOWN_MAX = 60
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
T = TypeVar("T")


def _shown(value: object) -> str:
    """Return ``value`` for a message, cut to a length that a line can bear."""
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."


def _integers(name: str, *values: object) -> None:
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TemplateFault(f"{name} takes whole numbers, not {_shown(value)}; use atoi on a text")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _decode_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TemplateFault(f"not JSON: {error}: {_shown(text)}") from None


def json_object(text: str) -> dict[str, Any]:
    """Decode a JSON object (confd's ``json``)."""
    value = _decode_json(text)
    if not isinstance(value, dict):
        raise TemplateFault(f"json takes an object, not {_shown(text)}; use jsonArray for a list")
    return value


def json_array(text: str) -> list[Any]:
    """Decode a JSON array."""
    value = _decode_json(text)
    if not isinstance(value, list):
        raise TemplateFault(f"jsonArray takes a list, not {_shown(text)}; use json for an object")
    return value


def to_upper(text: str) -> str:
    """Return the text in upper case, letter by letter: a sharp s stays one letter."""
    return "".join(upper if len(upper := char.upper()) == 1 else char for char in text)


def to_lower(text: str) -> str:
    """Return the text in lower case, letter by letter: a final sigma is a sigma."""
    return "".join(char.lower()[0] for char in text)


def split(text: str, separator: str) -> list[str]:
    """Split at every separator; an empty one splits into characters."""
    return text.split(separator) if separator else list(text)


def join(values: Iterable[object], separator: str) -> str:
    """Return the values as text with the separator between."""
    if isinstance(values, str):
        raise TemplateFault(f"join takes a list, not the text {_shown(values)}")
    return separator.join(str(value) for value in values)


def replace(text: str, old: str, new: str, count: int) -> str:
    """Replace the first ``count`` of ``old``, all of them where it is negative."""
    return text.replace(old, new, count)


def contains(text: str, part: str) -> bool:
    """Whether ``part`` occurs in ``text``."""
    return part in text


def make_map(*pairs: object) -> dict[str, object]:
    """Return a map of alternating keys and values (confd's ``map``)."""
    if len(pairs) % 2:
        raise TemplateFault("map takes pairs: a key and a value, and so on")
    keys = pairs[::2]
    for key in keys:
        if not isinstance(key, str):
            raise TemplateFault(f"map takes texts as keys, not {_shown(key)}")
    return {str(key): value for key, value in zip(keys, pairs[1::2], strict=True)}


def base64_encode(text: str) -> str:
    """Encode with the standard alphabet and padding."""
    return base64.b64encode(to_bytes(text)).decode()


def base64_decode(text: str) -> str:
    """Decode the standard alphabet; line ends are passed over, anything else is an error."""
    try:
        return to_text(base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True))
    except (binascii.Error, ValueError) as error:
        raise TemplateFault(f"not base64: {error}: {_shown(text)}") from None


def parse_bool(text: str) -> bool:
    """Read Go's spellings of true and false."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise TemplateFault(f"not true or false: {_shown(text)}")


def atoi(text: str) -> int:
    """Read a decimal whole number: a sign and digits, no blanks, no underscores."""
    if not isinstance(text, str) or not _INTEGER.fullmatch(text):
        raise TemplateFault(f"not a whole number: {_shown(text)}")
    number = int(text) if len(text) < _SHOWN_MAX else _INT64_MAX + 1
    if not _INT64_MIN <= number <= _INT64_MAX:
        raise TemplateFault(f"not a whole number of 64 bits: {_shown(text)}")
    return number


def reverse(values: Sequence[T]) -> list[T]:
    """Return the list in opposite order."""
    return list(values)[::-1]


def sort_by_length(values: Iterable[str]) -> list[str]:
    """Return the texts, shortest first in bytes; equals keep their order."""
    return sorted(values, key=lambda value: len(to_bytes(value)))


def sort_kv_by_length(pairs: Iterable[KVPair]) -> list[KVPair]:
    """Return the pairs, shortest key first in bytes; equals keep their order."""
    return sorted(pairs, key=lambda pair: len(to_bytes(pair.key)))


def _wrapped(number: int) -> int:
    """Return what 64 bits keep of ``number``."""
    return (number - _INT64_MIN) % (1 << 64) + _INT64_MIN


def add(left: int, right: int) -> int:
    """Return the sum; beyond 64 bits it wraps around, as in Go."""
    _integers("add", left, right)
    return _wrapped(left + right)


def sub(left: int, right: int) -> int:
    """Return the difference."""
    _integers("sub", left, right)
    return _wrapped(left - right)


def mul(left: int, right: int) -> int:
    """Return the product."""
    _integers("mul", left, right)
    return _wrapped(left * right)


def div(left: int, right: int) -> int:
    """Divide and round toward zero, as Go does."""
    _integers("div", left, right)
    if not right:
        raise TemplateFault("div by zero")
    quotient = abs(left) // abs(right)
    return _wrapped(quotient if (left < 0) == (right < 0) else -quotient)


def mod(left: int, right: int) -> int:
    """Return the remainder of ``div``; it has the sign of ``left``."""
    _integers("mod", left, right)
    if not right:
        raise TemplateFault("mod by zero")
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder


def seq(first: int, last: int) -> list[int]:
    """Return first to last, both included; empty where last is smaller."""
    _integers("seq", first, last)
    if last - first >= SEQUENCE_ITEMS_MAX:
        raise TemplateFault(f"seq of more than {SEQUENCE_ITEMS_MAX} items")
    return list(range(first, last + 1))


def plain(value: object) -> str:
    """Return ``value`` if it is one plain word, so that it can say nothing else in the file.

    Not confd's.  Letters, digits and ``_.:/@%+=,[]~-`` are plain; blanks, quotes, line ends, ``;{}#$`` are not.
    """
    text = str(value)
    if not _PLAIN.fullmatch(text):
        raise TemplateFault(f"not one plain word: {_shown(text)}; correct the key's value")
    return text


PURE: Mapping[str, Callable[..., Any]] = {
    "add": add,
    "atoi": atoi,
    "base": paths.base,
    "base64Decode": base64_decode,
    "base64Encode": base64_encode,
    "contains": contains,
    "dir": paths.directory,
    "div": div,
    "join": join,
    "json": json_object,
    "jsonArray": json_array,
    "map": make_map,
    "mod": mod,
    "mul": mul,
    "parseBool": parse_bool,
    "plain": plain,
    "replace": replace,
    "reverse": reverse,
    "seq": seq,
    "sortByLength": sort_by_length,
    "sortKVByLength": sort_kv_by_length,
    "split": split,
    "sub": sub,
    "toLower": to_lower,
    "toUpper": to_upper,
    "trimSuffix": str.removesuffix,
    **SPRIG,
}
"""Global name to function."""

FILTERS = (frozenset(PURE) - frozenset(SPRIG) - {"join", "map", "replace", "reverse", "seq"}) | {
    "camelcase", "empty", "fromJson", "kebabcase", "keys", "nospace", "quote", "sha256sum", "snakecase",
    "squote", "toJson", "toPrettyJson", "trimPrefix", "values",
}  # fmt: skip
"""Those that are filters too: what they work on is their first argument, and Jinja has no filter of that name."""
