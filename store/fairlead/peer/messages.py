"""What travels between members beside Raft's own messages: questions of one member to another."""

from dataclasses import dataclass

from fairlead.raft import AppendEntries, Forward, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A question that ``sender`` expects a `Return` for, with the same id."""

    to: int
    sender: int
    id: int
    method: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """The answer to a `Call`; ``error`` is empty, or says why there is none."""

    to: int
    sender: int
    id: int
    payload: bytes
    error: str = ""


PeerMessage = Message | Call | Return


def is_bulk(message: PeerMessage) -> bool:
    """Return whether the message may be large, so that nothing urgent may wait behind it."""
    kind = type(message)
    return kind is Forward or (kind is AppendEntries and bool(message.entries))  # type: ignore[union-attr]
