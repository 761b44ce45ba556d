"""Mistakes in front of the log: proposals, leases and watches."""

from typing import Any

from tests.sim.mutants.patches import Patches

from fairlead.lease import LeaseTable
from fairlead.member.errors import NoLeaderError
from fairlead.member.leader import Leader
from fairlead.member.pending import Pending
from fairlead.member.reads import WaitingReads
from fairlead.mvcc.hub import WatchHub
from fairlead.mvcc.watcher import EncodedEvents, Watcher


def propose_again_whatever_became_of_it(patches: Patches) -> None:
    """Offer a command to the next leader without knowing that the last one has lost it."""

    def lost_before(self: Pending, term: int) -> list[int]:
        lost = [key for key, proposal in self._proposals.items() if 0 < proposal.offered_term <= term]
        for key in lost:
            self._proposals[key].offered_term = 0
        return lost

    patches.set(Pending, "lost_before", lost_before)


def propose_again_after_a_snapshot(patches: Patches) -> None:
    """Offer a command again that may be in the snapshot which has taken the place of its entry."""
    patches.set(Pending, "lose_sight", lambda _: None)


def let_any_answer_confirm_a_read(patches: Patches) -> None:
    """Let the answer to an earlier question for a read index serve the reads that came later (raft issue 397)."""
    original = WaitingReads.confirmed

    def confirmed(self: WaitingReads, state: Any) -> None:
        original(self, state._replace(context=self.context))

    patches.set(WaitingReads, "confirmed", confirmed)


def renew_without_asking_who_leads(patches: Patches) -> None:
    """Let a leader that was deposed renew leases."""

    def when_leading(self: Leader, then: Any, answer: Any) -> None:
        if self._replica.leads:
            then()
        else:
            answer(NoLeaderError())

    patches.set(Leader, "_when_leading", when_leading)


def expire_by_the_time_of_the_grant(patches: Patches) -> None:
    """Let a new leader count a lease's time from the grant, not from its own beginning."""
    original = LeaseTable.promote

    def promote(self: LeaseTable, *, now_s: float, extend_s: float) -> None:
        del extend_s
        original(self, now_s=now_s, extend_s=-3.0)

    patches.set(LeaseTable, "promote", promote)


def expire_too_early(patches: Patches) -> None:
    """Let a renewal move the deadline by half of the TTL."""
    original = LeaseTable.keep_alive

    def keep_alive(self: LeaseTable, lease_id: int, *, now_s: float) -> int:
        return original(
            self, lease_id, now_s=now_s - self._leases[lease_id].ttl_s / 2 if lease_id in self else now_s
        )

    patches.set(LeaseTable, "keep_alive", keep_alive)


def lose_events_of_slow_watchers(patches: Patches) -> None:
    """Let a watcher that has no room go on behind the events it had no room for (etcd issue 17529)."""

    def tell(self: WatchHub, watcher: Watcher, events: EncodedEvents) -> None:
        if watcher.is_cancelled or watcher.next_revision > events.revision:
            return
        if watcher.sink.has_room():
            watcher.sink.deliver(watcher, events)
        else:
            self._fall_behind(watcher, events.revision + 1)

    patches.set(WatchHub, "_tell", tell)


def report_progress_ahead_of_events(patches: Patches) -> None:
    """Tell a watcher how far the store is while events before that are still to come (etcd issue 15220)."""
    patches.set(WatchHub, "all_synced", lambda *_: True)


def watch_back_in_time(patches: Patches) -> None:
    """After a snapshot, tell watchers from the start again (etcd issue 15271)."""
    original = WatchHub.restore

    def restore(self: WatchHub, history: Any) -> None:
        original(self, history)
        for watcher in self._behind:
            watcher.next_revision = max(1, watcher.start_revision)

    patches.set(WatchHub, "restore", restore)


def split_a_revision(patches: Patches) -> None:
    """Tell a watcher only the first event of a revision in which it has several."""
    original = WatchHub._tell

    def tell(self: WatchHub, watcher: Watcher, events: EncodedEvents) -> None:
        first = EncodedEvents(events.revision, events.body[: events.ends[0]], events.ends[:1])
        original(self, watcher, first)

    patches.set(WatchHub, "_tell", tell)


def tell_what_was_told(patches: Patches) -> None:
    """Let a watcher that fell behind go on with the last revision it was told."""
    original = WatchHub._fall_behind

    def fall_behind(self: WatchHub, watcher: Watcher, next_revision: int) -> None:
        watcher.next_revision = 0
        original(self, watcher, next_revision - 1)

    patches.set(WatchHub, "_fall_behind", fall_behind)
