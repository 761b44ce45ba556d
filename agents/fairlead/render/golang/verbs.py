"""``fmt.Sprintf``: flags, width, precision, argument indexes, and the complaints that Go puts into the text.

Source: https://pkg.go.dev/fmt.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fairlead.render.golang.printing import float_text, is_struct, type_name, value_text
from fairlead.render.golang.quoting import quoted, quoted_rune
from fairlead.render.view import to_bytes

_WIDTH_MAX = 1_000_000
_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)"
    r"(?:(?P<width_index>\[\d*\])?(?P<width>\*)|(?P<width_number>\d+))?"
    r"(?P<point>\.(?:(?P<precision_index>\[\d*\])?(?P<precision>\*)|(?P<precision_number>\d*)))?"
    r"(?P<index>\[[^\]]*\])?(?P<verb>.)?",
    re.DOTALL,
)


class _BadVerb(Exception):  # noqa: N818 - becomes a part of the text
    """The value cannot be shown so."""


@dataclass(slots=True)
class _Spec:
    """One directive, with the numbers filled in."""

    flags: str
    width: int | None = None
    precision: int | None = None

    def pad(self, text: str) -> str:
        """Return ``text`` at least as wide as asked; a zero goes after the sign."""
        if self.width is None or len(text) >= self.width:
            return text
        if "-" in self.flags:
            return text.ljust(self.width)
        return text.rjust(self.width)

    def pad_number(self, text: str, *, is_finite: bool = True) -> str:
        """Pad with zeros where asked, behind the sign."""
        if "0" in self.flags and "-" not in self.flags and is_finite and self.width is not None:
            sign = text[0] if text[:1] in {"+", "-", " "} else ""
            return sign + text[len(sign) :].rjust(self.width - len(sign), "0")
        return self.pad(text)

    def signed(self, text: str) -> str:
        """Put a plus or a blank before a number that is not negative, where asked."""
        if text.startswith("-"):
            return text
        sign = "+" if "+" in self.flags else " " if " " in self.flags else ""
        return sign + text.removeprefix("+")


def _integer(spec: _Spec, value: int, verb: str) -> str:
    base = {"b": "b", "o": "o", "O": "o", "d": "d", "v": "d", "x": "x", "X": "X"}.get(verb)
    if verb == "c":
        return spec.pad(chr(value) if 0 <= value <= 0x10FFFF else "\ufffd")
    if verb == "q":
        return spec.pad(quoted_rune(value, is_ascii="+" in spec.flags))
    if verb == "U":
        name = f"U+{value:04X}"
        return spec.pad(f"{name} '{chr(value)}'" if "#" in spec.flags and chr(value).isprintable() else name)
    if base is None:
        raise _BadVerb
    digits = format(abs(value), base)
    if spec.precision is not None:
        digits = "" if spec.precision == 0 and value == 0 else digits.rjust(spec.precision, "0")
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in spec.flags else ""
    if verb == "O":
        prefix = "0o"
    text = spec.signed(("-" if value < 0 else "") + prefix + digits)
    # A precision takes the place of the zero flag.
    return spec.pad(text) if spec.precision is not None else spec.pad_number(text)


def _float(spec: _Spec, value: float, verb: str) -> str:
    if verb not in "veEfFgG":
        raise _BadVerb
    if math.isnan(value) or math.isinf(value):
        text = float_text(value)
        return spec.pad(spec.signed(text) if "+" not in spec.flags else text.replace("NaN", "+NaN"))
    if verb in "vgG":
        letter = "E" if verb == "G" else "e"
        text = (
            float_text(value, letter=letter)
            if spec.precision is None
            else _general(value, spec.precision, letter)
        )
    else:
        places = 6 if spec.precision is None else spec.precision
        text = f"{value:.{places}{verb.replace('F', 'f')}}"
    return spec.pad_number(spec.signed(text))


def _general(value: float, precision: int, letter: str) -> str:
    """Return ``%.3g``: that many digits, zeros at the end dropped; an exponent as C has it."""
    text = f"{value:.{precision}{'g' if letter == 'e' else 'G'}}"
    mantissa, mark, exponent = text.partition(letter)
    digits = len(mantissa.replace(".", "").lstrip("-0"))
    # Where fewer digits say it all, Go counts those.
    if not mark and digits and abs(value) >= 10 ** min(precision, 21):
        return f"{value:.{max(digits - 1, 0)}{letter}}"
    return mantissa + mark + exponent


def _text(spec: _Spec, value: str, verb: str) -> str:
    if verb in "vs":
        return spec.pad(value if spec.precision is None else value[: spec.precision])
    cut = value if spec.precision is None or verb != "q" else value[: spec.precision]
    if verb == "q":
        if "#" in spec.flags and "`" not in cut and all(c.isprintable() or c == "\t" for c in cut):
            return spec.pad(f"`{cut}`")
        return spec.pad(quoted(cut, is_ascii="+" in spec.flags))
    if verb in "xX":
        raw = to_bytes(value)[: spec.precision]
        pairs = [format(byte, "02" + verb) for byte in raw]
        mark = f"0{verb}" if "#" in spec.flags and raw else ""
        separator = f" {mark}" if " " in spec.flags else ""
        return spec.pad(mark + separator.join(pairs))
    raise _BadVerb


def _truth(spec: _Spec, value: bool, verb: str) -> str:  # noqa: FBT001 - it is the value
    if verb not in "tv":
        raise _BadVerb
    return spec.pad("true" if value else "false")


_SCALARS: Mapping[type, Callable[[_Spec, object, str], str]] = {
    bool: _truth,  # type: ignore[dict-item]
    int: _integer,  # type: ignore[dict-item]
    float: _float,  # type: ignore[dict-item]
    str: _text,  # type: ignore[dict-item]
}


def _shown(spec: _Spec, value: object, verb: str) -> str:
    """Return one value by one verb; inside a list or a map the verb goes for each item."""
    for kind, show in _SCALARS.items():
        if isinstance(value, kind):
            try:
                return show(spec, value, verb)
            except _BadVerb:
                return f"%!{verb}({type_name(value)}={value_text(value)})"
    if value is None:
        return spec.pad("<nil>") if verb == "v" else f"%!{verb}(<nil>)"
    if isinstance(value, dict):
        pairs = (f"{_item(spec, key, verb)}:{_item(spec, value[key], verb)}" for key in sorted(value))
        return f"map[{' '.join(pairs)}]"
    if is_struct(value):
        assert isinstance(value, tuple)
        if verb == "v" and "+" in spec.flags:
            return value_text(value, plus=True)
        return "{" + " ".join(_item(spec, item, verb) for item in value) + "}"
    if isinstance(value, list | tuple):
        return "[" + " ".join(_item(spec, item, verb) for item in value) + "]"
    return (
        spec.pad(value_text(value)) if verb in "vs" else f"%!{verb}({type_name(value)}={value_text(value)})"
    )


def _item(spec: _Spec, value: object, verb: str) -> str:
    """Return what is inside a list, a map or a struct; nil is nil whatever the verb."""
    return "<nil>" if value is None else _shown(spec, value, verb)


class _Arguments:
    """The values, taken in order or by index."""

    def __init__(self, values: tuple[object, ...]) -> None:
        self._values = values
        self._next = 0
        self._is_reordered = False

    def at(self, index: str | None) -> bool:
        """Go to ``[n]``; return whether there is such a value."""
        if index is None:
            return True
        self._is_reordered = True
        number = index[1:-1]
        if not number.isdigit() or not 1 <= int(number) <= len(self._values):
            return False
        self._next = int(number) - 1
        return True

    def has_next(self) -> bool:
        """Whether one is left."""
        return self._next < len(self._values)

    def take(self) -> object:
        """Return the next one."""
        self._next += 1
        return self._values[self._next - 1]

    def rest(self) -> tuple[object, ...]:
        """Return those nobody has asked for; a format with indexes may leave some."""
        return () if self._is_reordered else self._values[self._next :]


def go_printf(form: str, *values: object) -> str:
    """Return ``fmt.Sprintf(form, values...)``."""
    arguments = _Arguments(values)
    text = _DIRECTIVE.sub(lambda match: _directive(match, arguments), form)
    if rest := arguments.rest():
        extra = ", ".join("<nil>" if v is None else f"{type_name(v)}={value_text(v)}" for v in rest)
        text += f"%!(EXTRA {extra})"
    return text


def _directive(match: re.Match[str], arguments: _Arguments) -> str:
    spec = _Spec(match["flags"])
    trouble = ""
    if match["width"]:
        width = _star(arguments, match["width_index"])
        trouble += "%!(BADWIDTH)" if width is None else ""
        if width is not None and width < 0:
            spec.flags, width = spec.flags + "-", -width
        spec.width = width
    elif match["width_number"]:
        spec.width = min(int(match["width_number"]), _WIDTH_MAX)
    if match["precision"]:
        spec.precision = _star(arguments, match["precision_index"])
        if spec.precision is None or spec.precision < 0:
            trouble += "%!(BADPREC)" if spec.precision is None else ""
            spec.precision = None
    elif match["point"]:
        spec.precision = min(int(match["precision_number"] or "0"), _WIDTH_MAX)
    verb = match["verb"]
    if verb is None:
        return trouble + "%!(NOVERB)"
    if verb == "%":
        return trouble + "%"
    if not arguments.at(match["index"]):
        return trouble + f"%!{verb}(BADINDEX)"
    if not arguments.has_next():
        return trouble + f"%!{verb}(MISSING)"
    return trouble + _asked(spec, arguments.take(), verb)


def _asked(spec: _Spec, value: object, verb: str) -> str:
    if verb == "T":
        return spec.pad(type_name(value))
    if verb == "v" and "#" in spec.flags:
        return spec.pad(_source(value))
    return _shown(spec, value, verb)


def _source(value: object, *, nil: str = "<nil>") -> str:
    """Return ``%#v``: the value as Go source."""
    if value is None:
        return nil
    if isinstance(value, str):
        return quoted(value)
    inside = "interface {}(nil)"
    if isinstance(value, dict):
        pairs = [f"{_source(key)}:{_source(value[key], nil=inside)}" for key in sorted(value)]
        return f"{type_name(value)}{{{', '.join(pairs)}}}"
    if is_struct(value):
        assert isinstance(value, tuple)
        names = [name[:1].upper() + name[1:] for name in value._fields]  # type: ignore[attr-defined]
        fields = [f"{name}:{_source(item)}" for name, item in zip(names, value, strict=True)]
        return f"{type_name(value)}{{{', '.join(fields)}}}"
    if isinstance(value, list | tuple):
        items = [_source(item, nil=inside) for item in value]
        return f"{type_name(value)}{{{', '.join(items)}}}"
    return value_text(value)


def _star(arguments: _Arguments, index: str | None) -> int | None:
    if not arguments.at(index) or not arguments.has_next():
        return None
    value = arguments.take()
    return (
        value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _WIDTH_MAX else None
    )
