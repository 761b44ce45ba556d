"""This member among the others: the transport, and who can be reached where."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.member.acknowledgements import Acknowledgements
from fairlead.member.cluster import MembershipChange, MembershipChangeKind
from fairlead.member.errors import MembershipError
from fairlead.member.joining import MEMBERS
from fairlead.member.opening import snap_dir
from fairlead.peer import PeerConfig, PeerMessage, Transport
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import Entry, EntryKind, InstallSnapshot, decode_configuration

if TYPE_CHECKING:
    from fairlead.member.member import Member

_CONFIGURATION = EntryKind.CONFIGURATION


class Peering:
    """The handlers of the transport, and what it is told of the members.

    A configuration counts from the moment it is in the log (Raft, section 6), so that a member that is being added
    has to be reached before the entry that adds it is committed: its addresses are learnt from that entry.
    """

    def __init__(self, member: "Member") -> None:
        config, identity = member.config, member.identity
        self._member = member
        self._learnt: dict[int, tuple[str, ...]] = {}
        self._told: dict[int, tuple[str, ...]] = {}
        self._acknowledgements = Acknowledgements()
        self._is_started = False
        self.transport = Transport(
            PeerConfig(
                cluster_id=identity.cluster_id,
                member_id=identity.member_id,
                listen_urls=config.listen_peer_urls,
                snapshot_dir=snap_dir(config),
                tls=config.peer_tls,
            ),
            self,
        )

    async def start(self) -> None:
        """Listen, and dial the others."""
        await self.transport.start()
        self._is_started = True
        log = self._member.replica.raft.log
        self.learn(log.entries_from(self._member.replica.applied + 1))
        self.refresh()

    async def joined(self) -> None:
        """Wait for the leader's promotion of a member that is joining; a learner by request stays one."""
        member = self._member
        # Once in the life of a member: not worth an event that every applied entry would have to set.
        while member.identity.member_id in member.cluster.joining:  # noqa: ASYNC110 - see above
            await asyncio.sleep(member.config.heartbeat_s)

    async def stop(self) -> None:
        """Close every connection."""
        if self._is_started:
            self._is_started = False
            await self.transport.stop()

    def send(self, messages: Sequence[PeerMessage], *, at_once: bool = False) -> None:
        """Send what can be sent, at the end of the turn or ``at_once``."""
        if messages and self._is_started:
            self.transport.send(self._acknowledgements.sift(messages))
            if at_once:
                self.transport.flush()

    def learn(self, entries: Sequence[Entry]) -> None:
        """Look for members to come in entries that are not applied yet."""
        is_news = False
        for entry in entries:
            if entry.kind == _CONFIGURATION:
                _, context = decode_configuration(entry.data)
                if context:
                    _, change = MembershipChange.decode(context)
                    if change.kind in {MembershipChangeKind.ADD, MembershipChangeKind.ADD_LEARNER}:
                        self._learnt[change.member_id] = change.peer_urls
                        is_news = True
        if is_news:
            self.refresh()

    def refresh(self) -> None:
        """Tell the transport who belongs, if that has changed."""
        member = self._member
        cluster, own_id = member.cluster, member.identity.member_id
        known = cluster.peer_urls(but=own_id)
        for member_id in self._learnt.keys() & (known.keys() | cluster.removed):
            del self._learnt[member_id]
        known |= self._learnt
        if known != self._told and self._is_started:
            self._told = known
            self.transport.set_peers(known)

    def describe(self) -> list[str]:
        """Say who belongs and who is connected, for the log."""
        cluster, own_id = self._member.cluster, self._member.identity.member_id
        return [
            f"{other.name or f'{other.id:x}'} at {','.join(other.peer_urls)}: "
            + ("connected" if self.transport.is_connected(other.id) else "not connected")
            for other in cluster.members.values()
            if other.id != own_id
        ]

    async def hand_over(self) -> None:
        """Let a follower lead before this member stops, so that nobody has to wait for an election."""
        member = self._member
        raft = member.replica.raft
        voters = raft.configuration.voters - {member.identity.member_id}
        best = max(
            (
                (progress.match, follower)
                for follower, progress in raft.progress.items()
                if follower in voters and progress.is_active and self.transport.is_connected(follower)
            ),
            default=None,
        )
        if best is None:
            return
        done = asyncio.Event()
        with suppress(MembershipError, TimeoutError):
            member.move_leader(best[1], lambda _: done.set())
            await asyncio.wait_for(done.wait(), member.config.election_timeout_s)

    # ---- what the transport calls ----

    def on_message(self, message: PeerMessage) -> None:
        """Take a message."""
        self._member.receive(message)

    def on_snapshot(self, message: InstallSnapshot, path: Path) -> None:
        """Take a snapshot; the file is whole, proved and on disk."""
        self._member.received_snapshot(message, path)

    def on_unreachable(self, member_id: int) -> None:
        """Learn that something for this member was lost."""
        self._acknowledgements.forget(member_id)
        self._member.replica.report_unreachable(member_id)
        self._member.flush_soon()

    def on_removed(self, text: str) -> None:
        """Learn that this member is none any more."""
        del text
        self._member.removed()

    def is_removed(self, member_id: int) -> bool:
        """Whether the cluster has removed this member."""
        return member_id in self._member.cluster.removed

    def answer_guest(self, method: str, payload: bytes) -> bytes:
        """Tell a process that wants to join who belongs."""
        del payload
        if method != MEMBERS:
            raise ValueError(f"no such question: {method}")
        member = self._member
        return pb.MemberListResponse(
            header=pb.ResponseHeader(cluster_id=member.identity.cluster_id),
            members=[other.to_proto() for other in member.cluster.members.values()],
        ).SerializeToString()
