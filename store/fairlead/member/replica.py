"""The replica loop, without sockets, threads or clocks.

Requests and messages go in; ``take`` applies what has been committed, answers whoever waits, and says what to
send and to write next; ``written`` takes the news that it is on disk.  Nothing is answered before its entry is
durable on a quorum and applied here: that order lives in ``fairlead.raft`` and here, and nowhere else.  The shell
binds it to a loop and threads, the simulator to a virtual world.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fairlead.member.apply import Applier, encode_command
from fairlead.member.cluster import Cluster, MembershipChange
from fairlead.member.errors import LeaderLostError, MemberError, NoSpaceError, StoppedError, TimedOutError
from fairlead.member.leader import RECONFIGURE, Leader
from fairlead.member.machine import ALARM, Machine, cost_of
from fairlead.member.pending import FATE_UNKNOWN, Pending, Proposal, Reply
from fairlead.member.questions import Answer, Question, Questions
from fairlead.member.reads import Done, WaitingReads
from fairlead.member.work import ReplicaLimits, Work
from fairlead.peer import Call, PeerMessage, Return
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import (
    NOBODY,
    HardState,
    NoLeaderError,
    ProposalDroppedError,
    Raft,
    RaftError,
    Ready,
    Role,
)

_LEADER = Role.LEADER  # an enumeration is slow to ask on a hot path
_IDS = 1 << 64


class Replica:
    """One member's log and state machine, and the requests in between.

    Args:
        member_id: this member.
        raft: the consensus core.
        machine, cluster: what committed entries change.
        first_id: ids of commands, questions and reads count up from here.  Random at each start, so that they
            meet nobody else's and none of an earlier run.
        limits: how much may wait.
    """

    __slots__ = (
        "_held",
        "_leader_lost_s",
        "_led",
        "_next_id",
        "_reads",
        "_settled_term",
        "_unwritten_state",
        "applier",
        "can_read",
        "cluster",
        "leader",
        "leader_changes_total",
        "limits",
        "machine",
        "member_id",
        "pending",
        "questions",
        "raft",
    )  # fmt: skip

    def __init__(
        self,
        *,
        member_id: int,
        raft: Raft,
        machine: Machine,
        cluster: Cluster,
        first_id: int,
        limits: ReplicaLimits,
    ) -> None:
        self.member_id = member_id
        self.raft = raft
        self.machine = machine
        self.cluster = cluster
        self.limits = limits
        self.can_read = False
        """Whether the applied state may be read now, without a word from anybody: only ever for a lone voter."""
        self.leader_changes_total = 0
        self.pending = Pending(count_max=limits.pending_max, bytes_max=limits.pending_bytes_max)
        self.applier = Applier(machine, cluster, self.pending)
        self.leader = Leader(self)
        self.questions = Questions(member_id=member_id, new_id=self.new_id, count_max=limits.questions_max)
        self.questions.answers.update(self.leader.answers())
        self._reads = WaitingReads(count_max=limits.reads_max, retry_ticks=limits.read_retry_ticks)
        self._held: list[int] = []
        self._next_id = first_id
        self._unwritten_state: HardState | None = None
        self._led = (raft.term, NOBODY)
        self._leader_lost_s = float("-inf")
        self._settled_term = 0

    def __repr__(self) -> str:
        return f"<Replica {self.raft!r} applied={self.applied} pending={len(self.pending)}>"

    @property
    def applied(self) -> int:
        """The index of the last applied entry."""
        return self.applier.index

    @property
    def applied_term(self) -> int:
        """The term of the last applied entry."""
        return self.applier.term

    @property
    def state_hash(self) -> int:
        """CRC32-C over all applied commands: equal on all members that have applied equally much."""
        return self.applier.state_hash

    @property
    def is_removed(self) -> bool:
        """Whether the cluster has decided to go on without this member."""
        return self.member_id in self.cluster.removed

    @property
    def leads(self) -> bool:
        """Whether this member leads, as far as it knows."""
        return self.raft.role is _LEADER

    def new_id(self) -> int:
        """Return a number that nobody has used."""
        self._next_id = (self._next_id + 1) % _IDS or 1
        return self._next_id

    # ---- requests ----

    def propose(self, kind: int, payload: bytes, request: Any, reply: Reply, *, deadline_s: float) -> None:
        """Put a command into the log; ``reply`` is called when it has been applied, or refused.

        On a member that does not lead it travels to the leader; where nobody leads it waits.

        Args:
            kind: the number of the request's field in ``fairleadpb.Command``.
            payload: the request, encoded.
            request: the same, decoded, so that this member need not decode its own entry again.
            reply: where the answer goes.
            deadline_s: when the client stops waiting.

        Raises:
            NoSpaceError: it would grow the database beyond its quota, and the alarm says so already.
            TooManyRequestsError: too much is waiting already.
        """
        cost = cost_of(kind, request)
        if cost and not self.machine.quota.has_room(cost):
            if self.machine.has_alarm(pb.NOSPACE):
                raise NoSpaceError
            # The client hears of it when the alarm stands, so that a crash cannot take the alarm back.
            self.raise_alarm(pb.NOSPACE, lambda _: reply(NoSpaceError()), deadline_s=deadline_s)
            return
        self.submit(kind, payload, request, reply, deadline_s=deadline_s)

    def submit(self, kind: int, payload: bytes, request: Any, reply: Reply, *, deadline_s: float) -> None:
        """Propose without a look at the quota."""
        self.pending.check_room(len(payload))
        command_id = self.new_id()
        data = encode_command(command_id, kind, payload)
        proposal = Proposal(kind, request, reply, deadline_s=deadline_s, data=data)
        self.pending.add(command_id, proposal)
        if self._held or not self._offer(proposal):
            self._held.append(command_id)

    def decree(self, kind: int, payload: bytes) -> None:
        """Put a command into the log that this leader may give, and in its term only.

        Unlike what a client wants, it is never offered to another leader: what this one knew, that one may know
        better.  Whoever wants it still has to ask again.
        """
        if self.leads:
            with suppress(ProposalDroppedError):
                self.raft.propose(encode_command(self.new_id(), kind, payload))

    def raise_alarm(self, alarm: pb.AlarmType, reply: Reply, *, deadline_s: float, of: int = 0) -> None:
        """Propose an alarm, of this member if no other is named."""
        request = pb.AlarmRequest(action=pb.AlarmRequest.ACTIVATE, memberID=of or self.member_id, alarm=alarm)
        self.submit(ALARM, request.SerializeToString(), request, reply, deadline_s=deadline_s)

    def read(self, done: Done, *, deadline_s: float) -> None:
        """Call ``done(None)`` as soon as what is applied here may be read linearizably.

        Raises:
            TooManyRequestsError: too many reads wait.
        """
        if self.can_read:
            done(None)
        else:
            self._reads.add(done, deadline_s=deadline_s)

    def ask_leader(
        self, method: str, payload: bytes, answer: Answer, *, deadline_s: float, is_repeatable: bool
    ) -> None:
        """Let the leader, be it this member, answer a question; see ``questions.answers``.

        Raises:
            TooManyRequestsError: too many questions wait.
        """
        question = Question(method, payload, answer, deadline_s=deadline_s, is_repeatable=is_repeatable)
        self.questions.ask(question, of=0, leader=self.raft.leader)

    def change_membership(self, change: MembershipChange, reply: Reply, *, deadline_s: float) -> None:
        """Add, promote or remove a member; ``reply`` is called when it has been applied here, or refused.

        Raises:
            TooManyRequestsError: too much is waiting already.
        """
        request_id = self.new_id()
        context = change.encode(request_id)
        self.pending.check_room(len(context))
        proposal = Proposal(0, change, reply, deadline_s=deadline_s, data=context)
        proposal.offered_term = FATE_UNKNOWN  # another leader may have other reasons to refuse it
        self.pending.add(request_id, proposal)

        def answered(result: bytes | Exception) -> None:
            if isinstance(result, Exception):
                self.pending.fail(request_id, result)

        self.ask_leader(RECONFIGURE, context, answered, deadline_s=deadline_s, is_repeatable=False)

    def ask_member(self, to: int, method: str, payload: bytes, answer: Answer, *, deadline_s: float) -> None:
        """Let a certain member answer a question, once.

        Raises:
            TooManyRequestsError: too many questions wait.
        """
        question = Question(method, payload, answer, deadline_s=deadline_s, is_repeatable=False)
        self.questions.ask(question, of=to, leader=NOBODY)

    # ---- what comes from outside ----

    def receive(self, message: PeerMessage) -> None:
        """Take a message of another member."""
        if isinstance(message, Return):
            self.questions.returned(message)
        elif isinstance(message, Call):
            self.questions.called(message)
        else:
            self.raft.step(message)

    def tick(self, *, now_s: float) -> None:
        """Let one heartbeat interval pass; ``now_s`` is this member's monotonic clock."""
        self.machine.now_s = now_s
        self.raft.tick()
        self._notice_leader()
        self.pending.expire(now_s=now_s, error_for=self._timed_out)
        self._reads.tick()
        self._reads.expire(now_s=now_s, error_for=self._timed_out)
        self.questions.expire(now_s=now_s, error_for=self._timed_out)
        if self.raft.leader != NOBODY:
            self.questions.ask_leader(self.raft.leader)
        self.leader.tick(now_s=now_s)

    def take(self, *, now_s: float) -> Work | None:
        """Return what to do next, None when there is nothing; ask again until then.

        Whatever is committed and durable is applied on the way, and whoever waits for it is answered.
        """
        self.machine.now_s = now_s
        self._notice_leader()
        if self._held and self.raft.leader != NOBODY:
            self._offer_held()
        if self._reads.is_due and self.raft.leader != NOBODY:
            self._ask_for_reads()
        ready = self.raft.ready()
        if ready is not None:
            if ready.committed:
                self.applier.apply(ready.committed)
                self._check_quota()
                if self.applier.term != self._settled_term:
                    self._settle()
            for state in ready.reads:
                self._reads.confirmed(state)
        self._update_can_read()
        self._reads.release(applied=self.applier.index)
        return self._work(ready)

    def written(self, work: Work) -> Sequence[PeerMessage]:
        """Take the news that ``work`` and all before it are durable, once each, in order.

        Returns:
            What may be sent now.
        """
        if work.ready is None:
            return ()
        self.raft.advance(work.ready)
        return work.ready.send_after

    def installed(self, *, index: int, term: int, state_hash: int) -> None:
        """Go on from a snapshot whose state the machine has taken over; before ``written`` of its work."""
        self.applier.begin_at(index=index, term=term, state_hash=state_hash)
        self.pending.lose_sight()
        self._settled_term = term

    def report_snapshot(self, member: int, *, is_delivered: bool) -> None:
        """Take the news of a snapshot that was to be delivered."""
        self.raft.report_snapshot(member, is_delivered=is_delivered)

    def report_unreachable(self, member: int) -> None:
        """Take the news that messages to ``member`` were lost."""
        self.raft.report_unreachable(member)

    def stop(self) -> None:
        """Tell everyone who waits that no answer will come."""
        self.pending.fail_all(StoppedError())
        self._reads.fail_all(StoppedError())
        self.questions.fail_all(StoppedError())

    # ---- inside ----

    def _work(self, ready: Ready | None) -> Work | None:
        outbox, self.questions.outbox = self.questions.outbox, []
        if ready is None:
            return Work(outbox, (), None, None) if outbox else None
        if ready.hard_state is not None:
            self._unwritten_state = ready.hard_state
        hard_state = None
        if ready.must_sync:
            # A commit index alone is not worth a write: it rides with the next one.
            hard_state, self._unwritten_state = self._unwritten_state, None
        return Work.of(ready, outbox, hard_state)

    def _offer(self, proposal: Proposal) -> bool:
        """Hand a command to the core; return whether it took it."""
        try:
            self.raft.propose(proposal.data)
        except (NoLeaderError, ProposalDroppedError):
            return False
        proposal.offered_term = self.raft.term
        return True

    def _settle(self) -> None:
        """Let commands that were lost with an earlier leader wait for the present one: they go in once."""
        self._settled_term = self.applier.term
        self._held += self.pending.lost_before(self.applier.term)

    def _offer_held(self) -> None:
        """Hand over what waited for a leader, in order, as far as it goes."""
        for position, command_id in enumerate(self._held):
            proposal = self.pending.get(command_id)  # None: it ran out of time
            if proposal is not None and not self._offer(proposal):
                del self._held[:position]
                return
        self._held.clear()

    def _ask_for_reads(self) -> None:
        context = self.new_id()
        try:
            self.raft.read(context)
        except RaftError:
            return  # nobody leads, or the leader has enough to do: the next turn asks again
        self._reads.asked(context)

    def _notice_leader(self) -> None:
        raft = self.raft
        led = (raft.term, raft.leader)
        if led == self._led:
            return
        (term_before, leader_before), self._led = self._led, led
        if raft.term != term_before:
            self.machine.headers.set_term(raft.term)
        if leader_before == self.member_id:
            self.leader.end()
        if leader_before != NOBODY:
            self._leader_lost_s = self.machine.now_s
        if raft.leader != NOBODY:
            self.leader_changes_total += 1
        if raft.leader == self.member_id:
            self.leader.begin()
        self._update_can_read()
        self._reads.ask_again()
        if self.raft.leader != NOBODY:
            self.questions.ask_leader(self.raft.leader)

    def _update_can_read(self) -> None:
        raft = self.raft
        self.can_read = raft.role is _LEADER and raft.lone_voter and self.applier.term == raft.term

    def _check_quota(self) -> None:
        quota = self.machine.quota
        if quota.is_exceeded and not self.machine.has_alarm(pb.NOSPACE):
            quota.is_exceeded = False
            deadline_s = self.machine.now_s + self.limits.request_timeout_s
            self.raise_alarm(pb.NOSPACE, _ignore, deadline_s=deadline_s)

    def _timed_out(self, deadline_s: float) -> MemberError:
        was_lost = self._leader_lost_s >= deadline_s - self.limits.request_timeout_s
        return LeaderLostError() if was_lost else TimedOutError()


def _ignore(result: bytes | Exception) -> None:
    del result
