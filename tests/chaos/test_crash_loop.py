"""Load and kill -9, again and again: nothing acknowledged is lost, and nothing told by a watch is untold.

``make chaos MINUTES=n`` goes on for longer.
"""

import random
import threading
from pathlib import Path

from tests.chaos.load import Change, Follower, Writer, everything
from tests.chaos.rounds import MINUTES
from tests.support.store import FairleadStore, StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

ROUNDS = 20 + round(70 * MINUTES)
_COMPACTING_ROUNDS = ROUNDS // 3
_WRITERS = 6
_LOAD_S_MAX = 0.4
_SEED = 1


class CrashLoop:
    """One store, its writers, and the highest revision that anybody was ever told."""

    def __init__(self, store: StoreServer) -> None:
        self.store = store
        self.rng = random.Random(_SEED)
        self.writers = [Writer(number, random.Random(number)) for number in range(_WRITERS)]
        self.follower = Follower()
        self.highest_revision = 1

    def round(self, *, compacting: bool = False) -> None:
        """Start on what the last crash left, check it, load it, kill it."""
        self.store.start()
        with Wire(self.store.address) as wire:
            self.check(wire)
            self._load_and_kill(wire, compacting=compacting)
        self._note_revisions()

    def check(self, wire: Wire) -> None:
        """The state is that of the acknowledged writes, and the revision has not gone back."""
        revision, found = everything(wire)
        assert revision >= self.highest_revision, "the revision went back"
        for writer in self.writers:
            writer.check(found)

    def _load_and_kill(self, wire: Wire, *, compacting: bool) -> None:
        stop = threading.Event()
        threads = [threading.Thread(target=writer.run, args=(wire, stop)) for writer in self.writers]
        if compacting:
            threads.append(threading.Thread(target=_compact_on, args=(wire, stop)))
        else:
            threads.append(threading.Thread(target=self.follower.run, args=(wire,)))
        for thread in threads:
            thread.start()
        stop.wait(self.rng.uniform(0.05, _LOAD_S_MAX))
        self.store.kill()
        stop.set()
        for thread in threads:
            thread.join()

    def _note_revisions(self) -> None:
        told = [max(writer.acknowledged, default=1) for writer in self.writers]
        self.highest_revision = max(self.highest_revision, self.follower.last_revision, *told)

    def acknowledged(self) -> dict[int, Change]:
        """Every acknowledged write of every writer, by revision."""
        merged: dict[int, Change] = {}
        for writer in self.writers:
            assert merged.keys().isdisjoint(writer.acknowledged), "two writes were given one revision"
            merged |= writer.acknowledged
        return merged


def _compact_on(wire: Wire, stop: threading.Event) -> None:
    """Compact close behind the writers until the store is gone."""
    while not stop.wait(0.02):
        answer = wire.call("Range", pb.RangeRequest(key=b"none"))
        if answer.message is None:
            return
        revision = answer.message.header.revision - 5  # type: ignore[attr-defined]
        wire.call("Compact", pb.CompactionRequest(revision=revision, physical=revision % 2 == 0))


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    loop = CrashLoop(FairleadStore(tmp_path))
    for _ in range(ROUNDS):
        loop.round()
    with loop.store, Wire(loop.store.address) as wire:
        loop.check(wire)
        revision, _ = everything(wire)
        loop.follower.run(wire, until_revision=revision)
        fresh = Follower()
        fresh.run(wire, until_revision=revision)
    acknowledged = loop.acknowledged()
    assert acknowledged, "no write was ever acknowledged: this proved nothing"
    told = loop.follower.told
    assert {at: told.get(at) for at in acknowledged} == acknowledged, "a watch missed an acknowledged write"
    assert told == fresh.told, "what a watch told before a crash is not what the store says after it"


def test_nothing_is_lost_while_compactions_run(tmp_path: Path) -> None:
    """A crash between a compaction and its trace on disk must not take the revision back (etcd's issue 17780)."""
    loop = CrashLoop(FairleadStore(tmp_path))
    for _ in range(_COMPACTING_ROUNDS):
        loop.round(compacting=True)
    with loop.store, Wire(loop.store.address) as wire:
        loop.check(wire)


def test_state_and_revision_are_the_same_after_any_restart(tmp_path: Path) -> None:
    loop = CrashLoop(FairleadStore(tmp_path))
    loop.round()
    with loop.store, Wire(loop.store.address) as wire:
        before = everything(wire)
        loop.store.stop()
    with loop.store, Wire(loop.store.address) as wire:
        assert everything(wire) == before
        loop.store.kill()
    with loop.store, Wire(loop.store.address) as wire:
        assert everything(wire) == before
