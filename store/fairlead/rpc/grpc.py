"""gRPC's own framing on top of a stream: messages, timeouts, compression, and the constant header blocks.

Source: the gRPC project, "gRPC over HTTP2" and "Compression"; texts of errors are grpc-go's, since clients
and dashboards match on them.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from fairlead.http2 import encoded
from fairlead.http2.frames import END_HEADERS, END_STREAM, HEADERS
from fairlead.rpc.codes import Code, percent_encoded
from fairlead.rpc.errors import RpcError

if TYPE_CHECKING:
    from fairlead.http2 import Field

PREFIX: Final = struct.Struct(">BI")
"""Compressed-Flag and Message-Length."""
PREFIX_BYTES: Final = PREFIX.size

_TIMEOUT: Final = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNIT_S: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
# RFC 1952 with its header and trailer; 32 would accept zlib's too.
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS

HEAD_BLOCK: Final = encoded(
    [
        (b":status", b"200"),
        (b"content-type", b"application/grpc"),
        (b"grpc-accept-encoding", b"identity,gzip"),
    ]
)
"""The header block before the first message of any answer."""
OK_BLOCK: Final = encoded([(b"grpc-status", b"0")])
"""The trailers of a call that went well."""

# A whole unary answer but for its message, in two packs: HEADERS and the start of DATA; HEADERS.
_UNARY_START: Final = struct.Struct(f">IBI{len(HEAD_BLOCK)}sIBIBI")
_UNARY_END: Final = struct.Struct(f">IBI{len(OK_BLOCK)}s")
_HEAD_WORD: Final = len(HEAD_BLOCK) << 8 | HEADERS
_OK_WORD: Final = len(OK_BLOCK) << 8 | HEADERS

Decompress = Callable[[bytes, int], bytes]
"""From compressed bytes and the greatest length allowed to plain ones; raises RpcError."""


def unary_frames(
    stream_id: int,
    message: bytes,
    size: int,
    *,
    start: Callable[..., bytes] = _UNARY_START.pack,
    end: Callable[..., bytes] = _UNARY_END.pack,
) -> tuple[bytes, bytes, bytes]:
    """Return the frames of a successful unary answer; ``size`` is the message's with its prefix."""
    return (
        start(
            _HEAD_WORD, END_HEADERS, stream_id, HEAD_BLOCK, size << 8, 0, stream_id, 0, size - PREFIX_BYTES
        ),
        message,
        end(_OK_WORD, END_HEADERS | END_STREAM, stream_id, OK_BLOCK),
    )


def trailer_block(
    code: Code, detail: str, trailers: Iterable[tuple[str, str]] = (), *, has_head: bool
) -> bytes:
    """Return the block that ends a call: trailers, or a whole Trailers-Only head where none was sent."""
    fields: list[Field] = [(b"grpc-status", b"%d" % code)]
    if detail:
        fields.append((b"grpc-message", percent_encoded(detail)))
    fields += [(name.encode("ascii"), value.encode("latin-1")) for name, value in trailers]
    return encoded(fields) if has_head else HEAD_BLOCK + encoded(fields)


def parsed_timeout(text: str) -> float:
    """Return the seconds that a grpc-timeout means.

    Raises:
        RpcError: INTERNAL, it is none.
    """
    found = _TIMEOUT.fullmatch(text)
    if found is None:
        raise RpcError(Code.INTERNAL, f"malformed grpc-timeout: {text[:32]!r}")
    return int(found[1]) * _UNIT_S[found[2]]


def decompress_for(encoding: str | None) -> Decompress:
    """Return what undoes ``encoding``, a grpc-encoding (None: identity).

    Raises:
        RpcError: UNIMPLEMENTED, nobody here knows it.
    """
    if encoding is None or encoding == "identity":
        return _refuse_compressed
    if encoding == "gzip":
        return _gunzip
    raise RpcError(
        Code.UNIMPLEMENTED, f'grpc: Decompressor is not installed for grpc-encoding "{encoding[:64]}"'
    )


def _refuse_compressed(_: bytes, __: int) -> bytes:
    raise RpcError(Code.INTERNAL, "grpc: compressed flag set with identity or empty encoding")


def _gunzip(data: bytes, bytes_max: int) -> bytes:
    """Return the plain bytes; a bomb costs no more memory than the largest message."""
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = stream.decompress(data, bytes_max + 1)
    except zlib.error as error:
        raise RpcError(Code.INTERNAL, "grpc: failed to decompress the received message") from error
    if len(plain) > bytes_max:
        raise RpcError(
            Code.RESOURCE_EXHAUSTED,
            f"grpc: received message after decompression larger than max {bytes_max}",
        )
    if not stream.eof or stream.unused_data:
        raise RpcError(Code.INTERNAL, "grpc: failed to decompress the received message")
    return plain


class Deframer:
    """Cuts what arrives on one stream into messages.

    Args:
        bytes_max: the greatest message allowed, before and after decompression.
        decompress: undoes the call's grpc-encoding.
    """

    __slots__ = ("_buffer", "_bytes_max", "_decompress")

    def __init__(self, bytes_max: int, decompress: Decompress) -> None:
        self._bytes_max = bytes_max
        self._decompress = decompress
        self._buffer = bytearray()

    @property
    def held_bytes(self) -> int:
        """Bytes of a message that is not complete."""
        return len(self._buffer)

    def feed(self, payload: bytes) -> list[bytes]:
        """Return the messages that ``payload`` completes.

        Raises:
            RpcError: a message is too large, or its compression is not as announced.
        """
        buffer = self._buffer
        buffer += payload
        messages = []
        at = 0
        while len(buffer) - at >= PREFIX_BYTES:
            flag, length = PREFIX.unpack_from(buffer, at)
            if length > self._bytes_max:
                raise RpcError(
                    Code.RESOURCE_EXHAUSTED,
                    f"grpc: received message larger than max ({length} vs. {self._bytes_max})",
                )
            stop = at + PREFIX_BYTES + length
            if len(buffer) < stop:
                break
            body = bytes(memoryview(buffer)[at + PREFIX_BYTES : stop])
            messages.append(self._plain(flag, body))
            at = stop
        del buffer[:at]
        return messages

    def _plain(self, flag: int, body: bytes) -> bytes:
        if flag == 0:
            return body
        if flag == 1:
            return self._decompress(body, self._bytes_max)
        raise RpcError(Code.INTERNAL, f"grpc: received unexpected payload format {flag}")
