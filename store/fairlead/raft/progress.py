"""What a leader knows of one follower's log, and how fast it may send.

    PROBE      where the logs meet is not known: one append, then wait for its reply or for a heartbeat's
    REPLICATE  it is known: appends follow each other, ``next`` runs ahead of ``match``, within limits
    SNAPSHOT   the follower needs entries that are gone: no appends until it has the snapshot

(Raft, section 5.3, has nextIndex and matchIndex; the states are etcd-io/raft's.)
"""

from collections import deque
from enum import Enum


class ProgressState(Enum):
    """How a follower is sent to."""

    PROBE = "probe"
    REPLICATE = "replicate"
    SNAPSHOT = "snapshot"


class Progress:
    """One follower, as its leader sees it."""

    __slots__ = (
        "_inflight",
        "_inflight_bytes",
        "_is_waiting",
        "_silent_ticks",
        "confirmed_round",
        "is_active",
        "match",
        "next",
        "pending_snapshot",
        "sent_commit",
        "state",
        "wants_empty",
    )

    def __init__(self, *, next_index: int) -> None:
        self.match = 0
        """Up to here the follower's log is the leader's, and on the follower's disk."""
        self.next = next_index
        self.state = ProgressState.PROBE
        self.pending_snapshot = 0
        self.is_active = True
        """Heard of within an election timeout."""
        self.confirmed_round = 0
        """The last round of heartbeats that it has answered."""
        self.sent_commit = 0
        self.wants_empty = False
        """An append is due even if it carries nothing: its reply will tell what got lost."""
        self._silent_ticks = 0
        self._is_waiting = False
        self._inflight: deque[tuple[int, int]] = deque()
        self._inflight_bytes = 0

    def __repr__(self) -> str:
        return f"<Progress {self.state.value} match={self.match} next={self.next} inflight={len(self._inflight)}>"

    def tick(self, *, election_ticks: int) -> None:
        """Let one tick pass without a sign of life."""
        self._silent_ticks += 1
        self.is_active = self._silent_ticks < election_ticks

    def heard(self) -> None:
        """Take any reply for a sign of life."""
        self._silent_ticks = 0
        self.is_active = True

    @property
    def is_paused(self) -> bool:
        """Whether nothing at all may be appended, not even nothing."""
        if self.state is ProgressState.PROBE:
            return self._is_waiting
        return self.state is ProgressState.SNAPSHOT

    def has_room(self, *, inflight_max: int, inflight_bytes_max: int) -> bool:
        """Return whether another append with entries may be sent."""
        if self.state is not ProgressState.REPLICATE:
            return not self.is_paused
        return len(self._inflight) < inflight_max and self._inflight_bytes < inflight_bytes_max

    def sent(self, last: int, size: int) -> None:
        """Take note of an append whose last entry is ``last``, with ``size`` bytes of payload."""
        self.wants_empty = False
        if self.state is ProgressState.PROBE:
            self._is_waiting = True
        elif last >= self.next:
            self.next = last + 1
            self._inflight.append((last, size))
            self._inflight_bytes += size

    def acknowledge(self, index: int, *, first_index: int) -> bool:
        """Take a success: the follower has everything up to ``index``; return whether that is news."""
        is_news = index > self.match
        self.match = max(self.match, index)
        self.next = max(self.next, self.match + 1)
        while self._inflight and self._inflight[0][0] <= index:
            self._inflight_bytes -= self._inflight.popleft()[1]
        # Below first_index a follower that gets a snapshot still lacks entries that are gone.
        if (self.state is ProgressState.PROBE and index == self.match) or (
            self.state is ProgressState.SNAPSHOT and self.match + 1 >= first_index
        ):
            self._become(ProgressState.REPLICATE, next_index=self.match + 1)
        return is_news

    def reject(self, index: int, *, hint: int) -> None:
        """Take a rejection at ``index``; the logs may meet at ``hint``.  Late ones change nothing."""
        if self.state is ProgressState.REPLICATE:
            if index > self.match:
                self._become(ProgressState.PROBE, next_index=self.match + 1)
        elif self.state is ProgressState.PROBE and index == self.next - 1:
            self.next = max(min(index, hint + 1), self.match + 1)
            self._is_waiting = False

    def answered_heartbeat(self, *, round_: int, last_index: int) -> None:
        """Take a sign of life: what was sent before may be lost, so something may be sent again."""
        self.heard()
        self.confirmed_round = max(self.confirmed_round, round_)
        self._is_waiting = False
        self.wants_empty = self.match < last_index

    def begin_snapshot(self, index: int) -> None:
        """Wait for a snapshot to arrive."""
        self._become(ProgressState.SNAPSHOT, next_index=self.next)
        self.pending_snapshot = index

    def end_snapshot(self, *, is_delivered: bool) -> None:
        """Probe again, after the snapshot if it has been delivered."""
        if self.state is ProgressState.SNAPSHOT:
            after = self.pending_snapshot + 1 if is_delivered else 0
            self._become(ProgressState.PROBE, next_index=max(self.match + 1, after))
            # Its acknowledgement, or the reply to the next heartbeat, lets the probe go.
            self._is_waiting = True

    def lost(self) -> None:
        """Take the transport's word that something did not arrive."""
        if self.state is ProgressState.REPLICATE:
            self._become(ProgressState.PROBE, next_index=self.match + 1)

    def _become(self, state: ProgressState, *, next_index: int) -> None:
        self.state = state
        self.next = next_index
        self.pending_snapshot = 0
        self._is_waiting = False
        self._inflight.clear()
        self._inflight_bytes = 0
