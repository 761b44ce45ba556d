"""Frames: what a connection between two members is cut into.

A connection begins, in both directions, with `MAGIC`.  Then come frames, little-endian:

    length u32      of the payload
    crc u32         CRC32-C of kind and payload
    kind u8         see `FrameKind`
    payload         length bytes

TCP's checksum lets one damaged segment in some ten thousand pass; what is damaged here would be in the log of
a majority, under a checksum of its own, for ever.
"""

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Final

import google_crc32c

from fairlead.peer.errors import PeerDecodeError

MAGIC: Final = b"FLPEER\r\n"
"""An HTTP client, or a member of etcd, is told apart by its first bytes."""

_TLS_RECORDS: Final = {b"\x15\x03", b"\x16\x03"}  # RFC 8446, section 5.1: an alert, a handshake
_extend_crc: Callable[[int, bytes], int] = google_crc32c.extend
_HEADER: Final = struct.Struct("<IIB")
HEADER_BYTES: Final = _HEADER.size


class FrameKind(IntEnum):
    """What a payload is."""

    HELLO = 1
    WELCOME = 2
    REFUSAL = 3
    PING = 4
    PONG = 5
    MESSAGE = 6
    SNAPSHOT_OFFER = 7
    SNAPSHOT_CHUNK = 8
    SNAPSHOT_ACK = 9
    SNAPSHOT_RESULT = 10
    QUESTION = 11
    ANSWER = 12


_KINDS: Final = {kind.value: kind for kind in FrameKind}


def encode_frame(kind: FrameKind, payload: bytes) -> bytes:
    """Return one frame."""
    # The kind goes in as what the checksum starts from, which spares a copy of the payload.
    return _HEADER.pack(len(payload), _extend_crc(kind, payload), kind) + payload


class FrameReader:
    """Cuts a stream of bytes into frames.

    Args:
        payload_bytes_max: a longer frame is refused before it is read; may be changed at any time.
    """

    __slots__ = ("_has_magic", "_held", "_held_bytes", "_wanted_bytes", "payload_bytes_max")

    def __init__(self, payload_bytes_max: int) -> None:
        self.payload_bytes_max = payload_bytes_max
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._wanted_bytes = len(MAGIC)
        self._has_magic = False

    def __repr__(self) -> str:
        return f"<FrameReader holds {self._held_bytes} of {self._wanted_bytes} bytes>"

    def feed(self, data: bytes) -> list[tuple[FrameKind, bytes]]:
        """Take what came in; return the frames that are whole now.

        Raises:
            PeerDecodeError: this is no stream of frames; the reader is of no further use.
        """
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes < self._wanted_bytes:
            return []
        if len(self._held) > 1:
            data = b"".join(self._held)
        offset = 0 if self._has_magic else self._skip_magic(data)
        frames, offset = self._cut(data, offset)
        self._held = [data[offset:]]
        self._held_bytes = len(data) - offset
        return frames

    def _skip_magic(self, data: bytes) -> int:
        if not data.startswith(MAGIC):
            if data[:2] in _TLS_RECORDS:
                raise PeerDecodeError("it speaks TLS and we do not; make the peer URLs of both https or http")
            raise PeerDecodeError(f"it begins with {data[:16]!r}, which no member of Fairlead does")
        self._has_magic = True
        return len(MAGIC)

    def _cut(self, data: bytes, offset: int) -> tuple[list[tuple[FrameKind, bytes]], int]:
        """Return the frames from ``offset`` on, and where the first that is not whole begins."""
        frames: list[tuple[FrameKind, bytes]] = []
        self._wanted_bytes = HEADER_BYTES
        while len(data) - offset >= HEADER_BYTES:
            length, crc, kind = _HEADER.unpack_from(data, offset)
            if length > self.payload_bytes_max:
                raise PeerDecodeError(f"a frame of {length} bytes, more than {self.payload_bytes_max}")
            end = offset + HEADER_BYTES + length
            if end > len(data):
                self._wanted_bytes = end - offset
                break
            payload = data[offset + HEADER_BYTES : end]
            if _extend_crc(kind, payload) != crc:
                raise PeerDecodeError(f"the checksum of a frame of {length} bytes does not match")
            if kind not in _KINDS:
                raise PeerDecodeError(f"a frame of the unknown kind {kind}")
            frames.append((_KINDS[kind], payload))
            offset = end
        return frames, offset
