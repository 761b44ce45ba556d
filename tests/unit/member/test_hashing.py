import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.member.conftest import Rig, make_follower

from fairlead.member.hashing import SLICE, hash_database, hash_kv
from fairlead.mvcc import KeyValueHash, Store
from fairlead.mvcc.testing import MemoryDatabases


def fill(store: Store, count: int) -> None:
    for number in range(count):
        txn = store.begin()
        txn.put(b"%d" % number, b"v")
        txn.end()


@pytest.fixture
def follower(tmp_path: Path) -> Rig:
    return make_follower(tmp_path / "db")


async def during(work: "asyncio.Future[KeyValueHash]", action: Callable[[], None]) -> None:
    """Do something between the first slice and the second."""
    await asyncio.sleep(0)
    assert not work.done()
    action()


async def test_others_have_their_turn_while_a_hash_is_made(follower: Rig) -> None:
    """A store of a million keys would be silent for seconds."""
    fill(follower.store, 2 * SLICE)
    expected = follower.store.hash_kv()
    work = asyncio.ensure_future(hash_kv(follower.machine))
    await during(work, lambda: fill(follower.store, 1))
    assert await work == expected


async def test_a_hash_begins_again_when_a_snapshot_is_installed(follower: Rig) -> None:
    """The old database is closed by then: to read on would be to read freed memory."""
    fill(follower.store, 2 * SLICE)
    backend = MemoryDatabases().open(Path("db"))
    newer = Store.open(backend)
    fill(newer, 3 * SLICE)

    def install() -> None:
        follower.machine.backend.close()
        follower.machine.adopt(backend, newer)

    history = asyncio.ensure_future(hash_kv(follower.machine))
    database = asyncio.ensure_future(hash_database(follower.machine))
    await during(history, install)
    assert await history == newer.hash_kv()
    assert await database == await hash_database(follower.machine)
