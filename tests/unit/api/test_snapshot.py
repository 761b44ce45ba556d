"""Maintenance.Snapshot: reference section 1.9."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from tests.unit.api.conftest import FakeCall, Rig

from fairlead.api.snapshot import BLOB_BYTES, STREAMS_MAX, Snapshots, SnapshotStream
from fairlead.member import TooManyRequestsError
from fairlead.member.backup import check_backup, read_database
from fairlead.mvcc import Backend, Store
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Code


class Client:
    """One snapshot stream as its client sees it."""

    def __init__(self, rig: Rig, service: Snapshots | None = None) -> None:
        self.call = FakeCall()
        self.service = service or Snapshots(rig.member)
        self.stream = SnapshotStream(rig.member, self.call, self.service.streams)  # type: ignore[arg-type]  # a fake

    def ask(self) -> None:
        self.stream.on_message(b"")
        self.stream.on_half_close()

    async def until_ended(self) -> list[pb.SnapshotResponse]:
        await self.call.until(lambda: not self.call.is_open)
        return self.heard

    @property
    def heard(self) -> list[pb.SnapshotResponse]:
        return [pb.SnapshotResponse.FromString(message) for message in self.call.sent]


@pytest.fixture
def client(rig: Rig) -> Client:
    return Client(rig)


async def fill(rig: Rig) -> None:
    for number in range(300):
        await rig.put(b"key %d" % number, b"%d" % number * 200)


async def test_the_blobs_are_a_whole_number_of_blocks_and_the_checksum_comes_last(
    rig: Rig, client: Client
) -> None:
    """What etcd's clients check before they accept a file."""
    await fill(rig)
    client.ask()
    *blobs, last = await client.until_ended()
    assert client.call.status == (Code.OK, "")
    content = b"".join(answer.blob for answer in blobs)
    assert len(content) % 512 == 0
    assert {len(answer.blob) for answer in blobs[:-1]} == {BLOB_BYTES}
    assert last.blob == hashlib.sha256(content).digest()
    assert [answer.remaining_bytes for answer in blobs] == [
        max(0, len(content) - BLOB_BYTES * (number + 1)) for number in range(len(blobs))
    ]
    assert last.remaining_bytes == 0
    assert {answer.version for answer in (*blobs, last)} == {"3.6.0"}


async def test_it_holds_everything_applied_before_it_was_asked_for(
    rig: Rig, client: Client, tmp_path: Path
) -> None:
    await fill(rig)
    client.ask()
    path = tmp_path / "backup"
    path.write_bytes(b"".join(answer.blob for answer in await client.until_ended()))
    header = check_backup(path)
    assert header.revision == rig.member.store.revision
    Backend.load(tmp_path / "db", read_database(path, header))
    backend = Backend.open(tmp_path / "db")
    assert Store.open(backend).hash_kv() == rig.member.store.hash_kv()
    backend.close()


async def test_a_client_that_does_not_read_is_sent_no_more_and_writes_go_on(rig: Rig, client: Client) -> None:
    """Otherwise a slow client would hold the whole database in memory."""
    for number in range(30):
        await rig.put(b"%d" % number, bytes(100_000))
    client.call.buffered_bytes = 1 << 20
    client.ask()
    (await rig.member.upkeep.copy()).close()  # behind the one that the stream asked for
    await rig.put(b"meanwhile")
    await rig.member.upkeep.committed()
    assert client.heard == []
    client.call.buffered_bytes = 0
    client.stream.on_writable()
    heard = await client.until_ended()
    assert sum(len(answer.blob) for answer in heard) > 3_000_000


async def test_a_client_that_goes_away_leaves_nothing_behind(
    rig: Rig, client: Client, tmp_path: Path
) -> None:
    await fill(rig)
    before = sorted(path.name for path in (tmp_path / "data").iterdir())
    client.call.buffered_bytes = 1 << 20
    client.ask()
    (await rig.member.upkeep.copy()).close()  # behind the one that the stream asked for
    client.stream.on_cancel()
    await client.service.stop()
    assert client.service.streams == set()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == before


async def test_one_that_goes_away_while_the_copy_is_made_does_not_leave_a_thread_with_the_database(
    rig: Rig, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing LMDB, or committing twice, under a thread that copies is a crash or a torn copy."""
    backend = rig.member.machine.backend
    loop, is_copying, may_end = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    copy = backend.copy

    def slow_copy(scratch: Path) -> object:
        loop.call_soon_threadsafe(is_copying.set)
        asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result(10)
        return copy(scratch)

    monkeypatch.setattr(backend, "copy", slow_copy)
    client.ask()
    async with asyncio.timeout(10):
        await is_copying.wait()
        stopping = asyncio.ensure_future(client.service.stop())
        await rig.put(b"a")
        rig.member.upkeep.commit_soon()
        await asyncio.sleep(0)
        assert not stopping.done()
        assert not backend.is_committing
        may_end.set()
        await stopping
        await rig.member.upkeep.committed()


async def test_only_so_many_are_made_at_once(rig: Rig) -> None:
    """Each has a copy of the database on the disk."""
    service = Snapshots(rig.member)
    clients = [Client(rig, service) for _ in range(STREAMS_MAX)]
    with pytest.raises(TooManyRequestsError):
        Client(rig, service)
    clients[0].stream.on_cancel()
    Client(rig, service).ask()
    await service.stop()


async def test_a_request_without_a_message_is_refused(client: Client) -> None:
    client.stream.on_half_close()
    assert client.call.status is not None
    assert client.call.status[0] is Code.INTERNAL
    assert client.service.streams == set()


async def test_a_disk_that_refuses_the_copy_is_one_line_for_the_client(
    rig: Rig, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "data" / "db.copy").write_text("in the way")
    client.ask()
    await client.until_ended()
    assert client.call.status is not None
    assert client.call.status[0] is Code.UNAVAILABLE
    assert "cannot copy" in client.call.status[1]
    await rig.put(b"a")
    await rig.member.upkeep.committed()
