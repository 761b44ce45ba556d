"""Member to member: messages, snapshots, and whether the others are there.

Door: `Transport`.  Each member dials every other twice and sends what it has to say over those two connections:
one for what is small and urgent, so that a heartbeat never waits behind megabytes, and one for what is large.
Frames are ours (``frames``), what they hold is protobuf (``fairlead/proto/peer.proto``).  A message is sent once
or not at all, and nobody is told which: Raft lives with losses, and a proposal must not be doubled.  It decides
nothing about consensus, and never waits on a member's behalf.

    frames, handshake, connection    bytes to frames, who is at the other end, whether it is still there; no IO
    codec, transfer                  what messages and snapshots are on the wire, and how much may be under way; no IO
    wire                             one transport of the loop, one connection, one write a turn
    dial, stream, peer, upload       our connections to others
    incoming, download               theirs to us
    guest                            questions of processes that are no members yet
    transport                        the door

Read ``connection`` first, then ``tests/e2e/peer``.
"""

from fairlead.peer.codec import decode_message, encode_message
from fairlead.peer.config import PeerConfig
from fairlead.peer.counters import Counters, PeerCounters
from fairlead.peer.errors import (
    BusyError,
    ClusterMismatchError,
    HandshakeError,
    PeerConfigError,
    PeerDecodeError,
    PeerError,
    PeerListenError,
    PeerSilentError,
    PeerTlsError,
    PeerUnreachableError,
    QuestionRefusedError,
    RemovedError,
    SnapshotRefusedError,
    VersionMismatchError,
    WrongMemberError,
)
from fairlead.peer.guest import ask
from fairlead.peer.handlers import Handlers
from fairlead.peer.handshake import PROTOCOL_VERSION
from fairlead.peer.messages import Call, PeerMessage, Return
from fairlead.peer.tls import PeerTls
from fairlead.peer.transport import Transport

__all__ = [
    "PROTOCOL_VERSION",
    "BusyError",
    "Call",
    "ClusterMismatchError",
    "Counters",
    "Handlers",
    "HandshakeError",
    "PeerConfig",
    "PeerConfigError",
    "PeerCounters",
    "PeerDecodeError",
    "PeerError",
    "PeerListenError",
    "PeerMessage",
    "PeerSilentError",
    "PeerTls",
    "PeerTlsError",
    "PeerUnreachableError",
    "QuestionRefusedError",
    "RemovedError",
    "Return",
    "SnapshotRefusedError",
    "Transport",
    "VersionMismatchError",
    "WrongMemberError",
    "ask",
    "decode_message",
    "encode_message",
]
