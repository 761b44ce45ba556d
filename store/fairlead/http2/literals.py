"""HPACK encoding: from fields to a block that no table of the peer's keeps.

Every block of ours means the same at any moment and on any connection, so that it may be made once and sent again.
What is not an entry of the static table as it stands goes out as a literal that is never indexed, on the next hops
too: "... an intermediary MUST use the same representation" (RFC 7541, section 6.2.3) holds whatever was received.
"""

from collections.abc import Iterable
from typing import Final

from hpack.table import HeaderTable

from fairlead.http2.fields import Field

EMPTY_TABLE: Final = b"\x20"
"""At the start of a block: our dynamic table has size 0 from here on (RFC 7541, section 6.3)."""
TABLE_BYTES_DEFAULT: Final = 4096

_ENTRIES: Final[dict[Field, bytes]] = {
    field: bytes((0x80 | index,)) for index, field in enumerate(HeaderTable.STATIC_TABLE, 1) if field[1]
}
_NAMES: Final[dict[bytes, int]] = {
    name: index for index, (name, _) in reversed([*enumerate(HeaderTable.STATIC_TABLE, 1)])
}
_KNOWN_MAX: Final = 8192
_KNOWN_BYTES_MAX: Final = 512
"""Of a field that is remembered: with the number above, what the memory of them may cost."""
_known: Final = dict(_ENTRIES)


def encoded(fields: Iterable[Field]) -> bytes:
    """Return ``fields``, whose names are in lower case, as a block."""
    get = _known.get
    return b"".join([get(field) or _learn(field) for field in fields])


def _learn(field: Field) -> bytes:
    name, value = field
    index = _NAMES.get(name)
    if index is None:
        literal = b"\x10" + _string(name) + _string(value)
    elif index < 0x0F:
        literal = bytes((0x10 | index,)) + _string(value)
    else:
        literal = bytes((0x1F, index - 0x0F)) + _string(value)
    if len(literal) <= _KNOWN_BYTES_MAX:
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
            _known.update(_ENTRIES)
        _known[field] = literal
    return literal


def _string(text: bytes) -> bytes:
    """Return a string literal without Huffman code (RFC 7541, sections 5.1 and 5.2)."""
    length = len(text)
    if length < 0x7F:
        return bytes((length,)) + text
    prefix = bytearray(b"\x7f")
    length -= 0x7F
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + text
