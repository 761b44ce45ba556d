"""A snapshot on its way, without IO: what is said about it, how much may be under way, how far it is.

::

    sender                      receiver
      SNAPSHOT_OFFER    --->
                        <---    SNAPSHOT_ACK: how much of this file it has from an earlier attempt
      SNAPSHOT_CHUNK    --->
      SNAPSHOT_CHUNK    --->    (at most a window ahead of what is acknowledged)
                        <---    SNAPSHOT_ACK: how much is written
      ...
                        <---    SNAPSHOT_RESULT: it is whole, proved and on disk; or why not

Acknowledgements are the backpressure: a slow disk at the receiver holds up the sender, and not the other messages
of the stream.
"""

import struct
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from fairlead.peer.codec import decode_message, encode_message
from fairlead.peer.errors import PeerDecodeError
from fairlead.peer.words import one_line
from fairlead.proto import peer_pb2 as pb
from fairlead.raft import InstallSnapshot, Snapshot

_OFFSET: Final = struct.Struct("<Q")
CHUNK_HEAD_BYTES: Final = _OFFSET.size
CHECKSUM_BYTES: Final = 4
"""At the end of every snapshot file."""
_REPORT_EVERY_S: Final = 1.0
_MIB: Final = 1 << 20


def snapshot_name(snapshot: Snapshot) -> str:
    """Return the name of the file of a snapshot, as ``fairlead.wal.save_snapshot`` gives it."""
    return f"{snapshot.term:016x}-{snapshot.index:016x}.snap"


class Offer(NamedTuple):
    """A snapshot that somebody wants to send.

    Attributes:
        message: what it is of.
        size: of the file, in bytes.
        checksum: the file's last four bytes.
    """

    message: InstallSnapshot
    size: int
    checksum: int

    @property
    def name(self) -> str:
        """The name of the file."""
        return snapshot_name(self.message.snapshot)

    @property
    def part_name(self) -> str:
        """The name of its beginning.  Two members' files of one snapshot differ, and must not be mixed."""
        return f"{self.name}.{self.checksum:08x}.part"


def encode_offer(offer: Offer) -> bytes:
    """Return the payload of a SNAPSHOT_OFFER."""
    message = encode_message(offer.message)
    return pb.SnapshotOffer(message=message, size=offer.size, checksum=offer.checksum).SerializeToString()


def decode_offer(payload: bytes) -> Offer:
    """Read the payload of a SNAPSHOT_OFFER.

    Raises:
        PeerDecodeError: it is none.
    """
    try:
        wire = pb.SnapshotOffer.FromString(payload)
    except DecodeError as error:
        raise PeerDecodeError("a SNAPSHOT_OFFER that cannot be read") from error
    message = decode_message(wire.message)
    if not isinstance(message, InstallSnapshot):
        raise PeerDecodeError(f"a SNAPSHOT_OFFER of {type(message).__name__}")
    return Offer(message, wire.size, wire.checksum)


def encode_chunk(offset: int, data: bytes) -> bytes:
    """Return the payload of a SNAPSHOT_CHUNK; its checksum is the frame's."""
    return _OFFSET.pack(offset) + data


def decode_chunk(payload: bytes) -> tuple[int, bytes]:
    """Return the offset and the data of a SNAPSHOT_CHUNK.

    Raises:
        PeerDecodeError: it is none.
    """
    if len(payload) <= CHUNK_HEAD_BYTES:
        raise PeerDecodeError("a SNAPSHOT_CHUNK with nothing in it")
    return _OFFSET.unpack_from(payload)[0], payload[CHUNK_HEAD_BYTES:]


def encode_ack(offset: int) -> bytes:
    """Return the payload of a SNAPSHOT_ACK."""
    return pb.SnapshotAck(offset=offset).SerializeToString()


def decode_ack(payload: bytes) -> int:
    """Return how much of the file the receiver has.

    Raises:
        PeerDecodeError: it is no SNAPSHOT_ACK.
    """
    try:
        return pb.SnapshotAck.FromString(payload).offset
    except DecodeError as error:
        raise PeerDecodeError("a SNAPSHOT_ACK that cannot be read") from error


def encode_result(error: str) -> bytes:
    """Return the payload of a SNAPSHOT_RESULT; without an error the snapshot was taken."""
    return pb.SnapshotResult(error=one_line(error)).SerializeToString()


def decode_result(payload: bytes) -> str:
    """Return why a snapshot was not taken; empty: it was.

    Raises:
        PeerDecodeError: it is no SNAPSHOT_RESULT.
    """
    try:
        wire = pb.SnapshotResult.FromString(payload)
    except DecodeError as error:
        raise PeerDecodeError("a SNAPSHOT_RESULT that cannot be read") from error
    return one_line(wire.error)


class Window:
    """How much of a file is sent and acknowledged, at the sender.

    Args:
        size: of the file.
        offset: where to begin: what the receiver has.
        chunk_bytes: at most so much at a time.
        window_bytes: at most so much unacknowledged.
    """

    def __init__(self, size: int, offset: int, *, chunk_bytes: int, window_bytes: int) -> None:
        if offset > size:
            raise PeerDecodeError(f"the receiver has {offset} bytes of a snapshot of {size}")
        self.size = size
        self.acked = offset
        self._sent = offset
        self._chunk_bytes = chunk_bytes
        self._window_bytes = window_bytes

    def __repr__(self) -> str:
        return f"<Window acked={self.acked} sent={self._sent} of {self.size}>"

    def next_chunk(self) -> tuple[int, int] | None:
        """Return offset and length of what to send next; None: nothing may be sent now."""
        room = self._window_bytes - (self._sent - self.acked)
        length = min(self._chunk_bytes, self.size - self._sent)
        if length == 0 or length > room:
            return None
        offset = self._sent
        self._sent += length
        return offset, length

    def acknowledge(self, offset: int) -> None:
        """Learn how much the receiver has.

        Raises:
            PeerDecodeError: it cannot have that.
        """
        if not self.acked <= offset <= self._sent:
            raise PeerDecodeError(f"{offset} bytes acknowledged, of {self.acked} to {self._sent} on the way")
        self.acked = offset


class Progress:
    """When to say how far a transfer is: at each tenth, and not more than once a second.

    Args:
        size: of the whole, in bytes.
        offset: what was there before.
        now_s: when it begins.
    """

    def __init__(self, size: int, offset: int, *, now_s: float) -> None:
        self._size = size
        self._first = offset
        self._first_s = now_s
        self._said_tenth = self._tenth(offset)
        self._said_s = now_s

    def is_due(self, offset: int, *, now_s: float) -> bool:
        """Return whether to say how far it is, with so much done."""
        if self._tenth(offset) <= self._said_tenth or now_s - self._said_s < _REPORT_EVERY_S:
            return False
        self._said_tenth, self._said_s = self._tenth(offset), now_s
        return True

    def describe(self, offset: int, *, now_s: float) -> dict[str, object]:
        """Return how far it is, for the log."""
        took_s = max(now_s - self._first_s, 1e-6)
        return {
            "percent": offset * 100 // max(self._size, 1),
            "bytes": offset,
            "size_bytes": self._size,
            "mib_per_s": round((offset - self._first) / took_s / _MIB, 1),
        }

    def _tenth(self, offset: int) -> int:
        return offset * 10 // max(self._size, 1)
