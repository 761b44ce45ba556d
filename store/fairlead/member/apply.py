"""Applying committed entries: every member does this alike, and nothing else changes the state."""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google_crc32c import extend as extend_crc

from fairlead.lease import LeaseError
from fairlead.member.cluster import Cluster, MembershipChange
from fairlead.member.configurations import save_configuration
from fairlead.member.errors import MemberError
from fairlead.member.machine import (
    ALARM,
    ATTRIBUTES,
    COMPACTION,
    DELETE_RANGE,
    LEASE_GRANT,
    LEASE_REVOKE,
    PUT,
    TXN,
    URLS,
    Machine,
)
from fairlead.member.pending import Pending
from fairlead.member.responses import varint
from fairlead.mvcc import MvccError
from fairlead.proto import command_pb2
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import Entry, EntryKind, decode_configuration

_ID_TAG = b"\x09"  # field 1, 64 bits
_ID_BYTES = 9
_REFUSALS = (MemberError, MvccError, LeaseError)
_CONFIGURATION = EntryKind.CONFIGURATION.value
_PARSERS: Mapping[int, Callable[[bytes], Any]] = {
    PUT: pb.PutRequest.FromString,
    DELETE_RANGE: pb.DeleteRangeRequest.FromString,
    TXN: pb.TxnRequest.FromString,
    COMPACTION: pb.CompactionRequest.FromString,
    LEASE_GRANT: pb.LeaseGrantRequest.FromString,
    LEASE_REVOKE: pb.LeaseRevokeRequest.FromString,
    ALARM: pb.AlarmRequest.FromString,
    ATTRIBUTES: command_pb2.MemberAttributes.FromString,
    URLS: command_pb2.MemberUrls.FromString,
}


def encode_command(command_id: int, kind: int, payload: bytes) -> bytes:
    """Return a ``fairleadpb.Command``, whose request is encoded already: on the hot path nothing is encoded twice."""
    head = struct.pack("<cQB", _ID_TAG, command_id, kind << 3 | 2)
    return b"".join((head, varint(len(payload)), payload))


def decode_command(data: bytes) -> tuple[int, Any]:
    """Return the number of a command's field in ``fairleadpb.Command``, and its request.

    The id comes first and the request behind it, because that is how ``encode_command`` writes them: no need to
    let protobuf find it out for each entry.
    """
    kind = data[_ID_BYTES] >> 3
    start = _ID_BYTES + 1
    while data[start] & 0x80:
        start += 1
    parser = _PARSERS.get(kind)
    assert parser is not None, f"a command of a newer Fairlead ({kind}): upgrade this member"
    return kind, parser(data[start + 1 :])


class Applier:
    """The last applied entry, and the way to the next.

    Attributes:
        index, term: of the last applied entry.
        state_hash: CRC32-C over all commands applied so far.
        refused_total: commands of others that were refused: whoever proposed them has been told, there and then.
    """

    __slots__ = ("_cluster", "_machine", "_pending", "index", "refused_total", "state_hash", "term")

    def __init__(self, machine: Machine, cluster: Cluster, pending: Pending) -> None:
        self._machine = machine
        self._cluster = cluster
        self._pending = pending
        self.index = self.term = self.state_hash = 0
        self.refused_total = 0

    def begin_at(self, *, index: int, term: int, state_hash: int) -> None:
        """Go on behind an entry whose effects are there already."""
        self.index, self.term, self.state_hash = index, term, state_hash

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply committed entries in order, and answer who waits for them."""
        for term, index, data, kind in entries:
            assert index == self.index + 1, f"entry {index} after {self.index}"
            if kind == _CONFIGURATION:
                self._apply_configuration(index, data)
            elif data:
                self.state_hash = extend_crc(self.state_hash, data)
                self._apply_command(data)
            self.index = index
            self.term = term

    def _apply_command(self, data: bytes) -> None:
        proposal = self._pending.take(int.from_bytes(data[1:_ID_BYTES], "little"))
        if proposal is None:
            kind, request = decode_command(data)
            try:
                self._machine.apply(kind, request)
            except _REFUSALS:
                self.refused_total += 1
            return
        try:
            result: bytes | Exception = self._machine.apply(proposal.kind, proposal.request)
        except _REFUSALS as error:
            result = error
        proposal.reply(result)

    def _apply_configuration(self, index: int, data: bytes) -> None:
        configuration, context = decode_configuration(data)
        save_configuration(self._machine.backend, index, configuration)
        if not context:
            return
        request_id, change = MembershipChange.decode(context)
        self._cluster.apply(change)
        proposal = self._pending.take(request_id)
        if proposal is not None:
            proposal.reply(b"")
