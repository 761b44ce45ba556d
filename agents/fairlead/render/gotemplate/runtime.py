"""What Go does otherwise than Jinja2, for converted templates: the functions under ``go``.

A missing key of a map is nil and prints ``<no value>``, lists print as ``[a b]``, numbers out of JSON are floats,
lengths and indexes of texts count bytes, values of unlike kinds cannot be compared.  What Go refuses is an error
here too, in Go's words.  Source: ``text/template/funcs.go`` and ``exec.go``; confd's ``template_funcs.go``.
"""

import html
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from fairlead.render import functions, paths
from fairlead.render.errors import TemplateFault
from fairlead.render.golang import Pairs, Values, format_time, go_print, go_printf, go_println, value_text
from fairlead.render.golang.jsonio import read_json, write_json
from fairlead.render.golang.printing import is_struct, type_name
from fairlead.render.golang.timing import TIME_METHODS
from fairlead.render.view import KVPair, View, to_bytes, to_text

Include = Callable[..., str]


class Go:
    """One template's helpers.  Every public method is a function of converted templates.

    Args:
        view: the keys, for the listings that confd does in its own way.
        include: renders another file.
    """

    def __init__(self, view: View, *, include: Include) -> None:
        self._view = view
        self.include = include

    # Printing

    @staticmethod
    def text(value: object = None) -> str:
        """Print as ``{{ value }}`` does."""
        return "<no value>" if value is None else value_text(value)

    print = staticmethod(go_print)
    println = staticmethod(go_println)
    printf = staticmethod(go_printf)

    @staticmethod
    def html(*values: object) -> str:
        """Escape for HTML."""
        return (
            html.escape(go_print(*values))
            .replace("&#x27;", "&#39;")
            .replace("&quot;", "&#34;")
            .replace("\0", "\ufffd")
        )

    @staticmethod
    def js(*values: object) -> str:
        """Escape for JavaScript."""
        escapes = {char: f"\\u{ord(char):04X}" for char in "<>&="} | {"\\": "\\\\", "'": "\\'", '"': '\\"'}
        text = go_print(*values)
        return "".join(escapes.get(c) or (c if c.isprintable() else f"\\u{ord(c):04X}") for c in text)

    @staticmethod
    def urlquery(*values: object) -> str:
        """Escape for the query of a URL."""
        return urllib.parse.quote_plus(to_bytes(go_print(*values)))

    # Looking into values

    def field(self, value: object, *names: str) -> object:
        """Take ``.Name`` after ``.Name``; what a map does not have is nil, and so is all below it."""
        for number, name in enumerate(names):
            if value is None:
                if number:
                    raise TemplateFault(f"nil pointer evaluating interface {{}}.{name}")
                return None
            if isinstance(value, dict):
                if name not in value:
                    return None
                value = value[name]
            elif is_struct(value) and name.lower() in type(value)._fields and name[:1].isupper():  # type: ignore[attr-defined]
                value = getattr(value, name)
            elif isinstance(value, datetime):
                value = self.method(value, name)
            else:
                raise TemplateFault(f"can't evaluate field {name} in type {type_name(value)}")
        return value

    @staticmethod
    def method(value: object, name: str, *arguments: Any) -> object:
        """Call a method of a time, the one type that has any."""
        if isinstance(value, datetime):
            if name == "Format":
                return format_time(value, *arguments)
            if name in TIME_METHODS:
                return TIME_METHODS[name](value, *arguments)
        raise TemplateFault(f"can't evaluate method {name} of type {type_name(value)}")

    @staticmethod
    def index(value: object, *keys: object) -> object:
        """Return ``value[key]``, and on into that."""
        for key in keys:
            value = _indexed(value, key)
        return value

    @staticmethod
    def slice(value: object, *bounds: int) -> object:
        """Return ``value[low:high]``; a text is cut between bytes."""
        if not isinstance(value, str | list):
            raise TemplateFault(f"can't slice item of type {type_name(value)}")
        whole: Any = to_bytes(value) if isinstance(value, str) else value
        low, high = (*bounds[:1], *(0,) * (not bounds)), bounds[1] if len(bounds) > 1 else len(whole)
        if not 0 <= low[0] <= high <= len(whole):
            raise TemplateFault(f"slice {low[0]}:{high} is out of range of {len(whole)}")
        cut = whole[low[0] : high]
        return to_text(cut) if isinstance(cut, bytes) else type(whole)(cut)

    @staticmethod
    def len(value: object) -> int:
        """Return the length; a text's in bytes."""
        if isinstance(value, str):
            return len(to_bytes(value))
        if isinstance(value, list | dict):
            return len(value)
        raise TemplateFault(f"len of type {type_name(value)}")

    @staticmethod
    def values(value: object) -> Iterable[object]:
        """Return what ``range`` goes through: items, values in the order of their keys, or numbers from 0."""
        return [item for _, item in _ranged(value)]

    @staticmethod
    def items(value: object) -> Iterable[tuple[object, object]]:
        """Return what ``range $i, $e`` goes through."""
        return _ranged(value)

    # Comparing

    @staticmethod
    def eq(first: object, *others: object) -> bool:
        """Whether ``first`` equals one of the others."""
        if not others:
            raise TemplateFault("missing argument for comparison")
        return any(_equal(first, other) for other in others)

    @staticmethod
    def ne(left: object, right: object) -> bool:
        """Whether they differ."""
        return not _equal(left, right)

    @staticmethod
    def lt(left: Any, right: Any) -> bool:
        """Whether left is the smaller."""
        return bool(_ordered(left, right) < _ordered(right, left))

    def le(self, left: object, right: object) -> bool:
        """Whether left is not the larger."""
        return self.lt(left, right) or _equal(left, right)

    def gt(self, left: object, right: object) -> bool:
        """Whether left is the larger."""
        return not self.le(left, right)

    def ge(self, left: object, right: object) -> bool:
        """Whether left is not the smaller."""
        return not self.lt(left, right)

    # confd's functions where they are Go's

    @staticmethod
    def json(text: str) -> dict[str, Any]:
        """Read an object; numbers are floats, ``null`` is an empty map."""
        value = read_json(text)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise TemplateFault("json takes an object; use jsonArray for a list")
        return value

    @staticmethod
    def jsonArray(text: str) -> list[Any]:  # noqa: N802 - confd's name
        """Read a list; numbers are floats, ``null`` is an empty list."""
        value = read_json(text)
        if value is None:
            return Values()
        if not isinstance(value, list):
            raise TemplateFault("jsonArray takes a list; use json for an object")
        return value

    fromJson = staticmethod(read_json)  # noqa: N815 - the fork's name

    @staticmethod
    def toJson(value: object) -> str:  # noqa: N802 - the fork's name
        """Write JSON on one line."""
        return write_json(value)

    @staticmethod
    def toPrettyJson(value: object) -> str:  # noqa: N802 - the fork's name
        """Write JSON on many lines."""
        return write_json(value, indent="  ")

    @staticmethod
    def reverse(values: Any) -> object:
        """Turn texts around, in place, as confd does; anything else is left as it is.

        That is so for the pairs of ``gets`` too: their type has a name, which confd's ``Reverse`` does not look for.
        What ``sortKVByLength`` gives is turned around.
        """
        if isinstance(values, list) and type_name(values) in {"[]string", "[]memkv.KVPair"}:
            values.reverse()
        return values

    @staticmethod
    def sortByLength(values: list[str]) -> list[str]:  # noqa: N802 - confd's name
        """Sort in place; equals keep their order, which Go grants up to twelve."""
        values[:] = functions.sort_by_length(values)
        return values

    @staticmethod
    def sortKVByLength(values: list[KVPair]) -> Pairs:  # noqa: N802 - confd's name
        """Sort in place by the length of keys."""
        values[:] = functions.sort_kv_by_length(values)
        return Pairs(values)

    def ls(self, path: str) -> list[str]:
        """List as confd does: below the root only keys that have no second level, and nothing of a relative path."""
        return self._view.ls(path) if _is_tidy(path) else self._listed(path)

    def lsdir(self, path: str) -> list[str]:
        """List as confd does: nothing below the root, and nothing of a relative path."""
        return self._view.lsdir(path) if _is_tidy(path) else []

    def _listed(self, path: str) -> list[str]:
        if path != "/":
            return [paths.base(path)] if self._view.exists(path) else []
        tops = {pair.key.strip("/") for pair in self._view.gets("/*")}
        return sorted(tops)

    @staticmethod
    def untranslated(problem: str) -> str:
        """Refuse to render what the conversion could not translate.

        Raises:
            TemplateFault: always.
        """
        raise TemplateFault(f"not translated from the Go template: {problem}")


def _is_tidy(path: str) -> bool:
    """Whether ``path`` is absolute, clean but for a slash at the end, and not the root."""
    return path not in {"", "/"} and path.startswith("/") and paths.clean(path) == path.removesuffix("/")


def _indexed(value: object, key: object) -> object:
    if value is None:
        raise TemplateFault("index of untyped nil")
    if isinstance(value, dict):
        if not isinstance(key, str):
            raise TemplateFault(f"a map is indexed by texts, not {type_name(key)}")
        return value.get(key)
    if not isinstance(value, list | str):
        raise TemplateFault(f"can't index item of type {type_name(value)}")
    if not isinstance(key, int) or isinstance(key, bool):
        raise TemplateFault(f"cannot index slice/array with type {type_name(key)}")
    sequence: Sequence[object] = to_bytes(value) if isinstance(value, str) else value
    if not 0 <= key < len(sequence):
        raise TemplateFault(f"index out of range: {key}")
    return sequence[key]


def _ranged(value: object) -> list[tuple[object, object]]:
    if value is None:
        return []
    if isinstance(value, dict):
        return sorted(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool):
        functions.seq(1, value)
        return [(number, number) for number in range(value)]
    raise TemplateFault(f"range can't iterate over {value_text(value)}")


_BASIC = (bool, int, float, str)


def _kind(value: object) -> type | None:
    return next((kind for kind in _BASIC if isinstance(value, kind)), None)


def _equal(left: object, right: object) -> bool:
    if left is None or right is None:
        return left is right
    if _kind(left) is not _kind(right):
        raise TemplateFault(f"incompatible types for comparison: {type_name(left)} and {type_name(right)}")
    if isinstance(left, list | dict):
        raise TemplateFault(f"non-comparable type {type_name(left)}")
    return left == right


def _ordered(value: object, other: object) -> Any:
    """Return what ``<`` works on: a text as its bytes."""
    kind = _kind(value)
    if kind in {None, bool}:
        raise TemplateFault(f"invalid type for comparison: {type_name(value)}")
    if kind is not _kind(other):
        raise TemplateFault(f"incompatible types for comparison: {type_name(value)} and {type_name(other)}")
    return to_bytes(value) if isinstance(value, str) else value
