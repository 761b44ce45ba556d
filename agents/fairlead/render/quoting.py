"""Filters that put a value into a file so that it stays one value, whatever is in it.

Each makes a literal of one language: the program that reads the file gets the value back, byte for byte.  A value
that the language has no way to write is an error that says so.  ``plain`` (see ``functions``) is for places that
take a bare word; ``toJson`` writes JSON.
"""

import json
import math
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from fairlead.render.errors import TemplateFault

_TOML_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_YAML_SHORT = _TOML_SHORT | {"\0": "\\0"}


def _text(value: object, *, what: str) -> str:
    """Return ``value`` as one text; a list or a map is no value for a single place."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TemplateFault(f"{what} takes a text or a number, not {type(value).__name__}")
    return str(value)


def _refuse(value: str, characters: Mapping[str, str], *, what: str) -> None:
    for character, name in characters.items():
        if character in value:
            raise TemplateFault(f"{what} cannot write {name}; correct the key's value")


def shell(value: object) -> str:
    """Return one word for a POSIX shell: ``it's`` becomes ``'it'"'"'s'``."""
    text = _text(value, what="shquote")
    _refuse(text, {"\0": "a NUL"}, what="shquote")
    return shlex.quote(text)


def nginx(value: object) -> str:
    """Return one parameter in quotes for nginx.

    nginx puts variables in for ``$name`` inside quotes too and knows no way to write a dollar, so that one is refused.
    """
    text = _text(value, what="nginx_str")
    _refuse(text, {"\0": "a NUL", "$": "a dollar: nginx would take it for a variable"}, what="nginx_str")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def ini(value: object) -> str:
    """Return a value in quotes, as git, systemd, MySQL and PHP read it; a line of its own cannot be smuggled in."""
    text = _text(value, what="ini_str")
    _refuse(text, {"\0": "a NUL", "\n": "a line end", "\r": "a carriage return"}, what="ini_str")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def postgres(value: object) -> str:
    """Return a value in quotes for ``postgresql.conf``, which knows backslash escapes and doubled quotes."""
    text = _text(value, what="pg_str")
    _refuse(text, {"\0": "a NUL"}, what="pg_str")
    escapes = {"\\": "\\\\", "'": "''", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "'" + "".join(escapes.get(char, char) for char in text) + "'"


def toml(value: object) -> str:
    """Return a TOML value: text, number, truth, list or inline table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _toml_float(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value, _TOML_SHORT, what="toml")
    if isinstance(value, Mapping):
        pairs = (
            f"{_quoted(str(key), _TOML_SHORT, what='toml')} = {toml(item)}" for key, item in value.items()
        )
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    raise TemplateFault(f"toml has no word for {value!r}")


def _toml_float(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        return {"nan": "nan", "inf": "inf", "-inf": "-inf"}[str(value)]
    return repr(value)


def yaml(value: object) -> str:
    """Return a YAML value on one line, in flow style: texts in double quotes, so that ``no`` stays a text."""
    if isinstance(value, str):
        return _quoted(value, _YAML_SHORT, what="yaml")
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
        # YAML 1.1 wants a point in a number with an exponent.
        mantissa, mark, exponent = repr(value).partition("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}{mark}{exponent}"
    if isinstance(value, Mapping):
        pairs = (
            f"{_quoted(str(key), _YAML_SHORT, what='yaml')}: {yaml(item)}" for key, item in value.items()
        )
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(yaml, value)) + "]"
    raise TemplateFault(f"yaml has no word for {value!r}")


def _quoted(text: str, short: Mapping[str, str], *, what: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TemplateFault(f"{what} is written in UTF-8, which the value is not; use base64Encode") from None
    return '"' + "".join(short.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


QUOTING: Mapping[str, Callable[[Any], str]] = {
    "ini_str": ini,
    "nginx_str": nginx,
    "pg_str": postgres,
    "shquote": shell,
    "toml": toml,
    "yaml": yaml,
}
"""Name of the filter, and of the function, to what it does."""
