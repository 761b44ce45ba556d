"""The shapes of HTTP/2: frame kinds, flags, settings, error codes, and how a frame is packed.

Source: RFC 9113, sections 4, 6 and 7.  Kinds and flags are plain integers, since the hot loop compares them.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES: Final = 9
FRAME_BYTES_MIN: Final = 16_384
"""The smallest limit of a frame's payload that a peer may set, and the default."""
FRAME_BYTES_MAX: Final = 16_777_215
WINDOW_DEFAULT: Final = 65_535
WINDOW_MAX: Final = 2_147_483_647
STREAM_ID_MASK: Final = 0x7FFF_FFFF

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY_FLAG: Final = 0x20

HEADER: Final = struct.Struct(">IBI")
"""Length (24 bits) and kind (8 bits) as one number, flags, stream id."""
WORD: Final = struct.Struct(">I")
_SETTING: Final = struct.Struct(">HI")
_PAIR: Final = struct.Struct(">II")


class ErrorCode(IntEnum):
    """RFC 9113, section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Setting(IntEnum):
    """RFC 9113, section 6.5.2."""

    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


SETTINGS_ACK: Final = HEADER.pack(SETTINGS, ACK, 0)


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return one whole frame."""
    return HEADER.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    """Return a SETTINGS frame (section 6.5)."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in values))


def setting_pairs(payload: bytes) -> Iterable[tuple[int, int]]:
    """Return the (identifier, value) pairs of a SETTINGS payload, whose length is a multiple of six."""
    return _SETTING.iter_unpack(payload)


def rst_stream(stream_id: int, code: int) -> bytes:
    """Return a RST_STREAM frame (section 6.4)."""
    return frame(RST_STREAM, 0, stream_id, WORD.pack(code))


def window_update(stream_id: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame (section 6.9)."""
    return frame(WINDOW_UPDATE, 0, stream_id, WORD.pack(increment))


def goaway(last_stream_id: int, code: int, reason: str = "") -> bytes:
    """Return a GOAWAY frame with ``reason`` as its debug data (section 6.8)."""
    return frame(GOAWAY, 0, 0, _PAIR.pack(last_stream_id, code) + reason.encode("utf-8", "replace"))


def header_frames(stream_id: int, block: bytes, *, end_stream: bool, frame_bytes_max: int) -> bytes:
    """Return ``block`` as HEADERS, and as many CONTINUATIONs as the peer's frame limit asks for."""
    flags = END_STREAM if end_stream else 0
    if len(block) <= frame_bytes_max:
        return frame(HEADERS, flags | END_HEADERS, stream_id, block)
    pieces = [block[at : at + frame_bytes_max] for at in range(0, len(block), frame_bytes_max)]
    middle = [frame(CONTINUATION, 0, stream_id, piece) for piece in pieces[1:-1]]
    return b"".join(
        [
            frame(HEADERS, flags, stream_id, pieces[0]),
            *middle,
            frame(CONTINUATION, END_HEADERS, stream_id, pieces[-1]),
        ]
    )
