"""The Cluster service: who belongs, who comes, who goes."""

import time
from collections.abc import Callable, Sequence

from fairlead.api.replies import Answerable, read_for
from fairlead.api.status import status_of
from fairlead.member import (
    URLS,
    ClusterMember,
    Member,
    MembershipChange,
    MembershipChangeKind,
    check_peer_urls,
    member_id_of,
)
from fairlead.proto import command_pb2
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Unary

Respond = Callable[[Sequence[pb.Member]], bytes]
"""Makes the response, without its header, of everybody who belongs now."""


class Cluster:
    """The methods of ``etcdserverpb.Cluster``.

    Args:
        member: whose cluster it is.
        clock_s: the time of day, in seconds since 1970; it is part of a new member's id.
    """

    def __init__(self, member: Member, *, clock_s: Callable[[], float] = time.time) -> None:
        self._member = member
        self._clock_s = clock_s

    def routes(self) -> dict[str, Unary]:
        """Return the service's methods by their paths."""
        prefix = "/etcdserverpb.Cluster/Member"
        return {
            prefix + "Add": Unary(self.add),
            prefix + "Remove": Unary(self.remove),
            prefix + "Update": Unary(self.update),
            prefix + "List": Unary(self.list),
            prefix + "Promote": Unary(self.promote),
        }

    def list(self, message: bytes, call: Answerable) -> bytes | None:
        """List the members: as this one knows them, or as the cluster does when the request says so."""
        request = pb.MemberListRequest.FromString(message)
        if not request.linearizable:
            return self._response(_list_response)
        return read_for(call, self._member, lambda: self._response(_list_response))

    def add(self, message: bytes, call: Answerable) -> None:
        """Add a member, which is to be started after this.

        The answer shows the new member as it was asked for.  In every list it is a learner until it votes: see
        ``docs/decisions/0003``.
        """
        request = pb.MemberAddRequest.FromString(message)
        peer_urls = check_peer_urls(request.peerURLs)
        member_id = member_id_of(peer_urls, "", added_at_s=int(self._clock_s()))
        kind = MembershipChangeKind.ADD_LEARNER if request.isLearner else MembershipChangeKind.ADD
        new = ClusterMember(id=member_id, peer_urls=peer_urls, is_learner=request.isLearner)

        def respond(members: Sequence[pb.Member]) -> bytes:
            return pb.MemberAddResponse(member=new.to_proto(), members=members).SerializeToString()

        self._change(MembershipChange(kind=kind, member_id=member_id, peer_urls=peer_urls), call, respond)

    def remove(self, message: bytes, call: Answerable) -> None:
        """Remove a member for good."""
        member_id = pb.MemberRemoveRequest.FromString(message).ID
        change = MembershipChange(kind=MembershipChangeKind.REMOVE, member_id=member_id)
        self._change(change, call, _remove_response)

    def promote(self, message: bytes, call: Answerable) -> None:
        """Make a voter of a learner that has caught up."""
        member_id = pb.MemberPromoteRequest.FromString(message).ID
        change = MembershipChange(kind=MembershipChangeKind.PROMOTE, member_id=member_id)
        self._change(change, call, _promote_response)

    def update(self, message: bytes, call: Answerable) -> None:
        """Note that a member listens for the others at other addresses from now on."""
        request = pb.MemberUpdateRequest.FromString(message)
        peer_urls = check_peer_urls(request.peerURLs)
        command = command_pb2.MemberUrls(member_id=request.ID, peer_urls=peer_urls)
        self._member.propose(
            URLS,
            command.SerializeToString(),
            command,
            lambda result: self._answer(call, _update_response, result),
        )

    def _change(self, change: MembershipChange, call: Answerable, respond: Respond) -> None:
        self._member.change_membership(change, lambda result: self._answer(call, respond, result))

    def _answer(self, call: Answerable, respond: Respond, result: bytes | Exception) -> None:
        if isinstance(result, Exception):
            call.fail(*status_of(result))
        else:
            call.reply(self._response(respond))

    def _response(self, respond: Respond) -> bytes:
        member = self._member
        # Headers of this service carry no revision, as in etcd.
        return member.machine.headers.at(0) + respond([m.to_proto() for m in member.cluster.members.values()])


def _list_response(members: Sequence[pb.Member]) -> bytes:
    return pb.MemberListResponse(members=members).SerializeToString()


def _remove_response(members: Sequence[pb.Member]) -> bytes:
    return pb.MemberRemoveResponse(members=members).SerializeToString()


def _promote_response(members: Sequence[pb.Member]) -> bytes:
    return pb.MemberPromoteResponse(members=members).SerializeToString()


def _update_response(members: Sequence[pb.Member]) -> bytes:
    return pb.MemberUpdateResponse(members=members).SerializeToString()
