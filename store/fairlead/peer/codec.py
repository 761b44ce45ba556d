"""Messages to bytes and back: protobuf, in the shape of ``peer.proto``.

The hot one is AppendEntries.  Its entries are encoded once for all followers (see `EntriesCache`) and stand by
column, so that neither side spends a protobuf object on an entry.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from itertools import count, repeat
from typing import Any, Final

from google.protobuf.message import DecodeError

from fairlead.peer.errors import PeerDecodeError
from fairlead.peer.messages import Call, PeerMessage, Return
from fairlead.proto import peer_pb2 as pb
from fairlead.raft import (
    AppendEntries,
    AppendReply,
    Entry,
    EntryKind,
    Forward,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    ReadReply,
    ReadRequest,
    RequestVote,
    Snapshot,
    TimeoutNow,
    VoteReply,
    decode_configuration,
    encode_configuration,
)

# What Entry._make does, without a call of Python for each.
_new_entry: Final[Callable[[tuple[int, int, bytes, EntryKind]], Entry]] = partial(tuple.__new__, Entry)

EntriesCache = dict[tuple[int, int, int], bytes]
"""Encoded entries by first index, last index and last term.

In one cluster these name the entries (Raft, section 5.3: the Log Matching Property).  A cache must not outlive
one batch of messages of one member: nothing is ever taken out.
"""


def encode_message(message: PeerMessage, cache: EntriesCache | None = None) -> bytes:
    """Return ``message`` as bytes; entries that are in ``cache`` are not encoded again."""
    if type(message) is AppendEntries:
        body = pb.AppendEntries(
            prev_index=message.prev_index, prev_term=message.prev_term, commit=message.commit
        )
        head = pb.PeerMessage(
            to=message.to, sender=message.sender, term=message.term, append_entries=body
        ).SerializeToString()
        return head + _encode_entries(message.entries, cache) if message.entries else head
    if type(message) is InstallSnapshot:
        return _encode_install_snapshot(message).SerializeToString()
    return _encode_plain(message).SerializeToString()


def decode_message(data: bytes) -> PeerMessage:
    """Return the message that ``data`` is.

    Raises:
        PeerDecodeError: it is none.
    """
    try:
        wire = pb.PeerMessage.FromString(data)
    except DecodeError as error:
        raise PeerDecodeError(f"{len(data)} bytes are no message") from error
    body = wire.WhichOneof("body")
    if body is None:
        raise PeerDecodeError("a message of a kind that this version does not know")
    if body == "append_entries":
        return _decode_append_entries(wire)
    if body == "install_snapshot":
        return _decode_install_snapshot(wire)
    return _decode_plain(wire, body)


# ---- entries ----


def _encode_entries(entries: Sequence[Entry], cache: EntriesCache | None) -> bytes:
    first, last = entries[0], entries[-1]
    key = (first.index, last.index, last.term)
    if cache is not None and key in cache:
        return cache[key]
    terms, _, data, kinds = zip(*entries, strict=True)
    # Terms never fall along a log: where the ends agree, so does everything between.
    wire = pb.Entries(
        first_index=first.index, terms=terms[:1] if first.term == last.term else terms, data=data
    )
    if kinds.count(EntryKind.COMMAND) < len(kinds):
        wire.configurations.extend(at for at, kind in enumerate(kinds) if kind != EntryKind.COMMAND)
    # Serialized inside a message that has nothing else: the bytes of that one field, ready to be put behind others.
    encoded = pb.PeerMessage(entries=wire).SerializeToString()
    if cache is not None:
        cache[key] = encoded
    return encoded


def _decode_entries(wire: pb.Entries) -> list[Entry]:
    data, terms = list(wire.data), list(wire.terms)
    if len(terms) == 1:
        terms *= len(data)
    if len(terms) != len(data):
        raise PeerDecodeError(f"{len(data)} entries with {len(terms)} terms")
    columns = zip(terms, count(wire.first_index), data, repeat(EntryKind.COMMAND), strict=False)
    entries = list(map(_new_entry, columns))
    for at in wire.configurations:
        if at >= len(entries):
            raise PeerDecodeError(f"configuration {at} of {len(entries)} entries")
        entries[at] = entries[at]._replace(kind=EntryKind.CONFIGURATION)
    return entries


def _decode_append_entries(wire: pb.PeerMessage) -> AppendEntries:
    body = wire.append_entries
    return AppendEntries(
        to=wire.to,
        sender=wire.sender,
        term=wire.term,
        prev_index=body.prev_index,
        prev_term=body.prev_term,
        commit=body.commit,
        entries=_decode_entries(wire.entries) if wire.HasField("entries") else [],
    )


# ---- a snapshot, by name ----


def _encode_install_snapshot(message: InstallSnapshot) -> pb.PeerMessage:
    index, term, configuration = message.snapshot
    body = pb.InstallSnapshot(index=index, term=term, configuration=encode_configuration(configuration))
    return pb.PeerMessage(to=message.to, sender=message.sender, term=message.term, install_snapshot=body)


def _decode_install_snapshot(wire: pb.PeerMessage) -> InstallSnapshot:
    body = wire.install_snapshot
    try:
        configuration, context = decode_configuration(body.configuration)
    except ValueError as error:
        raise PeerDecodeError(f"the configuration in a snapshot: {error}") from error
    if context:
        raise PeerDecodeError("the configuration in a snapshot has bytes behind it")
    snapshot = Snapshot(body.index, body.term, configuration)
    return InstallSnapshot(to=wire.to, sender=wire.sender, term=wire.term, snapshot=snapshot)


# ---- all others have on the wire the fields that they have in memory ----

_BODIES: Final[dict[type[Any], tuple[str, type[Any]]]] = {
    RequestVote: ("request_vote", pb.RequestVote),
    VoteReply: ("vote_reply", pb.VoteReply),
    AppendReply: ("append_reply", pb.AppendReply),
    Heartbeat: ("heartbeat", pb.Heartbeat),
    HeartbeatReply: ("heartbeat_reply", pb.HeartbeatReply),
    TimeoutNow: ("timeout_now", pb.TimeoutNow),
    Forward: ("forward", pb.Forward),
    ReadRequest: ("read_request", pb.ReadRequest),
    ReadReply: ("read_reply", pb.ReadReply),
    Call: ("call", pb.Call),
    Return: ("returned", pb.Return),
}
_KINDS: Final = {name: kind for kind, (name, _) in _BODIES.items()}
_ENVELOPE: Final = frozenset({"to", "sender", "term"})
_FIELDS: Final = {
    kind: (
        [field.name for field in fields(kind) if field.name in _ENVELOPE],
        [field.name for field in fields(kind) if field.name not in _ENVELOPE],
    )
    for kind in _BODIES
}


def _encode_plain(message: PeerMessage) -> pb.PeerMessage:
    kind = type(message)
    name, wire_kind = _BODIES[kind]
    envelope, body = _FIELDS[kind]
    values = {field: getattr(message, field) for field in envelope}
    values[name] = wire_kind(**{field: getattr(message, field) for field in body})
    return pb.PeerMessage(**values)


def _decode_plain(wire: pb.PeerMessage, name: str) -> PeerMessage:
    kind = _KINDS[name]
    envelope, body = _FIELDS[kind]
    values = {field: getattr(wire, field) for field in envelope}
    wire_body = getattr(wire, name)
    for field in body:
        values[field] = getattr(wire_body, field)
    if kind is Forward:
        values["proposals"] = list(values["proposals"])
    message: PeerMessage = kind(**values)
    return message
