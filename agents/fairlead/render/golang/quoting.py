r"""Quoted texts: ``strconv.Quote`` and its kin.

A text holds bytes that are not UTF-8 as lone surrogates (see ``view.to_text``); Go writes those as ``\xff``.
"""

import re

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}
_SURROGATE_LOW, _SURROGATE_HIGH = 0xDC80, 0xDCFF
_LAST_BMP = 0xFFFF
_UNQUOTE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _escaped(char: str, *, mark: str, is_ascii: bool) -> str:
    code = ord(char)
    if char == mark:
        return "\\" + char
    if char in _ESCAPES:
        return _ESCAPES[char]
    if _SURROGATE_LOW <= code <= _SURROGATE_HIGH:
        return f"\\x{code - 0xDC00:02x}"
    # Go prints letters, marks, numbers, punctuation, symbols and the ASCII blank.
    if char.isprintable() and (code < 0x7F or not is_ascii):
        return char
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_BMP else f"\\U{code:08x}"


def quoted(text: str, *, is_ascii: bool = False) -> str:
    """Return the text between quotes, as Go source would have it (``%q``).

    Args:
        text: what to quote.
        is_ascii: escape every letter beyond ASCII too (``%+q``).
    """
    return '"' + "".join(_escaped(char, mark='"', is_ascii=is_ascii) for char in text) + '"'


def quoted_rune(code: int, *, is_ascii: bool = False) -> str:
    """Return the character between apostrophes (``%q`` of a number)."""
    char = chr(code) if 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
    return f"'{_escaped(char, mark=chr(39), is_ascii=is_ascii)}'"


def unquoted(body: str) -> str:
    """Return what the inside of a Go literal in quotes or apostrophes stands for.

    Raises:
        ValueError: an escape that Go does not know.
    """

    def replaced(match: re.Match[str]) -> str:
        byte, short, long, octal, simple = match.groups()
        if byte or octal:
            code = int(byte, 16) if byte else int(octal, 8)
            return bytes([code]).decode("utf-8", "surrogateescape")
        if short or long:
            return chr(int(short or long, 16))
        if simple in _SIMPLE:
            return _SIMPLE[simple]
        if simple in {"\\", '"', "'"}:
            return str(simple)
        raise ValueError(f"unknown escape \\{simple}")

    text = _UNQUOTE.sub(replaced, body)
    # Escaped bytes may be one letter together.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
