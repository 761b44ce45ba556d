"""HPACK decoding: from a header block to fields, at the pace of a client that sends a new block every time.

The library ``hpack`` is general and takes 30 to 50 us for a block of eight fields.  A client that gives each
call a deadline puts a new entry into the table with every call, so that no block is ever seen twice: for it
this decoder takes a third.  Huffman code stays the library's business; the library is also the oracle that
the tests hold this against.

Source: RFC 7541; the number behind each rule is its section.
"""

from collections import deque
from typing import Final

from hpack import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from fairlead.http2.errors import ConnectionFault
from fairlead.http2.frames import ErrorCode

Field = tuple[bytes, bytes]

TABLE_BYTES_MAX: Final = 4096
"""Our SETTINGS_HEADER_TABLE_SIZE, the default."""
_STATIC: Final[tuple[Field, ...]] = HeaderTable.STATIC_TABLE
_STATIC_COUNT: Final = len(_STATIC)
_ENTRY_OVERHEAD: Final = 32  # 4.1
_INTEGER_SHIFT_MAX: Final = 28  # 5.1: no integer here needs more than 32 bits.
_STRINGS_MAX: Final = 256
_STRING_BYTES_MAX: Final = 64


class FieldDecoder:
    """The receiving end of one connection's header compression.

    Args:
        list_bytes_max: the largest header list that is decoded at all.
    """

    __slots__ = ("_entries", "_limit", "_list_bytes_max", "_size", "_strings", "has_changed")

    def __init__(self, list_bytes_max: int) -> None:
        self._list_bytes_max = list_bytes_max
        self._entries: deque[Field] = deque()  # The newest is the last.
        self._size = 0
        self._limit = TABLE_BYTES_MAX
        self._strings: dict[bytes, bytes] = {}  # Huffman code that was decoded before.
        self.has_changed = False
        """Whether the last block changed the table, and with it the meaning of others."""

    def decode(self, block: bytes) -> list[Field]:
        """Return the fields of ``block``.

        Raises:
            ConnectionFault: it cannot be decoded; the table is lost, and the connection with it.
        """
        self.has_changed = False
        try:
            return self._decode(block)
        except (HPACKError, IndexError) as error:
            raise _undecodable() from error

    def _decode(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        total = 0
        at = 0
        end = len(block)
        while at < end:
            byte = block[at]
            if byte > 0x80 and byte != 0xFF:  # 6.1, and nearly every field.
                at += 1
                field = self._entry(byte & 0x7F)
            elif byte & 0x80:
                index, at = _integer(block, at, 0x7F)
                field = self._entry(index)
            elif byte & 0x40:  # 6.2.1
                field, at = self._literal(block, at, 0x3F)
                self._insert(field)
            elif byte & 0x20:  # 6.3
                if fields:  # "... MUST occur at the beginning of the first header block" (4.2).
                    raise _undecodable()
                at = self._resize(block, at)
                continue
            else:  # 6.2.2 and 6.2.3
                field, at = self._literal(block, at, 0x0F)
            total += len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
            if total > self._list_bytes_max:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header list too large")
            fields.append(field)
        return fields

    def _entry(self, index: int) -> Field:
        """Return the entry at ``index`` of both tables (2.3.3)."""
        if 0 < index <= _STATIC_COUNT:
            return _STATIC[index - 1]
        index -= _STATIC_COUNT
        if 0 < index <= len(self._entries):
            return self._entries[-index]
        raise _undecodable()

    def _literal(self, block: bytes, at: int, mask: int) -> tuple[Field, int]:
        index, at = _integer(block, at, mask)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = self._string(block, at)
        value, at = self._string(block, at)
        return (name, value), at

    def _string(self, block: bytes, at: int) -> tuple[bytes, int]:
        is_coded = block[at] & 0x80
        length, at = _integer(block, at, 0x7F)
        end = at + length
        text = block[at:end]
        if len(text) != length:
            raise _undecodable()
        return (self._decoded(text) if is_coded else text), end

    def _decoded(self, text: bytes) -> bytes:
        plain = self._strings.get(text)
        if plain is None:
            plain = bytes(decode_huffman(text))
            if len(text) <= _STRING_BYTES_MAX:
                if len(self._strings) >= _STRINGS_MAX:
                    self._strings.clear()
                self._strings[text] = plain
        return plain

    def _insert(self, field: Field) -> None:
        self.has_changed = True
        self._size += len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
        self._entries.append(field)
        self._evict()

    def _resize(self, block: bytes, at: int) -> int:
        self.has_changed = True
        self._limit, at = _integer(block, at, 0x1F)
        if self._limit > TABLE_BYTES_MAX:
            raise _undecodable()
        self._evict()
        return at

    def _evict(self) -> None:
        """Drop the oldest entries until the table fits; one larger than the table empties it (4.4)."""
        while self._size > self._limit:
            name, value = self._entries.popleft()
            self._size -= len(name) + len(value) + _ENTRY_OVERHEAD


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Return the integer at ``at`` and where it ends (5.1)."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    shift = 0
    while True:
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > _INTEGER_SHIFT_MAX:
            raise _undecodable()


def _undecodable() -> ConnectionFault:
    """RFC 9113, section 4.3."""
    return ConnectionFault(ErrorCode.COMPRESSION_ERROR, "header block cannot be decoded")
