"""Who is corrupt, told from hashes."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fairlead.member import corruption
from fairlead.member.corruption import HASHES_MAX, CompactHashes, CorruptionChecks, find_corrupt
from fairlead.mvcc import Backend, KeyValueHash, Store


def found(digest: int, *, compacted: int = -1, revision: int = 9) -> KeyValueHash:
    return KeyValueHash(digest, compacted, revision)


def test_nobody_is_corrupt_where_all_agree() -> None:
    assert find_corrupt({1: found(7), 2: found(7), 3: found(7)}, trusted=1) == set()


def test_who_differs_from_the_majority_is_corrupt_be_it_the_leader() -> None:
    assert find_corrupt({1: found(7), 2: found(8), 3: found(7)}, trusted=1) == {2}
    assert find_corrupt({1: found(8), 2: found(7), 3: found(7)}, trusted=1) == {1}


def test_of_two_that_differ_the_one_that_asks_is_trusted() -> None:
    assert find_corrupt({1: found(7), 2: found(8)}, trusted=1) == {2}


def test_hashes_of_other_revisions_or_compactions_say_nothing() -> None:
    hashes = {1: found(7), 2: found(8, revision=8), 3: found(8, compacted=4)}
    assert find_corrupt(hashes, trusted=1) == set()


def test_hashes_of_compactions_are_compared_from_the_newest_back_to_the_last_that_all_had() -> None:
    hashes = CompactHashes()
    for revision in (10, 20, 30):
        hashes.add(found(revision, compacted=revision, revision=revision))
    assert [each.hash_revision for each in hashes.unchecked()] == [30, 20, 10]
    hashes.checked(20)
    assert [each.hash_revision for each in hashes.unchecked()] == [30]
    hashes.checked(10)
    assert [each.hash_revision for each in hashes.unchecked()] == [30]


def test_the_oldest_hash_gives_way_and_one_that_is_not_there_is_none() -> None:
    hashes = CompactHashes()
    for revision in range(1, HASHES_MAX + 2):
        hashes.add(found(7, compacted=revision, revision=revision))
    assert hashes.at(1) is None
    assert hashes.at(2) == found(7, compacted=2, revision=2)
    assert hashes.at(HASHES_MAX + 2) is None
    assert len(hashes.unchecked()) == HASHES_MAX


def write(store: Store, *changes: tuple[bytes, bytes | None]) -> None:
    for key, value in changes:
        txn = store.begin()
        if value is None:
            txn.delete_range(key, b"")
        else:
            txn.put(key, value)
        txn.end()


def test_a_compaction_has_one_hash_however_late_a_member_takes_it(tmp_path: Path) -> None:
    """A healthy member that is slow must not be called corrupt: what came since, and what has gone, do not count."""
    hashes = set()
    for number in range(3):
        backend = Backend.open(tmp_path / str(number), map_bytes=1 << 24)
        store = Store.open(backend)
        write(store, (b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"gone", b"1"), (b"gone", None), (b"c", b"1"))
        store.compact(6)
        if number >= 1:
            write(store, (b"a", b"3"), (b"b", None), (b"gone", b"2"), (b"c", b"2"))
        while number >= 2 and not store.compact_step(1):
            pass
        hashes.add(store.hash_kv(6))
        backend.close()
    assert len(hashes) == 1
    (only,) = hashes
    assert (only.compact_revision, only.hash_revision) == (6, 6)


async def test_of_compactions_that_come_faster_than_they_are_hashed_the_last_is_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine: Any = SimpleNamespace(on_compacted=None)
    config = SimpleNamespace(corrupt_check_s=0, compact_hash_check_s=3600)
    questions: Any = SimpleNamespace(answers={})
    member: Any = SimpleNamespace(
        config=config, machine=machine, replica=SimpleNamespace(questions=questions)
    )
    begun: list[int] = []
    may_end, all_done = asyncio.Event(), asyncio.Event()

    async def hash_slowly(_: object, revision: int) -> KeyValueHash:
        begun.append(revision)
        await may_end.wait()
        if revision == 40:
            all_done.set()
        return found(7, compacted=revision, revision=revision)

    monkeypatch.setattr(corruption, "hash_kv", hash_slowly)
    checks = CorruptionChecks(member)
    checks.start()
    try:
        machine.on_compacted(10)
        await asyncio.sleep(0)
        for revision in (20, 30, 40):
            machine.on_compacted(revision)
        await asyncio.sleep(0)
        assert begun == [10], "one at a time"
        may_end.set()
        async with asyncio.timeout(10):
            await all_done.wait()
        assert begun == [10, 40]
        machine.on_compacted(50)
        await asyncio.sleep(0)
        assert begun == [10, 40, 50], "and again later"
    finally:
        await checks.stop()
