"""What only the leader does: leases that end, members that come and go, questions that others ask it."""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from fairlead.lease import LeaseNotFoundError
from fairlead.member.cluster import MembershipChange
from fairlead.member.errors import (
    BadTransfereeError,
    LeadershipElsewhereError,
    MemberError,
    MembershipError,
    NoLeaderError,
    TimedOutError,
    TransferTimedOutError,
)
from fairlead.member.machine import LEASE_REVOKE
from fairlead.member.questions import Answer, Handler
from fairlead.member.reconfigure import (
    LeaderView,
    check_change,
    check_transferee,
    next_promotion,
    raft_change,
)
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import ChangeRefusedError, NotLeaderError

if TYPE_CHECKING:
    from fairlead.member.replica import Replica

KEEP_ALIVE, TIME_TO_LIVE, RECONFIGURE = "LeaseKeepAlive", "LeaseTimeToLive", "Reconfigure"
_GONE_TTL_S = -1


class _Waiting(NamedTuple):
    """A change of the members that has to wait for another one."""

    request_id: int
    change: MembershipChange
    answer: Answer
    deadline_s: float


class Leader:
    """The duties of a leader; idle on every other member."""

    __slots__ = ("_changes", "_dying", "_replica", "_ticks", "_transfer")

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica
        self._ticks = 0
        self._dying: list[tuple[int, Answer]] = []
        self._changes: list[_Waiting] = []
        self._transfer: tuple[int, Answer, float] | None = None

    def answers(self) -> dict[str, Handler]:
        """Return what the leader answers, by method."""
        return {
            KEEP_ALIVE: self._keep_alive,
            TIME_TO_LIVE: self._time_to_live,
            RECONFIGURE: self._reconfigure,
        }

    def begin(self) -> None:
        """Begin to lead: deadlines of leases run here from now on."""
        replica = self._replica
        replica.machine.leases.promote(now_s=replica.machine.now_s, extend_s=replica.limits.lease_extend_s)
        self._ticks = 0

    def end(self) -> None:
        """Lead no more."""
        replica = self._replica
        replica.machine.leases.demote()
        waiting, self._changes = self._changes, []
        dying, self._dying = self._dying, []
        for answer in (*(change.answer for change in waiting), *(answer for _, answer in dying)):
            answer(NoLeaderError())
        if self._transfer is not None and replica.raft.leader == self._transfer[0]:
            self._end_transfer(b"")

    def tick(self, *, now_s: float) -> None:
        """Look after everything that time brings."""
        replica = self._replica
        self._tick_transfer(now_s)
        if not replica.leads or replica.applied_term != replica.raft.term:
            return
        self._ticks += 1
        if self._ticks % replica.limits.lease_ticks == 0:
            self._end_leases(now_s)
        if self._dying:
            self._answer_for_the_dead()
        self._promote_joining()
        waiting, self._changes = self._changes, []
        for change in waiting:
            if change.deadline_s <= now_s:
                change.answer(TimedOutError())
            else:
                self._begin_change(change)

    # ---- leases ----

    def _end_leases(self, now_s: float) -> None:
        replica = self._replica
        for lease_id in replica.machine.leases.expire(now_s=now_s, limit=replica.limits.leases_revoked_max):
            # The table names it again, until it is gone.  The next leader gives it its full time anew, so that no
            # word of this one may reach it later.
            replica.decree(LEASE_REVOKE, pb.LeaseRevokeRequest(ID=lease_id).SerializeToString())

    def _when_leading(self, then: Callable[[], None], answer: Answer) -> None:
        """Go on once a quorum has confirmed this leader: one that was deposed must not renew a lease."""
        replica = self._replica
        if not replica.leads:
            answer(NoLeaderError())
            return

        def confirmed(error: MemberError | None) -> None:
            if error is not None:
                answer(error)
            elif replica.leads:
                then()
            else:
                answer(NoLeaderError())

        replica.read(confirmed, deadline_s=replica.machine.now_s + replica.limits.request_timeout_s)

    def _keep_alive(self, payload: bytes, answer: Answer) -> None:
        """Renew a lease: an encoded LeaseKeepAliveRequest in, its response without a header out."""
        lease_id = pb.LeaseKeepAliveRequest.FromString(payload).ID
        self._when_leading(lambda: self._renew(lease_id, answer), answer)

    def _renew(self, lease_id: int, answer: Answer) -> None:
        machine = self._replica.machine
        try:
            ttl_s = machine.leases.keep_alive(lease_id, now_s=machine.now_s)
        except LeaseNotFoundError:
            if lease_id in machine.leases:
                self._dying.append((lease_id, answer))  # it is due: gone it is when its keys are
                return
            ttl_s = 0
        answer(_renewed(lease_id, ttl_s))

    def _answer_for_the_dead(self) -> None:
        """Tell who wanted to renew a lease that was due, now that its revocation is applied."""
        leases = self._replica.machine.leases
        dying, self._dying = self._dying, []
        for lease_id, answer in dying:
            if lease_id in leases:
                self._dying.append((lease_id, answer))
            else:
                answer(_renewed(lease_id, 0))

    def _time_to_live(self, payload: bytes, answer: Answer) -> None:
        """Say what is left of a lease; an unknown one has -1 seconds, and that is no error."""
        request = pb.LeaseTimeToLiveRequest.FromString(payload)
        self._when_leading(lambda: answer(self._look(request)), answer)

    def _look(self, request: pb.LeaseTimeToLiveRequest) -> bytes:
        machine = self._replica.machine
        try:
            status = machine.leases.time_to_live(request.ID, now_s=machine.now_s)
        except LeaseNotFoundError:
            return pb.LeaseTimeToLiveResponse(ID=request.ID, TTL=_GONE_TTL_S).SerializeToString()
        return pb.LeaseTimeToLiveResponse(
            ID=request.ID,
            TTL=status.remaining_s,
            grantedTTL=status.ttl_s,
            keys=status.keys if request.keys else (),
        ).SerializeToString()

    # ---- members ----

    def _reconfigure(self, payload: bytes, answer: Answer) -> None:
        """Change the membership: an encoded MembershipChange in, nothing out once it is in the log.

        Whoever asks sees for himself when it is applied, by the id of his request: an answer that says so might not
        reach him any more, from a leader that has removed itself.
        """
        replica = self._replica
        if not replica.leads:
            answer(NoLeaderError())
            return
        request_id, change = MembershipChange.decode(payload)
        deadline_s = replica.machine.now_s + replica.limits.request_timeout_s
        self._begin_change(_Waiting(request_id, change, answer, deadline_s))

    def _view(self) -> LeaderView:
        replica = self._replica
        progress = replica.raft.progress
        heard = (member for member, follower in progress.items() if follower.is_active)
        return LeaderView(
            active=frozenset((replica.member_id, *heard)),
            last_index=replica.raft.log.last_index,
            match={member: follower.match for member, follower in progress.items()},
        )

    def _begin_change(self, waiting: "_Waiting") -> None:
        replica, change = self._replica, waiting.change
        if self._is_changing():
            self._changes.append(waiting)  # whether it is wise shows when the other one stands
            return
        try:
            check_change(replica.cluster, change, view=self._view(), rules=replica.limits.reconfiguration)
            replica.raft.propose_change([raft_change(change)], context=change.encode(waiting.request_id))
        except MembershipError as refusal:
            waiting.answer(refusal)
        except ChangeRefusedError:
            self._changes.append(waiting)
        except NotLeaderError:
            waiting.answer(NoLeaderError())
        else:
            waiting.answer(b"")

    def _is_changing(self) -> bool:
        """Whether the log knows of members that the registry does not know yet."""
        replica = self._replica
        return replica.applied < replica.raft.log.configuration_index

    def _promote_joining(self) -> None:
        replica = self._replica
        if not replica.cluster.joining or self._is_changing():
            return
        change = next_promotion(replica.cluster, view=self._view())
        if change is not None:
            # Refused while another change is on its way: the next tick tries again.
            with contextlib.suppress(ChangeRefusedError):
                replica.raft.propose_change([raft_change(change)], context=change.encode())

    # ---- handing over ----

    def transfer(self, target: int, answer: Answer, *, deadline_s: float) -> None:
        """Hand leadership over to ``target``; answer when it has it.

        Raises:
            LeadershipElsewhereError: this member does not lead.
            BadTransfereeError: the target is no voter.
        """
        replica = self._replica
        if not replica.leads:
            raise LeadershipElsewhereError
        check_transferee(replica.cluster, target)
        try:
            replica.raft.transfer_leadership(target)
        except ChangeRefusedError:
            # The log knows of a change that the registry does not know yet.
            raise BadTransfereeError from None
        if target == replica.member_id:
            answer(b"")
            return
        self._transfer = (target, answer, deadline_s)

    def _tick_transfer(self, now_s: float) -> None:
        if self._transfer is None:
            return
        target, _, deadline_s = self._transfer
        if self._replica.raft.leader == target:
            self._end_transfer(b"")
        elif deadline_s <= now_s:
            self._end_transfer(TransferTimedOutError())

    def _end_transfer(self, result: bytes | Exception) -> None:
        assert self._transfer is not None
        _, answer, _ = self._transfer
        self._transfer = None
        answer(result)


def _renewed(lease_id: int, ttl_s: int) -> bytes:
    return pb.LeaseKeepAliveResponse(ID=lease_id, TTL=ttl_s).SerializeToString()
