"""Where a message body ends: one small decoder per framing (RFC 9112, sections 6 and 7).

A decoder is fed what was received and hands out payload without framing.  The proxy frames anew what it
sends on, so that no byte of a peer's chunk headers or extensions passes through.  Sans-IO.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from fairlead.proxy.errors import ProxyError

if TYPE_CHECKING:
    from fairlead.proxy.headers import Fields

_CHUNK_LINE_BYTES_MAX = 4096
_TRAILER_BYTES_MAX = 8192
# chunk-size [ chunk-ext ] without the bad whitespace that RFC 9112, section 7.1.1 tolerates for others.
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")


class BodyError(ProxyError):
    """The framing of a body is broken; who sent it is known to the caller."""


class Decoder(Protocol):
    """Takes a body apart.  ``ends_at_eof``: the end of the connection is the end of the body."""

    ends_at_eof: bool

    def feed(self, data: bytes, pieces: list[bytes]) -> int:
        """Append the payload in ``data`` to ``pieces``; return where the body ended in it, or -1 for not yet.

        Raises:
            BodyError: the framing is broken.
        """


class Counted:
    """A body of a known length above 0."""

    __slots__ = ("remaining",)
    ends_at_eof = False

    def __init__(self, length: int) -> None:
        self.remaining = length

    def feed(self, data: bytes, pieces: list[bytes]) -> int:
        """See ``Decoder``."""
        remaining = self.remaining
        if len(data) < remaining:
            self.remaining = remaining - len(data)
            pieces.append(data)
            return -1
        self.remaining = 0
        pieces.append(data if len(data) == remaining else data[:remaining])
        return remaining


class UntilClose:
    """A response body that ends with the connection."""

    __slots__ = ()
    ends_at_eof = True

    def feed(self, data: bytes, pieces: list[bytes]) -> int:
        """See ``Decoder``; never ends by itself."""
        pieces.append(data)
        return -1


class Chunked:
    """The chunked coding.  Extensions are checked and dropped.

    Attributes:
        trailers: the fields behind the body, checked line by line; complete once the body has ended.
    """

    __slots__ = ("_line", "_read", "_remaining", "_trailer_bytes", "trailers")
    ends_at_eof = False

    def __init__(self) -> None:
        self._line = b""
        self._remaining = 0
        self._trailer_bytes = 0
        self.trailers: Fields = []
        # One of the methods below, each of which reads one element and names the next.
        self._read = self._read_size

    def feed(self, data: bytes, pieces: list[bytes]) -> int:
        """See ``Decoder``."""
        position = 0
        while position < len(data):
            if self._remaining:
                piece = data[position : position + self._remaining]
                pieces.append(piece)
                position += len(piece)
                self._remaining -= len(piece)
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._line += data[position:]
                if len(self._line) > _CHUNK_LINE_BYTES_MAX:
                    raise BodyError("a chunk line is too long")
                return -1
            line = self._line + data[position : end + 1]
            self._line = b""
            position = end + 1
            if not line.endswith(b"\r\n") or len(line) > _CHUNK_LINE_BYTES_MAX:
                raise BodyError("a chunk line is too long or does not end in CR LF")
            if self._read(line[:-2]):
                return position
        return -1

    def _read_size(self, line: bytes) -> bool:
        found = _CHUNK_LINE.fullmatch(line)
        if found is None:
            raise BodyError("a chunk size is not a hexadecimal number")
        # The pattern admits digits only, so that int() has nothing to be lenient about.
        self._remaining = int(found[1], 16)
        self._read = self._read_end_of_data if self._remaining else self._read_trailer
        return False

    def _read_end_of_data(self, line: bytes) -> bool:
        if line:
            raise BodyError("a chunk is longer than its size")
        self._read = self._read_size
        return False

    def _read_trailer(self, line: bytes) -> bool:
        if not line:
            return True
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _TRAILER_BYTES_MAX or _TRAILER_LINE.fullmatch(line) is None:
            raise BodyError("a trailer is too long or not a field")
        name, _, value = line.partition(b":")
        self.trailers.append((name, value.strip(b" \t")))
        return False


def chunk(pieces: Iterable[bytes]) -> list[bytes]:
    """Return ``pieces`` in the chunked coding, without the last chunk."""
    framed: list[bytes] = []
    for piece in pieces:
        if piece:
            framed += (b"%x\r\n" % len(piece), piece, b"\r\n")
    return framed


LAST_CHUNK = b"0\r\n\r\n"
