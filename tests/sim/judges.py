"""What is judged when a world has come to rest: what the clients saw, and what the members hold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests import history as told
from tests.sim import translate
from tests.sim.oracles import check

from fairlead.mvcc.change import Change
from fairlead.proto import kv_pb2

if TYPE_CHECKING:
    from tests.sim.world import World

STEPS_MAX = 200_000
"""Of the search for an order of all operations; a whole program needs a few thousand."""
Changes = tuple[tuple[bytes, bytes, bool], ...]


class Judges:
    """Gathers what every member did at each revision, and judges at the end."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self._changes: dict[int, tuple[int, Changes]] = {}
        self._sightings: list[tuple[int, float]] = []

    def saw_revision(self, slot: int, revision: int, changes: Sequence[Change]) -> None:
        """Take what one member did at a revision; each has to do the same."""
        done = tuple((change.key, bytes(change.kv), change.is_delete) for change in changes)
        if revision not in self._changes:
            self._sightings.append((revision, self.world.scheduler.now_s))
        other, known = self._changes.setdefault(revision, (slot, done))
        check(
            known == done,
            "state machine safety",
            f"revision {revision}",
            f"m{other}",
            known,
            f"m{slot}",
            done,
        )

    def judge(self) -> None:
        """Judge everything.

        Raises:
            ViolationError: a promise was broken.
        """
        self._members_agree()
        timeline = self._timeline()
        self._ruled("timeline", told.check_timeline(timeline))
        history = [translate.operation(operation) for operation in self.world.operations]
        # Seen from outside, a lease may end earlier by as much as members' clocks run faster.
        share = 1 / self.world.temper.clock_rate_max
        self._ruled(
            "linearizable",
            told.check_linearizable(history, timeline=timeline, ttl_share=share, steps_max=STEPS_MAX),
        )
        self._ruled("serializable", told.check_serializable(history, timeline))
        self._ruled(
            "leases", told.check_leases(history, timeline, sightings=self._sightings, ttl_share=share)
        )
        self._judge_watches(timeline)

    def _judge_watches(self, timeline: told.Timeline) -> None:
        compacted = max(shell.replica.machine.store.compact_revision for shell in self.world.shells())
        broken_off = [watched for watcher in self.world.watchers for watched in watcher.watched[:-1]]
        lasting = [watcher.watched[-1] for watcher in self.world.watchers]
        for watches, reached in ((broken_off, 0), (lasting, timeline.last)):
            translated = [translate.watch(watched) for watched in watches if watched.messages]
            verdict = told.check_watches(translated, timeline, reached=reached, compacted=compacted)
            self._ruled("watches", verdict)

    def _ruled(self, promise: str, verdict: told.Verdict) -> None:
        if verdict.status is told.Status.UNKNOWN:
            self.world.coverage.event(f"{promise} unknown")
            return
        check(verdict, promise, verdict.text)

    def _members_agree(self) -> None:
        shells = self.world.shells()
        stores = [(shell.machine.slot, shell.replica.machine.store) for shell in shells]
        oracle = self.world.oracle
        oracle.check_equal("revisions", [(slot, store.revision) for slot, store in stores])
        oracle.check_equal("HashKV", [(slot, store.hash_kv()) for slot, store in stores])
        oracle.check_equal("state hash", [(shell.machine.slot, shell.replica.state_hash) for shell in shells])
        oracle.check_equal(
            "leases",
            [(shell.machine.slot, tuple(sorted(shell.replica.machine.leases.leases()))) for shell in shells],
        )

    def _timeline(self) -> told.Timeline:
        events = []
        for revision in sorted(self._changes):
            for key, data, is_delete in self._changes[revision][1]:
                kv = kv_pb2.KeyValue.FromString(data)
                pair = translate.key_value(kv)
                if is_delete:
                    pair = told.KeyValue(key=key, mod_revision=revision)
                events.append(told.Event(kv=pair, is_delete=is_delete))
        return told.Timeline(events)
