"""Jinja2's words: literals, and names that nothing else has."""

import builtins
import keyword
import re
from collections.abc import Iterable

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_RESERVED = frozenset(
    {
        "and", "block", "caller", "context", "cycler", "dot", "else", "false", "for", "go", "if", "import", "in",
        "include", "is", "joiner", "kwargs", "lipsum", "loop", "macro", "namespace", "none", "not", "or", "range",
        "recursive", "self", "set", "super", "true", "varargs", "with", "without", "l", "environment", "missing",
    }
)  # fmt: skip


def text_literal(text: str) -> str:
    """Return ``text`` as a Jinja2 string."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        return f"\\u{code:04x}"
    return char if char.isprintable() else f"\\x{code:02x}" if code < 0x100 else f"\\U{code:08x}"


class Names:
    """Hands out names, each to one variable at a time."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {*taken, *_RESERVED, *keyword.kwlist, *dir(builtins)}

    def new(self, wish: str) -> str:
        """Return ``wish``, or something like it that is free."""
        word = re.sub(r"\W", "_", wish).lstrip("_") or "value"
        stem = f"v{word}" if word[0].isdigit() else word
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name

    def free(self, name: str) -> None:
        """Let the name be used again: what it stood for is out of sight."""
        self._taken.discard(name)
