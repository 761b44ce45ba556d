"""Snapshots over the network: whole, proved, and from where the last connection ended."""

import asyncio
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import LogCapture
from tests.e2e.peer.world import Middle, Node, World, heartbeat, is_connected, until

from fairlead.peer.frames import MAGIC, FrameKind, FrameReader, encode_frame
from fairlead.peer.handshake import StreamKind
from fairlead.peer.transfer import Offer, encode_chunk, encode_offer
from fairlead.raft import Configuration, InstallSnapshot, Snapshot
from fairlead.wal import Checkpoint, DiskFile, OsDisk, load_snapshot, save_snapshot

SIZE = 3 << 20
SMALL = {"chunk_bytes": 16 << 10, "window_bytes": 64 << 10}
NAME = "0000000000000003-0000000000000064.snap"


def body() -> bytes:
    return random.Random(7).randbytes(SIZE)


def saved(folder: Path) -> Path:
    """Write a snapshot as a member does."""
    return save_snapshot(OsDisk(), folder, Checkpoint(3, 0x64), [body()])


def install(to: int = 2, sender: int = 1) -> InstallSnapshot:
    snapshot = Snapshot(0x64, 3, Configuration(voters=frozenset({1, 2})))
    return InstallSnapshot(to=to, sender=sender, term=4, snapshot=snapshot)


def sending(node: Node, path: Path, to: int = 2) -> asyncio.Future[bool]:
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    node.transport.send_snapshot(install(to, node.id), path, done.set_result)
    return done


async def outcome(done: asyncio.Future[bool]) -> bool:
    return await asyncio.wait_for(done, 20)


async def pair(world: World, **changes: object) -> tuple[Node, Node, Middle]:
    """Two members; what the first says to the second goes through a network."""
    one, two = await world.member(1, **SMALL | changes), await world.member(2, **SMALL | changes)
    middle = await world.between(two)
    one.transport.set_peers({2: [middle.url]})
    await until(lambda: is_connected(one, two))
    return one, two, middle


def assert_has_it(node: Node) -> None:
    ((message, path),) = node.heard.snapshots
    assert message == install()
    assert path == node.snapshot_dir / NAME
    assert b"".join(load_snapshot(OsDisk(), path)) == body()
    assert [each.name for each in node.snapshot_dir.iterdir()] == [NAME]


def begun(log: LogCapture, event: str) -> list[int]:
    """Where each attempt began."""
    return [line["from_byte"] for line in log.entries if line["event"] == event and "from_byte" in line]


class SlowDisk(OsDisk):
    """Writes nothing while ``gate`` is closed; then fails, if it is told to."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.error: OSError | None = None
        self.written = 0

    def create(self, path: Path) -> DiskFile:  # type: ignore[override]
        return SlowFile(super().create(path), self)

    def open(self, path: Path) -> DiskFile:  # type: ignore[override]
        return SlowFile(super().open(path), self)


class SlowFile:
    """A file of a `SlowDisk`."""

    def __init__(self, file: DiskFile, disk: SlowDisk) -> None:
        self._file = file
        self._disk = disk
        self.size, self.data_size, self.preallocate = file.size, file.data_size, file.preallocate
        self.read, self.sync, self.close = file.read, file.sync, file.close

    def write(self, data: bytes, offset: int) -> int:
        assert self._disk.gate.wait(20)
        if self._disk.error is not None:
            raise self._disk.error
        self._disk.written += 1
        return self._file.write(data[: len(data) // 2 + 1], offset)


async def test_a_snapshot_arrives_whole(world: World, tmp_path: Path, log: LogCapture) -> None:
    one, two, _ = await pair(world)
    assert await outcome(sending(one, saved(tmp_path / "mine")))
    assert_has_it(two)
    assert (
        one.transport.counters.peer(2).snapshots_sent
        == two.transport.counters.peer(1).snapshots_received
        == 1
    )
    sent, received = (
        [line for line in log.entries if line["event"] == f"{verb} a snapshot"]
        for verb in ("sent", "received")
    )
    assert len(sent) == len(received) == 1
    assert sent[0]["size_bytes"] == received[0]["size_bytes"] == SIZE + 36


async def test_over_a_connection_that_breaks_it_goes_on_from_where_it_was(
    world: World, tmp_path: Path, log: LogCapture
) -> None:
    one, two, middle = await pair(world)
    middle.cut_after = SIZE // 2
    assert await outcome(sending(one, saved(tmp_path / "mine")))
    assert_has_it(two)
    first, second = begun(log, "sending a snapshot")
    assert first == 0
    assert SIZE // 2 - 128 * 1024 < second <= SIZE // 2
    assert begun(log, "receiving a snapshot") == [first, second]
    assert middle.count(StreamKind.BULK) < SIZE + 256 * 1024


async def test_a_receiver_that_restarts_goes_on_from_where_it_was(
    world: World, tmp_path: Path, log: LogCapture
) -> None:
    one, two, middle = await pair(world)
    middle.cut_after = SIZE // 2
    done = sending(one, saved(tmp_path / "mine"))
    await until(lambda: middle.cut_after is None)
    port = two.port
    await two.transport.stop()
    again = await world.member(2, listen_urls=(f"http://127.0.0.1:{port}",), **SMALL)
    assert await outcome(done)
    assert_has_it(again)
    assert begun(log, "sending a snapshot")[-1] > SIZE // 4


async def test_a_receiver_lets_go_when_the_connection_is_gone(world: World, tmp_path: Path) -> None:
    one, two, middle = await pair(world)
    middle.cut_after = SIZE // 2
    middle._server.close()  # nobody gets through again
    done = sending(one, saved(tmp_path / "mine"))
    downloads = two.transport._incoming._downloads  # type: ignore[union-attr]
    await until(lambda: downloads._task is not None and downloads._task.done())
    (part,) = two.snapshot_dir.iterdir()
    assert 0 < part.stat().st_size <= SIZE // 2
    one.transport.set_peers({})
    assert not await outcome(done)


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ([(8, 8)], "a chunk of 8 bytes at 8, 0 was to come"),
        ([(0, 8), (0, 8)], "a chunk of 8 bytes at 0, 8 was to come"),
        ([(0, 1000), (1000, 1)], "a chunk of 1 bytes at 1000"),
        ([(0, 600), (600, 400)], ""),
    ],
)
async def test_chunks_come_in_order_and_no_more_than_was_offered(
    world: World, log: LogCapture, chunks: list[tuple[int, int]], why: str
) -> None:
    disk = SlowDisk()
    one = await world.member(1, **SMALL, disk=disk)
    reader, writer = await world.stranger(one, StreamKind.BULK)
    offer = Offer(install(to=1, sender=9), 1000, 0)
    writer.write(encode_frame(FrameKind.SNAPSHOT_OFFER, encode_offer(offer)))
    frames = FrameReader(1000)
    frames.feed(MAGIC)
    received: list[FrameKind] = []
    while FrameKind.SNAPSHOT_ACK not in received:
        received += [kind for kind, _ in frames.feed(await reader.read(1000))]
    for offset, length in chunks:
        writer.write(encode_frame(FrameKind.SNAPSHOT_CHUNK, encode_chunk(offset, bytes(length))))
    disk.gate.set()
    if why:
        await until(lambda: one.transport.counters.refused)
        assert any(why in str(line.get("why")) for line in log.entries)
    else:
        await until(lambda: any("it arrived broken" in str(line.get("why")) for line in log.entries))
        assert not one.transport.counters.refused


async def test_a_sender_that_ignores_the_window_is_cut_off(world: World, log: LogCapture) -> None:
    """What a slow disk does not take must not pile up in memory."""
    disk = SlowDisk()
    one = await world.member(1, **SMALL, disk=disk)
    reader, writer = await world.stranger(one, StreamKind.BULK)
    offer = Offer(install(to=1, sender=9), SIZE, 0)
    writer.write(encode_frame(FrameKind.SNAPSHOT_OFFER, encode_offer(offer)))
    assert await reader.read(1000)
    downloads = one.transport._incoming._downloads  # type: ignore[union-attr]
    await until(lambda: downloads._current is not None and downloads._current._expected is not None)
    for offset in range(0, SIZE, 16 << 10):
        writer.write(encode_frame(FrameKind.SNAPSHOT_CHUNK, encode_chunk(offset, bytes(16 << 10))))
    await until(lambda: one.transport.counters.refused)
    assert any("bytes of a snapshot at a time" in str(line.get("why")) for line in log.entries)
    disk.gate.set()


async def test_a_damaged_chunk_is_refused_and_sent_again(
    world: World, tmp_path: Path, log: LogCapture
) -> None:
    one, two, middle = await pair(world)
    middle.flip_at = SIZE // 2
    assert await outcome(sending(one, saved(tmp_path / "mine")))
    assert_has_it(two)
    assert two.transport.counters.refused == {"PeerDecodeError": 1}
    assert begun(log, "sending a snapshot")[1] > SIZE // 4


async def test_a_file_that_is_broken_at_its_sender_is_never_taken(
    world: World, tmp_path: Path, log: LogCapture
) -> None:
    one, two, _ = await pair(world, snapshot_attempts_max=3)
    path = saved(tmp_path / "mine")
    with path.open("r+b") as file:
        file.seek(SIZE // 2)
        file.write(b"rot")
    assert not await outcome(sending(one, path))
    assert two.heard.snapshots == []
    assert list(two.snapshot_dir.iterdir()) == []
    assert begun(log, "sending a snapshot") == [0, 0, 0]
    refused = [line for line in log.entries if line["event"] == "receiving a snapshot was interrupted"]
    assert len(refused) == 3
    assert all(
        "it arrived broken: the size or the checksum of the snapshot" in line["why"] for line in refused
    )
    assert one.transport.counters.peer(2).snapshots_failed == 1
    assert is_connected(one, two)


async def test_a_beginning_that_is_rotten_is_thrown_away(
    world: World, tmp_path: Path, log: LogCapture
) -> None:
    """A power cut may leave zeros where the end of a .part was."""
    one, two, _ = await pair(world)
    path = saved(tmp_path / "mine")
    two.snapshot_dir.mkdir()
    checksum = int.from_bytes(path.read_bytes()[-4:], "little")
    (two.snapshot_dir / f"{NAME}.{checksum:08x}.part").write_bytes(bytes(1 << 20))
    assert await outcome(sending(one, path))
    assert_has_it(two)
    assert begun(log, "sending a snapshot") == [1 << 20, 0]


@pytest.mark.parametrize(("size", "begin"), [(0, 0), (SIZE + 36, SIZE + 36), (SIZE + 37, 0)])
async def test_a_beginning_may_be_nothing_all_or_too_much(
    world: World, tmp_path: Path, log: LogCapture, size: int, begin: int
) -> None:
    one, two, _ = await pair(world)
    path = saved(tmp_path / "mine")
    data = path.read_bytes()
    two.snapshot_dir.mkdir()
    part = two.snapshot_dir / f"{NAME}.{int.from_bytes(data[-4:], 'little'):08x}.part"
    part.write_bytes((data + b"x")[:size])
    assert await outcome(sending(one, path))
    assert_has_it(two)
    assert begun(log, "sending a snapshot") == [begin]
    assert not [line for line in log.entries if "interrupted" in line["event"]]


async def test_beginnings_of_other_snapshots_are_removed(world: World, tmp_path: Path) -> None:
    one, two, _ = await pair(world)
    two.snapshot_dir.mkdir()
    for stale in (f"{NAME}.00000000.part", "0000000000000001-0000000000000001.snap.12345678.part"):
        (two.snapshot_dir / stale).write_bytes(b"x")
    assert await outcome(sending(one, saved(tmp_path / "mine")))
    assert_has_it(two)


async def test_other_snapshots_are_left_alone(world: World, tmp_path: Path) -> None:
    one, two, _ = await pair(world)
    older = save_snapshot(OsDisk(), two.snapshot_dir, Checkpoint(1, 1), [b"old"])
    assert await outcome(sending(one, saved(tmp_path / "mine")))
    assert older.exists()


async def test_a_slow_disk_holds_up_the_snapshot_and_nothing_else(world: World, tmp_path: Path) -> None:
    disk = SlowDisk()
    one, two, middle = await pair(world, disk=disk)
    done = sending(one, saved(tmp_path / "mine"))
    window = int(SMALL["window_bytes"])
    await until(lambda: middle.count(StreamKind.BULK) >= window)
    one.transport.send([heartbeat(2, 1)])
    await until(lambda: two.heard.messages)
    assert middle.count(StreamKind.BULK) < 2 * window, "what is not acknowledged stays below a window"
    assert one.transport._peers[2].bulk.wire is not None
    disk.gate.set()
    assert await outcome(done)
    assert_has_it(two)


async def test_a_receiver_whose_disk_is_full_says_so(world: World, tmp_path: Path, log: LogCapture) -> None:
    disk = SlowDisk()
    disk.error = OSError(28, "No space left on device")
    disk.gate.set()
    one, two, _ = await pair(world, disk=disk, snapshot_attempts_max=2)
    assert not await outcome(sending(one, saved(tmp_path / "mine")))
    why = [line["why"] for line in log.entries if line["event"] == "sending a snapshot was interrupted"]
    assert len(why) == 2
    assert all("No space left on device" in each for each in why)
    assert two.heard.snapshots == []


async def test_a_receiver_that_makes_no_progress_is_given_up(
    world: World, tmp_path: Path, log: LogCapture
) -> None:
    disk = SlowDisk()
    one, _, _ = await pair(world, disk=disk, snapshot_attempts_max=2, snapshot_stall_s=0.1)
    assert not await outcome(sending(one, saved(tmp_path / "mine")))
    disk.gate.set()
    assert any("made no progress within 0.1 s" in str(line.get("why")) for line in log.entries)
    lost = one.transport.counters.peer(2).lost_connections
    assert lost >= 1, "a late answer to one attempt must not be taken for one to the next"


async def test_a_receiver_that_is_away_is_given_up(world: World, tmp_path: Path) -> None:
    one = await world.member(1, snapshot_attempts_max=2, snapshot_stall_s=0.05)
    one.transport.set_peers({2: ["http://127.0.0.1:1"]})
    assert not await outcome(sending(one, saved(tmp_path / "mine")))


@pytest.mark.parametrize("to", [2, 9])
async def test_a_file_that_is_not_there_or_a_member_nobody_knows(
    world: World, tmp_path: Path, to: int
) -> None:
    one, _, _ = await pair(world)
    assert not await outcome(sending(one, tmp_path / NAME, to))


async def test_a_file_that_is_too_short_is_no_snapshot(world: World, tmp_path: Path) -> None:
    one, two, _ = await pair(world, snapshot_attempts_max=1)
    for size in (0, 3, 10):
        path = tmp_path / NAME
        path.write_bytes(bytes(size))
        assert not await outcome(sending(one, path))
    assert two.heard.snapshots == []


async def test_one_snapshot_at_a_time_goes_to_a_peer(world: World, tmp_path: Path) -> None:
    one, two, middle = await pair(world)
    await middle.stall(StreamKind.BULK)
    path = saved(tmp_path / "mine")
    first, second = sending(one, path), sending(one, path)
    assert not await outcome(second)
    await middle.stall()
    assert await outcome(first)
    assert_has_it(two)
    assert await outcome(sending(one, path)), "the next one may go when the first has ended"


@pytest.mark.parametrize(
    "end", [lambda node: node.transport.set_peers({}), lambda node: node.transport.stop()]
)
async def test_a_peer_that_is_dropped_gets_no_more_of_it(
    world: World, tmp_path: Path, end: Callable[[Node], object]
) -> None:
    one, two, middle = await pair(world)
    await middle.stall(StreamKind.BULK)
    done = sending(one, saved(tmp_path / "mine"))
    ending = end(one)
    if ending is not None:
        await ending  # type: ignore[misc]
    assert not await outcome(done)
    assert two.heard.snapshots == []


async def test_the_newest_offer_counts(world: World, tmp_path: Path) -> None:
    """Of two that think they lead, the one that speaks last is the likelier."""
    disk = SlowDisk()
    one, three = await world.member(1, **SMALL), await world.member(3, **SMALL, snapshot_attempts_max=1)
    two = await world.member(2, **SMALL, disk=disk)
    for node in (one, three):
        node.transport.set_peers({2: [two.url]})
        await until(lambda node=node: is_connected(node, two))  # type: ignore[misc]
    older = sending(three, saved(tmp_path / "theirs"))
    downloads = two.transport._incoming._downloads  # type: ignore[union-attr]
    await until(lambda: downloads._current is not None and downloads._current._chunks)
    newer = sending(one, saved(tmp_path / "mine"))
    await until(lambda: downloads._current is not None and downloads._current._offer.message.sender == 1)
    disk.gate.set()
    assert not await outcome(older)
    assert await outcome(newer)
    assert_has_it(two)
