"""JSON as Go's ``encoding/json`` reads and writes it.

Read into an ``interface{}``, every number is a float64.  Written, keys are sorted, ``<``, ``>`` and ``&`` are escaped,
and a number has an exponent only where it is very large or very small.
"""

import json
import math
from typing import Any

from fairlead.render.errors import TemplateFault
from fairlead.render.golang.printing import float_digits, is_struct
from fairlead.render.golang.values import Values

_PLAIN_MIN, _PLAIN_MAX = 1e-6, 1e21
_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), *map(ord, "<>&\u2028\u2029"))} | {
    ord("\b"): "\\b", ord("\f"): "\\f", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", ord('"'): '\\"',
    ord("\\"): "\\\\",
}  # fmt: skip


def read_json(text: str) -> Any:
    """Read any JSON value; numbers become floats.

    Raises:
        TemplateFault: it is not JSON, or a number is beyond a float64.
    """
    try:
        return _without_surrogates(
            json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_refuse)
        )
    except (ValueError, RecursionError) as error:
        raise TemplateFault(f"not JSON: {error}") from None


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is beyond a float64")
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _without_surrogates(value: Any) -> Any:
    """Half a pair of surrogates, and a byte that is not UTF-8, become Go's replacement character."""
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in value)
    if isinstance(value, list):
        return Values(_without_surrogates(item) for item in value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def write_json(value: object, *, indent: str = "") -> str:
    """Write ``value`` on one line, or on many where an indent is given.

    Raises:
        TemplateFault: it holds what JSON has no word for.
    """
    return _written(value, indent=indent, level=0)


def _written(value: object, *, indent: str, level: int) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return f'"{_without_surrogates(value).translate(_ESCAPES)}"'
    if is_struct(value):
        assert isinstance(value, tuple)
        fields = value._asdict()  # type: ignore[attr-defined]
        pairs = [(name.capitalize(), item) for name, item in fields.items()]
        return _members(
            "{}", [_member(key, item, indent=indent, level=level) for key, item in pairs], indent, level
        )
    if isinstance(value, dict):
        pairs = sorted(value.items())
        return _members(
            "{}", [_member(key, item, indent=indent, level=level) for key, item in pairs], indent, level
        )
    if isinstance(value, list | tuple):
        items = [_written(item, indent=indent, level=level + 1) for item in value]
        return _members("[]", items, indent, level)
    raise TemplateFault(f"{type(value).__name__} cannot be written as JSON")


def _member(key: object, item: object, *, indent: str, level: int) -> str:
    colon = ": " if indent else ":"
    return f"{_written(str(key), indent='', level=0)}{colon}{_written(item, indent=indent, level=level + 1)}"


def _members(brackets: str, items: list[str], indent: str, level: int) -> str:
    if not items or not indent:
        return brackets[0] + ",".join(items) + brackets[1]
    inner = "\n" + indent * (level + 1)
    return f"{brackets[0]}{inner}{f',{inner}'.join(items)}\n{indent * level}{brackets[1]}"


def _float(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        raise TemplateFault(f"{value} cannot be written as JSON")
    sign, digits, point = float_digits(value)
    if value and not _PLAIN_MIN <= abs(value) < _PLAIN_MAX:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if len(digits) <= point:
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"
