"""Who is at the other end: both sides say who they are, and either may refuse.

The one that dials says `Hello`; the one that is dialled answers `Welcome`, or a refusal that names its reason.
A guest is a process that is no member yet: its ids are 0, and all it may do is ask.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from fairlead.peer.errors import (
    BusyError,
    ClusterMismatchError,
    HandshakeError,
    PeerDecodeError,
    RemovedError,
    VersionMismatchError,
    WrongMemberError,
)
from fairlead.peer.words import one_line
from fairlead.proto import peer_pb2 as pb

PROTOCOL_VERSION: Final = 1
"""Goes up when a member of the version before could not understand what is said."""

NO_ID: Final = 0
HELLO_BYTES_MAX: Final = 4096
"""No frame of a handshake is longer."""
QUESTION_BYTES_MAX: Final = 64 << 10
"""No question of a guest is longer: nobody knows who it is."""


class StreamKind(IntEnum):
    """What a connection is for."""

    URGENT = 0
    BULK = 1
    GUEST = 2


class Identity(NamedTuple):
    """Who one end is."""

    version: int
    cluster_id: int
    member_id: int


class Hello(NamedTuple):
    """What the one that dials says of itself, and whom it looks for."""

    sender: Identity
    to: int
    stream: StreamKind


# What may be wrong, as it is named on the wire.
_REASONS: Final[dict[type[HandshakeError], pb.Refusal.Reason]] = {
    VersionMismatchError: pb.Refusal.REASON_VERSION,
    ClusterMismatchError: pb.Refusal.REASON_CLUSTER,
    WrongMemberError: pb.Refusal.REASON_MEMBER,
    RemovedError: pb.Refusal.REASON_REMOVED,
    BusyError: pb.Refusal.REASON_BUSY,
}
_ERRORS: Final = {reason: kind for kind, reason in _REASONS.items()}


def encode_hello(hello: Hello) -> bytes:
    """Return the payload of a HELLO."""
    version, cluster_id, member_id = hello.sender
    wire = pb.Hello(
        version=version,
        cluster_id=cluster_id,
        sender=member_id,
        to=hello.to,
        stream=pb.Stream.Name(hello.stream.value),
    )
    return wire.SerializeToString()


def decode_hello(payload: bytes) -> Hello:
    """Read the payload of a HELLO.

    Raises:
        PeerDecodeError: it is none.
    """
    try:
        wire = pb.Hello.FromString(payload)
        stream = StreamKind(wire.stream)
    except (DecodeError, ValueError) as error:
        raise PeerDecodeError("a HELLO that cannot be read") from error
    if stream is not StreamKind.GUEST and wire.sender == NO_ID:
        raise PeerDecodeError("a HELLO of a member without an id")
    return Hello(Identity(wire.version, wire.cluster_id, wire.sender), wire.to, stream)


def check_hello(hello: Hello, ours: Identity, *, is_removed: Callable[[int], bool]) -> None:
    """Refuse one that dials, unless it is a member of our cluster, or a guest, and looks for us.

    Raises:
        HandshakeError: one of its kinds; the text is for the log of the one that dials.
    """
    theirs = hello.sender
    if theirs.version != ours.version:
        raise VersionMismatchError(
            f"member {ours.member_id:x} speaks version {ours.version} of the peer protocol, this one "
            f"{theirs.version}; run the same release on every member"
        )
    if hello.stream is StreamKind.GUEST:
        return
    if theirs.cluster_id != ours.cluster_id:
        raise ClusterMismatchError(
            f"member {ours.member_id:x} belongs to cluster {ours.cluster_id:x}, this one to "
            f"{theirs.cluster_id:x}; check --initial-cluster, --initial-cluster-token and the data directory"
        )
    if is_removed(theirs.member_id):
        raise RemovedError(
            f"member {theirs.member_id:x} was removed from cluster {ours.cluster_id:x}; to bring this machine "
            "back, add it as a new member and start it with an empty data directory"
        )
    if hello.to != ours.member_id:
        raise WrongMemberError(
            f"member {ours.member_id:x} is at this address, not {hello.to:x}; correct the peer URLs by "
            "'etcdctl member update'"
        )


def encode_welcome(ours: Identity) -> bytes:
    """Return the payload of a WELCOME."""
    version, cluster_id, member_id = ours
    wire = pb.Welcome(version=version, cluster_id=cluster_id, member_id=member_id)
    return wire.SerializeToString()


def decode_welcome(payload: bytes) -> Identity:
    """Read the payload of a WELCOME.

    Raises:
        PeerDecodeError: it is none.
    """
    try:
        wire = pb.Welcome.FromString(payload)
    except DecodeError as error:
        raise PeerDecodeError("a WELCOME that cannot be read") from error
    return Identity(wire.version, wire.cluster_id, wire.member_id)


def check_welcome(theirs: Identity, hello: Hello) -> None:
    """Refuse one that was dialled, unless it is whom ``hello`` looked for.

    A member refuses by itself; this holds one that does not to the same rules.

    Raises:
        HandshakeError: one of its kinds.
    """
    ours = hello.sender
    if theirs.version != ours.version:
        raise VersionMismatchError(f"version {theirs.version} of the peer protocol, ours is {ours.version}")
    if hello.stream is StreamKind.GUEST:
        return
    if theirs.cluster_id != ours.cluster_id:
        raise ClusterMismatchError(f"a member of cluster {theirs.cluster_id:x}, ours is {ours.cluster_id:x}")
    if theirs.member_id != hello.to:
        raise WrongMemberError(f"member {theirs.member_id:x} is at this address, not {hello.to:x}")


def encode_refusal(error: HandshakeError) -> bytes:
    """Return the payload of a REFUSAL."""
    wire = pb.Refusal(reason=_REASONS[type(error)], text=one_line(str(error)))
    return wire.SerializeToString()


def decode_refusal(payload: bytes) -> HandshakeError:
    """Return the error that a REFUSAL stands for; of a reason that we do not know, its base.

    Raises:
        PeerDecodeError: it is none.
    """
    try:
        wire = pb.Refusal.FromString(payload)
    except DecodeError as error:
        raise PeerDecodeError("a REFUSAL that cannot be read") from error
    text = one_line(wire.text) or "refused without a reason"
    return _ERRORS.get(wire.reason, HandshakeError)(text)
