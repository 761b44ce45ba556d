"""Who belongs to the cluster: names, addresses and roles, and everybody who has left.

The registry is part of the replicated state: it changes by committed entries only, alike on every member, and is
kept in two tables of the database.  Whom the consensus core counts is decided by the log itself, from the moment a
configuration stands in it (Raft, section 6); the registry follows when the entry is applied.  Whether a change
is wise is asked before, in ``reconfigure``.

A voter that was added begins as a learner, *joining*: see ``docs/decisions/0003``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType

from fairlead.member.errors import MemberNotFoundError, PeerUrlExistsError
from fairlead.mvcc import Backend, BucketName
from fairlead.proto import command_pb2
from fairlead.proto import rpc_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMember:
    """One member of the cluster.

    Attributes:
        id: above 0, and never given twice in one cluster.
        peer_urls: where the other members reach it.
        name: its own name; empty until it has started once.
        client_urls: where clients reach it, as it says itself.
        is_learner: it gets the log, and neither votes nor counts.
        is_joining: a learner that becomes a voter as soon as it has caught up.
    """

    id: int
    peer_urls: tuple[str, ...]
    name: str = ""
    client_urls: tuple[str, ...] = ()
    is_learner: bool = False
    is_joining: bool = False

    @property
    def is_started(self) -> bool:
        """Whether it has ever said who it is."""
        return bool(self.name)

    @property
    def is_voter_to_be(self) -> bool:
        """Whether it votes, or will without being asked again."""
        return not self.is_learner or self.is_joining

    def to_proto(self) -> pb.Member:
        """Return the message that clients are sent."""
        return pb.Member(
            ID=self.id,
            name=self.name,
            peerURLs=self.peer_urls,
            clientURLs=self.client_urls,
            isLearner=self.is_learner,
        )

    @classmethod
    def from_proto(cls, member: pb.Member, *, is_joining: bool = False) -> "ClusterMember":
        """The inverse of ``to_proto``, which does not tell who is joining."""
        return cls(
            id=member.ID,
            peer_urls=tuple(member.peerURLs),
            name=member.name,
            client_urls=tuple(member.clientURLs),
            is_learner=member.isLearner,
            is_joining=is_joining,
        )


class MembershipChangeKind(IntEnum):
    """What becomes of a member; the numbers are those of ``fairleadpb.MembershipChange``."""

    ADD = 0
    ADD_LEARNER = 1
    PROMOTE = 2
    REMOVE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipChange:
    """A change of the members, as it rides on an entry that changes the configuration.

    Attributes:
        kind: what becomes of the member.
        member_id: whose.
        peer_urls: of a member that is added.
    """

    kind: MembershipChangeKind
    member_id: int
    peer_urls: tuple[str, ...] = ()

    def encode(self, request_id: int = 0) -> bytes:
        """Return the context of a configuration entry; ``request_id`` finds the waiting client."""
        member = pb.Member(ID=self.member_id, peerURLs=self.peer_urls)
        message = command_pb2.MembershipChange(id=request_id, kind=self.kind.name, member=member)
        return message.SerializeToString()

    @classmethod
    def decode(cls, data: bytes) -> "tuple[int, MembershipChange]":
        """Return the request id and the change in a configuration entry's context.

        Raises:
            google.protobuf.message.DecodeError: the bytes are none.
            ValueError: a kind that a newer Fairlead has.
        """
        message = command_pb2.MembershipChange.FromString(data)
        change = cls(
            kind=MembershipChangeKind(message.kind),
            member_id=message.member.ID,
            peer_urls=tuple(message.member.peerURLs),
        )
        return message.id, change


class Cluster:
    """The registry.  Made empty; ``load`` or ``bootstrap`` fills it.

    Attributes:
        removed: ids that were members; they never come back.
    """

    __slots__ = ("_backend", "_members", "removed")

    def __init__(self) -> None:
        self.removed: set[int] = set()
        self._members: dict[int, ClusterMember] = {}
        self._backend: Backend | None = None

    def __repr__(self) -> str:
        ids = " ".join(f"{member_id:x}" for member_id in self._members)
        return f"<Cluster {ids}>"

    # ---- reading ----

    @property
    def members(self) -> Mapping[int, ClusterMember]:
        """Everybody who belongs, by id, in the order of ids."""
        return MappingProxyType(self._members)

    @property
    def voters(self) -> frozenset[int]:
        """Ids of those who vote."""
        return frozenset(m.id for m in self._members.values() if not m.is_learner)

    @property
    def learners(self) -> frozenset[int]:
        """Ids of those who only listen, joining ones included."""
        return frozenset(m.id for m in self._members.values() if m.is_learner)

    @property
    def joining(self) -> frozenset[int]:
        """Ids of those whom the leader has to promote."""
        return frozenset(m.id for m in self._members.values() if m.is_joining)

    def peer_urls(self, *, but: int) -> dict[int, tuple[str, ...]]:
        """Return where all but one member are reached: what a transport is told."""
        return {m.id: m.peer_urls for m in self._members.values() if m.id != but}

    def check_urls(self, member_id: int, peer_urls: Iterable[str]) -> None:
        """Refuse peer URLs that belong to anybody but ``member_id``.

        Raises:
            PeerUrlExistsError: one of them does.
        """
        taken = {url for m in self._members.values() if m.id != member_id for url in m.peer_urls}
        if not taken.isdisjoint(peer_urls):
            raise PeerUrlExistsError

    # ---- the database ----

    def load(self, backend: Backend) -> None:
        """Read the registry from a database: at the start, and again after a snapshot has replaced it."""
        self._backend = backend
        self.removed = {int.from_bytes(key) for key, _ in backend.items(BucketName.MEMBERS_REMOVED)}
        self._members = {}
        for key, value in backend.items(BucketName.MEMBERS):
            record = command_pb2.MemberRecord.FromString(value)
            self._members[int.from_bytes(key)] = ClusterMember.from_proto(
                record.member, is_joining=record.is_joining
            )

    def bootstrap(self, members: Iterable[ClusterMember]) -> None:
        """Write the members that a cluster, or this member's knowledge of it, begins with.

        No entry of the log says who they are: the database must have them durably before the log exists.
        """
        for member in members:
            self._put(member)

    # ---- changing, by committed entries ----

    def apply(self, change: MembershipChange) -> None:
        """Follow a committed change of the configuration.

        It is never refused: the configuration counts already.  What is known of a member that a joining member
        replays is kept.
        """
        _APPLY[change.kind](self, change)

    def set_attributes(self, member_id: int, *, name: str, client_urls: Sequence[str]) -> None:
        """Note what a member says of itself; of one that has been removed meanwhile, nothing."""
        if (member := self._members.get(member_id)) is not None:
            self._put(replace(member, name=name, client_urls=tuple(client_urls)))

    def set_urls(self, member_id: int, peer_urls: Sequence[str]) -> None:
        """Note where a member listens from now on.

        Raises:
            MemberNotFoundError: there is no such member.
            PeerUrlExistsError: another one listens there.
        """
        if member_id not in self._members:
            raise MemberNotFoundError
        self.check_urls(member_id, peer_urls)
        self._put(replace(self._members[member_id], peer_urls=tuple(sorted(peer_urls))))

    def _add(self, change: MembershipChange) -> None:
        is_joining = change.kind is MembershipChangeKind.ADD
        member = ClusterMember(
            id=change.member_id,
            peer_urls=tuple(sorted(change.peer_urls)),
            is_learner=True,
            is_joining=is_joining,
        )
        self._put(member)

    def _promote(self, change: MembershipChange) -> None:
        if (member := self._members.get(change.member_id)) is not None:
            self._put(replace(member, is_learner=False, is_joining=False))

    def _remove(self, change: MembershipChange) -> None:
        self._members.pop(change.member_id, None)
        self.removed.add(change.member_id)
        key = change.member_id.to_bytes(8)
        self._database.delete(BucketName.MEMBERS, key)
        self._database.put(BucketName.MEMBERS_REMOVED, key, b"")

    def _put(self, member: ClusterMember) -> None:
        is_new = member.id not in self._members
        self._members[member.id] = member
        if is_new:
            self._members = dict(sorted(self._members.items()))
        record = command_pb2.MemberRecord(member=member.to_proto(), is_joining=member.is_joining)
        self._database.put(BucketName.MEMBERS, member.id.to_bytes(8), record.SerializeToString())

    @property
    def _database(self) -> Backend:
        assert self._backend is not None, "load comes first"
        return self._backend


_APPLY = {
    MembershipChangeKind.ADD: Cluster._add,  # noqa: SLF001 - the table of this class
    MembershipChangeKind.ADD_LEARNER: Cluster._add,  # noqa: SLF001
    MembershipChangeKind.PROMOTE: Cluster._promote,  # noqa: SLF001
    MembershipChangeKind.REMOVE: Cluster._remove,  # noqa: SLF001
}
