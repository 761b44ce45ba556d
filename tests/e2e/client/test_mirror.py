"""The mirror on real stores: exact over restarts, compactions and lost history, and alone with its copy."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest
from tests.support.ports import free_port
from tests.support.store import EtcdServer, StoreServer

from fairlead.client import (
    Change,
    Changes,
    Client,
    Mirror,
    MirrorLimits,
    UnavailableError,
    op_delete,
    op_put,
)

QUICK = MirrorLimits(page_keys=7, heartbeat_s=0.1, silence_max_s=5.0, save_interval_s=0.05)


@pytest.fixture
async def client(store: StoreServer) -> AsyncIterator[Client]:
    async with Client([store.endpoint]) as made, asyncio.timeout(60):
        yield made


class Follower:
    """Applies every Change to a picture of its own, and refuses those that cannot be."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.pairs: dict[bytes, bytes] = {}
        self.revision = 0

    async def next(self) -> Change:
        change = await anext(self._changes)
        assert change.deletes <= self.pairs.keys(), "a deletion was told twice, or its put was lost"
        for key in change.deletes:
            del self.pairs[key]
        self.pairs.update({key: kv.value for key, kv in change.puts.items()})
        self.revision = change.revision
        return change

    async def until_held(self, key: bytes, value: bytes) -> None:
        while self.pairs.get(key) != value:
            await self.next()


async def until(claim: Callable[[], object]) -> None:
    """Wait for something that no event tells of; the test's timeout bounds it."""
    while not claim():  # noqa: ASYNC110 - a mirror tells of changes, not of its own state
        await asyncio.sleep(0.01)


def held(mirror: Mirror) -> dict[bytes, bytes]:
    return {kv.key: kv.value for kv in mirror.items()}


async def test_a_mirror_lists_all_its_prefixes_at_one_revision_and_in_pages(client: Client) -> None:
    for number in range(20):
        await client.txn([], [op_put(f"/a/{number:02}", "x"), op_put(f"/c/{number:02}", "x")])
    last = await client.put("/b", "between")
    async with Mirror(client, ["/c/", "/a/"], limits=QUICK) as mirror:
        await mirror.ready()

        assert mirror.revision == last.revision
        assert [kv.key for kv in mirror.items()] == sorted(kv.key for kv in mirror.items())
        assert len(mirror) == 40
        assert len(list(mirror.items("/a/"))) == 20
        assert mirror.get("/b") is None


async def test_what_one_revision_does_to_two_prefixes_is_one_change(client: Client) -> None:
    async with Mirror(client, ["/a/", "/z/"], limits=QUICK) as mirror:
        follower = Follower(mirror.changes())
        assert (await follower.next()).is_snapshot
        await client.put("/m", "not ours")
        both = await client.txn([], [op_put("/a/1", "x"), op_put("/z/1", "y")])
        change = await follower.next()
        assert (change.revision, set(change.puts), change.is_snapshot) == (
            both.revision,
            {b"/a/1", b"/z/1"},
            False,
        )
        swap = await client.txn([], [op_delete("/a/1"), op_put("/z/2", "z")])
        change = await follower.next()

    assert (change.revision, set(change.puts), change.deletes) == (
        swap.revision,
        {b"/z/2"},
        frozenset([b"/a/1"]),
    )


async def test_a_consumer_that_joins_late_is_told_all_there_is(client: Client) -> None:
    await client.put("/a", "x")
    async with Mirror(client, [""], limits=QUICK) as mirror:
        await mirror.ready()
        follower = Follower(mirror.changes())
        change = await follower.next()

        assert change.is_snapshot
        assert follower.pairs == {b"/a": b"x"}


async def test_a_slow_consumer_gets_changes_merged_and_none_is_lost(client: Client) -> None:
    async with Mirror(client, ["/a/"], limits=QUICK) as mirror:
        await mirror.ready()
        slow = Follower(mirror.changes())
        await slow.next()
        for number in range(50):
            await client.put(f"/a/{number % 5}", str(number))
        last = await client.delete("/a/0")
        await until(lambda: mirror.revision == last.revision)
        change = await slow.next()

    assert change.revision == last.revision
    assert change.deletes == set()  # it came and went while nobody looked
    assert slow.pairs == {f"/a/{number % 5}".encode(): str(number).encode() for number in range(46, 50)}


async def test_every_consumer_ends_when_the_mirror_does(client: Client) -> None:
    async with Mirror(client, ["/a/"], limits=QUICK) as mirror:
        changes = mirror.changes()
        await anext(changes)
        waiting = asyncio.ensure_future(anext(changes, None))
        await asyncio.sleep(0)

    assert await waiting is None


async def test_a_store_that_dies_again_and_again_loses_no_event_and_repeats_none(
    store: StoreServer, client: Client
) -> None:
    async with Mirror(client, ["/a/"], limits=QUICK) as mirror:
        follower = Follower(mirror.changes())
        await follower.next()
        for life in range(3):
            await client.put("/a/old", str(life))
            await client.put(f"/a/{life}", "x")
            store.kill()
            await until(lambda: not mirror.is_live)
            await asyncio.to_thread(store.start)
            writer = asyncio.create_task(put_patiently(client, f"/a/after-{life}", "y"))
            await follower.until_held(f"/a/after-{life}".encode(), b"y")
            await writer
            await until(lambda: mirror.is_live and mirror.problem is None)
        result = await client.get("/a/", prefix=True)
        assert follower.pairs == held(mirror) == {kv.key: kv.value for kv in result.kvs}


async def test_after_a_compaction_while_away_the_difference_is_exact(
    store: StoreServer, tmp_path: Path
) -> None:
    """The mirror is away, history moves on and is cut: only a list can bridge that."""
    async with Client([store.endpoint]) as client, asyncio.timeout(60):
        for key in ("/a/kept", "/a/rewritten", "/a/deleted"):
            await client.put(key, "old")
        copy_path = tmp_path / "copy"
        async with Mirror(client, ["/a/"], copy_path=copy_path, limits=QUICK) as mirror:
            await mirror.ready()
            await until(lambda: mirror.is_live)
        await client.put("/a/rewritten", "new")
        await client.delete("/a/deleted")
        await client.put("/a/came-and-went", "x")
        await client.delete("/a/came-and-went")
        last = await client.put("/a/added", "new")
        await client.compact(last.revision)
        async with Mirror(client, ["/a/"], copy_path=copy_path, limits=QUICK) as mirror:
            follower = Follower(mirror.changes())
            from_copy = await follower.next()
            assert set(from_copy.puts) == {b"/a/kept", b"/a/rewritten", b"/a/deleted"}
            change = await follower.next()

    assert change.is_snapshot
    assert change.revision == last.revision
    assert (set(change.puts), change.deletes) == ({b"/a/rewritten", b"/a/added"}, frozenset([b"/a/deleted"]))


async def test_a_mirror_that_was_away_for_a_moment_does_not_list_again(
    client: Client, tmp_path: Path
) -> None:
    """What it missed comes as events: no snapshot, and no load on the store for a large prefix."""
    await client.put("/a/1", "x")
    copy_path = tmp_path / "copy"
    async with Mirror(client, ["/a/"], copy_path=copy_path, limits=QUICK) as mirror:
        await mirror.ready()
    missed = await client.put("/a/2", "y")
    async with Mirror(client, ["/a/"], copy_path=copy_path, limits=QUICK) as mirror:
        follower = Follower(mirror.changes())
        await follower.next()
        change = await follower.next()

    assert (change.is_snapshot, change.revision, set(change.puts)) == (False, missed.revision, {b"/a/2"})


@pytest.mark.peer("etcd")
@pytest.mark.parametrize("writes", [1, 9], ids=["behind what was seen", "ahead of what was seen"])
async def test_a_store_that_was_wiped_is_noticed_even_when_its_revision_is_larger(
    tmp_path: Path, writes: int
) -> None:
    """It has the same cluster id, and a watch on it would go on as if nothing had happened."""
    store = EtcdServer(tmp_path / "store")
    async with Client([store.endpoint]) as client, asyncio.timeout(60):
        with store:
            for number in range(4):
                await client.put(f"/a/{number}", "old")
            async with Mirror(client, ["/a/"], limits=QUICK) as mirror:
                follower = Follower(mirror.changes())
                await follower.next()
                store.kill()
                shutil.rmtree(store.data_dir)
                # Filled at another address first, so that the mirror meets it complete.
                await refill(store, tmp_path, writes=writes)
                change = await follower.next()

                assert change.is_snapshot
                assert follower.pairs == {f"/a/new{number}".encode(): b"new" for number in range(writes)}
                assert change.deletes == {f"/a/{number}".encode() for number in range(4)}


async def refill(store: EtcdServer, folder: Path, *, writes: int) -> None:
    """Start ``store`` afresh with other data in it."""
    other = EtcdServer(folder / "other")
    other.program.argv = [*store.program.argv]
    argv = other.program.argv
    for flag in ("--listen-client-urls", "--advertise-client-urls"):
        argv[argv.index(flag) + 1] = other.endpoint
    with other:
        async with Client([other.endpoint]) as client:
            for number in range(writes):
                await client.put(f"/a/new{number}", "new")
    await asyncio.to_thread(store.start)


async def put_patiently(client: Client, key: str, value: str) -> None:
    """Write as soon as the store takes it; only what was never sent is sent again."""
    while True:
        try:
            await client.put(key, value)
        except UnavailableError as error:
            if error.is_sent:
                raise
        else:
            return


async def test_a_mirror_starts_from_its_copy_while_the_store_is_down(
    store: StoreServer, client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await client.put("/a/1", "x")
    copy_path = tmp_path / "copy"
    async with Mirror(client, ["/a/"], copy_path=copy_path, limits=QUICK) as mirror:
        await mirror.ready()
    store.kill()
    async with Mirror(client, ["/a/"], copy_path=copy_path, limits=QUICK) as mirror:
        follower = Follower(mirror.changes())
        await mirror.ready()
        await follower.next()
        assert follower.pairs == held(mirror) == {b"/a/1": b"x"}
        assert (mirror.is_live, mirror.age_s) == (False, float("inf"))
        await until(lambda: mirror.problem is not None)
        await asyncio.to_thread(store.start)
        await put_patiently(client, "/a/2", "y")
        await follower.until_held(b"/a/2", b"y")
        assert mirror.is_live

    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert store.endpoint in warnings[0]


async def test_a_damaged_copy_is_refused_with_one_warning_and_written_anew(
    client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await client.put("/a/1", "x")
    copy_path = tmp_path / "copy"
    copy_path.write_bytes(b"FLMIRR but no more")
    async with Mirror(client, ["/a/"], copy_path=copy_path, limits=QUICK) as mirror:
        await mirror.ready()
        assert held(mirror) == {b"/a/1": b"x"}
        await until(lambda: copy_path.read_bytes()[:8] == b"FLMIRR\x00\x01")

    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert str(copy_path) in warnings[0]


async def test_an_idle_mirror_stays_fresh_by_asking_for_signs_of_life(client: Client) -> None:
    # The bound on silence is out of reach: to connect anew would make it young, too.
    limits = MirrorLimits(heartbeat_s=QUICK.heartbeat_s, silence_max_s=600.0)
    async with Mirror(client, ["/a/"], limits=limits) as mirror:
        await until(lambda: mirror.is_live)
        for _ in range(3):
            await until(lambda: mirror.age_s > QUICK.heartbeat_s / 2)
            await until(lambda: mirror.age_s < QUICK.heartbeat_s / 2)


@pytest.mark.peer("etcd")
async def test_a_mirror_moves_to_another_member_when_its_own_hangs(tmp_path: Path) -> None:
    """A stopped process keeps its connections open: only silence tells."""
    limits = MirrorLimits(heartbeat_s=0.05, silence_max_s=0.5)
    with EtcdServer(tmp_path / "one") as one, EtcdServer(tmp_path / "two") as two:
        async with Client([one.endpoint, two.endpoint], timeout_s=2.0) as client, asyncio.timeout(60):
            async with Client([two.endpoint]) as writer:
                await writer.put("/a/two", "2")
            async with Mirror(client, ["/a/"], limits=limits) as mirror:
                follower = Follower(mirror.changes())
                await follower.next()
                assert follower.pairs == {}
                await until(lambda: mirror.is_live)
                one.program.signal(SIGSTOP)
                try:
                    await follower.until_held(b"/a/two", b"2")
                finally:
                    one.program.signal(SIGCONT)


async def test_without_store_and_copy_a_mirror_that_is_waited_for_says_why() -> None:
    async with Client([f"http://127.0.0.1:{free_port()}"]) as client, Mirror(client, ["/a/"]) as mirror:
        with pytest.raises(UnavailableError, match="no store answers"):
            await mirror.ready(timeout_s=0.5)
