"""How ``fmt`` prints values: ``%v``, ``Print`` and ``Println``.

Texts, numbers and truth values are Python's; a list is a slice, a dict a map, a named tuple a struct, None is nil,
a ``datetime`` a ``time.Time``.  Source: https://pkg.go.dev/fmt.
"""

import math
import re
from datetime import datetime

from fairlead.render.golang.layout import time_text
from fairlead.render.golang.values import Pairs, Values

_REPR = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?")
_EXPONENT_MIN = -4
_EXPONENT_MAX = 6


def float_digits(value: float) -> tuple[str, str, int]:
    """Return sign, the shortest digits that give ``value`` back, and the place of the point before them."""
    match = _REPR.fullmatch(repr(value))
    assert match is not None, f"{value!r} is finite"
    sign, whole, fraction, exponent = match.groups()
    digits = whole + (fraction or "")
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    return sign, stripped.rstrip("0") or "0", point if stripped.strip("0") else 1


def float_text(value: float, *, exponent_max: int = _EXPONENT_MAX, letter: str = "e") -> str:
    """Return ``%v`` of a float64: the shortest digits that give it back, with an exponent from a million on.

    Args:
        value: the number.
        exponent_max: the decimal exponent from which on one is written.
        letter: ``e`` or ``E``.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, point = float_digits(value)
    exponent = point - 1
    if exponent < _EXPONENT_MIN or exponent >= exponent_max:
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{sign}{digits[0]}{fraction}{letter}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if len(digits) <= point:
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def is_struct(value: object) -> bool:
    """Whether ``value`` stands for a Go struct."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def value_text(value: object, *, plus: bool = False) -> str:
    """Return ``%v``, or ``%+v`` with the names of a struct's fields."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, dict):
        pairs = (f"{key}:{value_text(value[key], plus=plus)}" for key in sorted(value))
        return f"map[{' '.join(pairs)}]"
    if is_struct(value):
        return _struct_text(value, plus=plus)
    if isinstance(value, list | tuple):
        return f"[{' '.join(value_text(item, plus=plus) for item in value)}]"
    return str(value)


def _struct_text(value: object, *, plus: bool) -> str:
    assert isinstance(value, tuple)
    fields = [value_text(item, plus=plus) for item in value]
    if plus:
        names = value._fields  # type: ignore[attr-defined]
        fields = [f"{name.capitalize()}:{text}" for name, text in zip(names, fields, strict=True)]
    return "{" + " ".join(fields) + "}"


def type_name(value: object) -> str:
    """Return the Go type that a template's value has, as ``fmt`` names it in its complaints."""
    if value is None:
        return "<nil>"
    for kind, name in (
        (bool, "bool"),
        (int, "int"),
        (float, "float64"),
        (str, "string"),
        (datetime, "time.Time"),
    ):
        if isinstance(value, kind):
            return name
    if isinstance(value, dict):
        return "map[string]interface {}"
    if is_struct(value):
        return "memkv.KVPair" if type(value).__name__ == "KVPair" else "net.SRV"
    if isinstance(value, Pairs):
        return "[]memkv.KVPair"
    if isinstance(value, list) and value and not isinstance(value, Values):
        kinds = {type_name(item) for item in value}
        lists = {"string": "[]string", "int": "[]int", "memkv.KVPair": "memkv.KVPairs"}
        return lists.get(kinds.pop(), "[]interface {}") if len(kinds) == 1 else "[]interface {}"
    return "[]interface {}"


def go_print(*values: object) -> str:
    """Return ``fmt.Sprint``: a blank between two values neither of which is a text."""
    pieces: list[str] = []
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            pieces.append(" ")
        pieces.append(value_text(value))
    return "".join(pieces)


def go_println(*values: object) -> str:
    """Return ``fmt.Sprintln``: always a blank between, and a line end."""
    return " ".join(value_text(value) for value in values) + "\n"
