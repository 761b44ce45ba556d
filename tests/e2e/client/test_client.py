"""The client on real stores: what it reads, writes and watches, and how it survives their absence."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests import peers
from tests.support.ports import free_port
from tests.support.processes import clean_environment
from tests.support.store import EtcdServer, StoreServer

from fairlead.client import (
    AuthError,
    Client,
    CompactedError,
    Compare,
    Credentials,
    HistoryLostError,
    LeaseLostError,
    UnavailableError,
    WatchBatch,
    op_delete,
    op_get,
    op_put,
)


@pytest.fixture
async def client(store: StoreServer) -> AsyncIterator[Client]:
    async with Client([store.endpoint]) as made, asyncio.timeout(60):
        yield made


def told(batch: WatchBatch) -> list[tuple[bytes, bytes | None]]:
    return [(event.kv.key, None if event.is_delete else event.kv.value) for event in batch.events]


async def test_what_is_put_can_be_read_listed_paged_and_deleted(client: Client) -> None:
    for number in range(3):
        await client.put(f"/a/{number}", str(number))
    last = await client.put("/b", "é")

    listed = await client.get("/a/", prefix=True)
    page = await client.get("/a/", prefix=True, limit=2, descending=True)
    before = await client.get("/b", revision=last.revision - 1)
    gone = await client.delete("/a/", prefix=True, prev_kv=True)

    assert [kv.value for kv in listed.kvs] == [b"0", b"1", b"2"]
    assert ([kv.key for kv in page.kvs], page.count, page.more) == ([b"/a/2", b"/a/1"], 3, True)
    assert (before.kv, before.count) == (None, 0)
    assert (gone.deleted, [kv.key for kv in gone.prev_kvs]) == (3, [b"/a/0", b"/a/1", b"/a/2"])
    kv = (await client.get("/b")).kv
    assert kv is not None
    assert (kv.value, kv.version, kv.mod_revision) == ("é".encode(), 1, last.revision)


async def test_a_transaction_takes_one_branch_at_one_revision(client: Client) -> None:
    is_absent = [Compare.version("/t").equals(0)]
    first = await client.txn(is_absent, [op_put("/t", "1"), op_put("/u", "1")], [op_get("/t")])
    second = await client.txn(is_absent, [op_put("/t", "2")], [op_get("/t"), op_delete("/u")])

    assert (first.succeeded, second.succeeded) == (True, False)
    kvs = (await client.get("/t", range_end="/v", revision=first.revision)).kvs
    assert {kv.mod_revision for kv in kvs} == {first.revision}
    assert (await client.get("/u")).count == 0


async def test_a_value_of_a_mebibyte_comes_back_whole_and_forty_of_them_in_one_answer(client: Client) -> None:
    """GRPC would refuse answers above 4 MiB by default."""
    for number in range(40):
        await client.put(f"/big/{number:02}", bytes([number]) * 2**20)

    result = await client.get("/big/", prefix=True)

    assert [kv.value[:1] for kv in result.kvs] == [bytes([number]) for number in range(40)]
    assert all(len(kv.value) == 2**20 for kv in result.kvs)


async def test_a_watch_sees_what_is_written_after_it_began(client: Client) -> None:
    await client.put("/w/before", "x")
    async with client.watch("/w/", prefix=True, prev_kv=True) as watch:
        await client.txn([], [op_put("/w/1", "a"), op_put("/w/2", "b"), op_put("/elsewhere", "c")])
        await client.delete("/w/1")
        batch = await anext(watch)
        assert told(batch) == [(b"/w/1", b"a"), (b"/w/2", b"b")]
        batch = await anext(watch)

    assert told(batch) == [(b"/w/1", None)]
    assert batch.events[0].prev_kv is not None
    assert batch.events[0].prev_kv.value == b"a"


async def test_a_watch_from_a_past_revision_is_caught_up_in_order(client: Client) -> None:
    revisions = [(await client.put("/w", str(number))).revision for number in range(20)]
    seen: list[int] = []
    async with client.watch("/w", start_revision=revisions[5]) as watch:
        while len(seen) < 15:
            seen += [event.kv.mod_revision for event in (await anext(watch)).events]

    assert seen == revisions[5:]


async def test_a_watch_from_a_compacted_revision_says_from_where_history_is_left(client: Client) -> None:
    for number in range(5):
        last = await client.put("/w", str(number))
    await client.compact(last.revision)

    with pytest.raises(CompactedError) as caught:
        async with client.watch("/w", start_revision=2) as watch:
            await anext(watch)

    assert (caught.value.revision, caught.value.compact_revision) == (2, last.revision)
    with pytest.raises(CompactedError, match="revision 2 has been compacted"):
        await client.get("/w", revision=2)


async def test_a_store_that_has_caught_up_says_so_when_asked(client: Client) -> None:
    last = await client.put("/p", "x")
    async with client.watch("/p", progress=True) as watch:
        await watch.request_progress()

        assert await anext(watch) == WatchBatch(revision=last.revision)


async def test_a_watch_goes_on_over_a_restart_without_loss_or_repetition(
    store: StoreServer, client: Client
) -> None:
    async with client.watch("/w/", prefix=True) as watch:
        seen: list[tuple[bytes, bytes | None]] = []
        for life in range(3):
            for number in range(5):
                await client.put(f"/w/{life}-{number}", "x")
            while len(seen) < 5 * (life + 1):
                seen += told(await anext(watch))
            await client.put(f"/w/{life}-unread", "x")
            store.kill()
            await asyncio.to_thread(store.start)
            seen += told(await anext(watch))
            seen.pop()

    assert [key for key, _ in seen] == [
        f"/w/{life}-{number}".encode() for life in range(3) for number in range(5)
    ]


async def test_a_read_waits_out_a_restart_that_is_quick_and_a_long_absence_is_told(
    store: StoreServer, client: Client
) -> None:
    await client.put("/a", "x")
    store.kill()
    async with asyncio.timeout(30):
        while True:
            with pytest.raises(UnavailableError) as caught:
                await client.put("/a", "y")
            if not caught.value.is_sent:
                break  # before, it left on a connection whose end nobody had noticed, and was in doubt
    assert "connection refused" in str(caught.value)
    await asyncio.to_thread(store.start)
    async with asyncio.timeout(30):
        while True:
            try:
                kv = (await client.get("/a")).kv
                break
            except UnavailableError:  # gRPC waits up to a second before it connects anew
                continue

    assert kv is not None
    assert kv.value == b"x"


async def test_a_lease_is_kept_alive_beyond_its_ttl_and_its_keys_go_with_it(client: Client) -> None:
    async with client.lease(2) as lease:
        await client.put("/l", "x", lease=lease.lease_id)
        await asyncio.sleep(2 * lease.ttl_s)
        assert not lease.is_lost
        assert (await client.lease_info(lease.lease_id, keys=True)).keys == (b"/l",)
        assert lease.lease_id in await client.leases()

    assert (await client.get("/l")).count == 0
    assert (await client.lease_info(lease.lease_id)).ttl_s == -1
    with pytest.raises(LeaseLostError):
        await client.keep_alive(lease.lease_id)
    with pytest.raises(LeaseLostError):
        await client.revoke(lease.lease_id)


async def test_a_lease_that_somebody_else_revokes_is_lost(client: Client) -> None:
    async with client.lease(2) as lease:
        await client.revoke(lease.lease_id)
        await lease.wait_lost()


async def test_members_and_their_state_are_told(store: StoreServer, client: Client) -> None:
    (status,) = await client.status()
    (member,) = await client.member_list()

    assert (status.endpoint, status.leader_id) == (store.endpoint, status.member_id)
    assert (member.member_id, member.name) == (status.member_id, store.name)
    assert member.client_urls == (store.endpoint,)
    assert await client.alarms() == ()


@pytest.mark.peer("etcd")
async def test_a_watch_of_a_store_that_was_wiped_ends_instead_of_waiting_in_silence(tmp_path: Path) -> None:
    """It would begin in a future that the new store reaches only after as many writes."""
    old = EtcdServer(tmp_path / "old")
    async with Client([old.endpoint]) as client, asyncio.timeout(60):
        with old:
            async with client.watch("/w") as watch:
                for number in range(5):
                    await client.put("/w", str(number))
                while watch.next_revision < 7:
                    await anext(watch)
                old.kill()
                old.data_dir.rename(tmp_path / "gone")
                await asyncio.to_thread(old.start)

                with pytest.raises(HistoryLostError) as caught:
                    await anext(watch)

    assert (caught.value.seen_revision, caught.value.revision) == (6, 1)


@pytest.mark.peer("etcd")
async def test_another_endpoint_takes_over_when_the_one_in_use_dies(
    tmp_path: Path, etcd: StoreServer
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    async with Client([dead, etcd.endpoint]) as client:
        await client.put("/a", "x")

        assert (await client.get("/a")).count == 1
        with pytest.raises(UnavailableError):
            await client.status()


@pytest.mark.peer("etcd", "etcdctl")
async def test_where_users_are_asked_for_a_user_signs_in_and_gets_what_its_role_allows(
    etcd: StoreServer,
) -> None:
    await asyncio.to_thread(enable_auth, etcd)
    async with (
        Client([etcd.endpoint]) as nobody,
        Client([etcd.endpoint], credentials=Credentials(user="app", password="wrong")) as wrong,
        Client([etcd.endpoint], credentials=Credentials(user="app", password="secret")) as app,
    ):
        with pytest.raises(AuthError, match="give --user NAME:PASSWORD"):
            await nobody.get("/app/a")
        with pytest.raises(AuthError, match="check the name and the password"):
            await wrong.get("/app/a")
        await app.put("/app/a", "x")
        with pytest.raises(AuthError, match="permission denied"):
            await app.put("/other", "x")
        with pytest.raises(AuthError, match="permission denied"):
            async with app.watch("/other"):
                pass
        async with app.watch("/app/", prefix=True) as watch:
            await app.put("/app/b", "y")
            assert told(await anext(watch)) == [(b"/app/b", b"y")]
            # Tokens of this kind live in memory: after a restart the old one is unknown.
            etcd.kill()
            await asyncio.to_thread(etcd.start)
            await app.put("/app/c", "z")
            assert told(await anext(watch)) == [(b"/app/c", b"z")]


def enable_auth(etcd: StoreServer) -> None:
    """User ``app``, password ``secret``, may read and write under ``/app/``."""
    for words in (
        ["role", "add", "app"],
        ["role", "grant-permission", "app", "readwrite", "/app/", "--prefix"],
        ["user", "add", "app:secret"],
        ["user", "grant-role", "app", "app"],
        ["user", "add", "root:secret"],
        ["user", "grant-role", "root", "root"],
        ["auth", "enable"],
    ):
        subprocess.run(
            [peers.find("etcdctl") or "etcdctl", "--endpoints", etcd.address, *words],
            check=True,
            capture_output=True,
            env=clean_environment({"ETCDCTL_API": "3"}),
        )
