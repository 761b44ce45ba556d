"""Members that talk to each other, and everything that may come between them."""

import asyncio
import contextlib
import socket

import pytest
from structlog.testing import LogCapture
from tests.e2e.peer.world import CLUSTER, WITHIN_S, World, heartbeat, is_connected, until
from tests.unit.peer.strategies import BY_KIND

from fairlead.peer import (
    Call,
    PeerConfigError,
    PeerListenError,
    PeerMessage,
    Return,
    Transport,
    encode_message,
)
from fairlead.peer.frames import MAGIC, FrameKind, encode_frame
from fairlead.peer.handshake import StreamKind
from fairlead.raft import AppendEntries, Entry, Forward, InstallSnapshot, Snapshot


def said(log: LogCapture, event: str) -> list[str]:
    """The reasons in the lines that say ``event``."""
    return [str(line.get("why", "")) for line in log.entries if line["event"] == event]


def forward(to: int, sender: int, size: int, mark: bytes = b"") -> Forward:
    return Forward(to=to, sender=sender, term=1, proposals=[mark + bytes(size)])


def append(to: int, sender: int, data: bytes = b"x") -> AppendEntries:
    entries = [Entry(1, 10, data)]
    return AppendEntries(to=to, sender=sender, term=1, prev_index=9, prev_term=1, entries=entries, commit=9)


# ---- talking ----


async def test_messages_arrive_as_they_were_sent(world: World) -> None:
    one, two, three = await world.members(1, 2, 3)
    one.transport.send(
        [append(2, 1), append(3, 1), heartbeat(2, 1), Call(to=3, sender=1, id=5, method="m", payload=b"p")]
    )
    two.transport.send([Return(to=1, sender=2, id=5, payload=b"", error="no")])
    await until(lambda: len(two.heard.messages) == len(three.heard.messages) == 2 and one.heard.messages)
    assert sorted(two.heard.messages, key=repr) == [append(2, 1), heartbeat(2, 1)]
    assert sorted(three.heard.messages, key=repr) == [
        append(3, 1),
        Call(to=3, sender=1, id=5, method="m", payload=b"p"),
    ]
    assert one.heard.messages == [Return(to=1, sender=2, id=5, payload=b"", error="no")]
    assert one.heard.unreachable == []


async def test_what_goes_over_one_stream_keeps_its_order(world: World) -> None:
    one, two = await world.members(1, 2)
    for first in range(0, 1000, 100):
        one.transport.send(heartbeat(2, 1, at) for at in range(first, first + 100))
        await asyncio.sleep(0)
    await until(lambda: len(two.heard.messages) == 1000)
    assert two.heard.messages == [heartbeat(2, 1, at) for at in range(1000)]


async def test_both_ends_count(world: World) -> None:
    one, two = await world.members(1, 2)
    one.transport.send([heartbeat(2, 1), append(2, 1)])
    await until(lambda: len(two.heard.messages) == 2)
    sent, received = one.transport.counters.peer(2), two.transport.counters.peer(1)
    assert sent.sent_messages == received.received_messages == 2
    size = len(encode_message(heartbeat(2, 1))) + len(encode_message(append(2, 1)))
    assert sent.sent_bytes == received.received_bytes == size


async def test_the_round_trip_is_measured(world: World) -> None:
    one, _ = await world.members(1, 2)
    reported: list[tuple[int, float]] = []
    one.transport.on_round_trip = lambda member, round_trip_s: reported.append((member, round_trip_s))
    await until(lambda: reported and one.transport.round_trip_s(2) is not None)
    member, round_trip_s = reported[-1]
    assert member == 2
    assert 0 < round_trip_s < 10
    assert one.transport.round_trip_s(9) is None


async def test_small_messages_are_not_held_back(world: World) -> None:
    """Nagle's algorithm would wait for the acknowledgement of the heartbeat before."""
    one, _ = await world.members(1, 2)
    for stream in (one.transport._peers[2].urgent, one.transport._peers[2].bulk):
        assert stream.wire is not None
        assert stream.wire._transport is not None
        sock = stream.wire._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_a_turn_of_the_loop_is_one_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = await world.members(1, 2)
    wire = one.transport._peers[2].urgent.wire
    assert wire is not None
    flushed: list[int] = []
    flush = type(wire).flush

    def counted(self: object) -> None:
        if self is wire:
            flushed.append(len(wire._out))
        flush(self)  # type: ignore[arg-type]

    monkeypatch.setattr(type(wire), "flush", counted)
    for at in range(50):
        one.transport.send([heartbeat(2, 1, at)])
    await until(lambda: len(two.heard.messages) == 50)
    assert flushed[0] >= 50


async def test_over_ipv6(world: World) -> None:
    try:
        one = await world.member(1, listen_urls=("http://[::1]:0",))
        two = await world.member(2, listen_urls=("http://[::1]:0",))
    except PeerListenError as error:
        pytest.skip(f"no IPv6 here: {error}")
    for node in (one, two):
        node.transport.set_peers({1: [f"http://[::1]:{one.port}"], 2: [f"http://[::1]:{two.port}"]})
    await until(lambda: is_connected(one, two) and is_connected(two, one))


async def test_addresses_are_tried_in_turn(world: World) -> None:
    one, two, other = [await world.member(member) for member in (1, 2, 3)]
    one.transport.set_peers({2: ["http://127.0.0.1:1", other.url, two.url]})
    await until(lambda: is_connected(one, two))


# ---- who is who ----


async def test_another_cluster_is_refused_and_both_say_so_once(world: World, log: LogCapture) -> None:
    one, two = await world.member(1), await world.member(2, cluster_id=CLUSTER + 1)
    one.transport.set_peers({2: [two.url]})
    await until(lambda: two.transport.counters.refused["ClusterMismatchError"] >= 6)
    assert not is_connected(one, two)
    (theirs,), (ours,) = said(log, "refused a peer"), said(log, "refused by a peer")
    assert "member 2 belongs to cluster 71, this one to 70; check --initial-cluster" in theirs
    assert ours == f"{two.url}: {theirs}"


async def test_another_version_is_refused(world: World, log: LogCapture) -> None:
    one, two = await world.member(1), await world.member(2, version=2)
    one.transport.set_peers({2: [two.url]})
    await until(lambda: said(log, "refused by a peer"))
    assert (
        "speaks version 2 of the peer protocol, this one 1; run the same release"
        in said(log, "refused by a peer")[0]
    )
    assert not is_connected(one, two)


async def test_another_member_at_an_address_is_refused(world: World, log: LogCapture) -> None:
    """Two members whose addresses were mixed up must not take each other's messages."""
    one, three = await world.member(1), await world.member(3)
    one.transport.set_peers({2: [three.url]})
    await until(lambda: said(log, "refused by a peer"))
    assert "member 3 is at this address, not 2; correct the peer URLs" in said(log, "refused by a peer")[0]
    one.transport.send([heartbeat(2, 1)])
    await until(lambda: 2 in one.heard.unreachable)
    assert three.heard.messages == []


async def test_a_mended_mistake_is_found_out(world: World) -> None:
    """Only removal is final."""
    one, two = await world.member(1), await world.member(2, cluster_id=CLUSTER + 1)
    port = two.port
    one.transport.set_peers({2: [two.url]})
    await until(lambda: two.transport.counters.refused["ClusterMismatchError"] >= 2)
    await two.transport.stop()
    mended = await world.member(2, listen_urls=(f"http://127.0.0.1:{port}",))
    await until(lambda: is_connected(one, mended))


async def test_a_removed_member_is_told_once_and_dials_no_more(world: World) -> None:
    one, two = await world.member(1), await world.member(2)
    two.heard.removed = {1}
    one.transport.set_peers({2: [two.url]})
    await until(lambda: two.transport.counters.refused["RemovedError"] == 2)
    await until(
        lambda: all(s._task.done() for s in (one.transport._peers[2].urgent, one.transport._peers[2].bulk))
    )
    (text,) = one.heard.removed_texts
    assert "member 1 was removed from cluster 70; to bring this machine back, add it as a new member" in text


async def test_a_member_that_is_removed_while_connected_is_told(world: World) -> None:
    one, two, three = await world.members(1, 2, 3)
    three.heard.removed = {1}
    three.transport.set_peers({2: [two.url]})
    await until(lambda: one.heard.removed_texts)
    assert len(one.heard.removed_texts) == 1
    assert is_connected(three, two)
    assert not is_connected(three, one)
    peer = one.transport._peers[3]
    await until(lambda: peer.urgent._task.done() and peer.bulk._task.done())
    assert three.transport.counters.refused == {"RemovedError": 2}, (
        "the answer is final: it does not dial again"
    )


async def test_a_member_that_is_not_known_yet_is_let_in(world: World) -> None:
    """It may have been added by an entry that we have not applied."""
    one, two = await world.member(1), await world.member(2)
    one.transport.set_peers({2: [two.url]})
    await until(lambda: is_connected(one, two))
    one.transport.send([heartbeat(2, 1)])
    await until(lambda: two.heard.messages)


# ---- connections come and go ----


async def test_a_member_that_comes_back_is_found(world: World, log: LogCapture) -> None:
    one, two = await world.members(1, 2)
    port = two.port
    await two.transport.stop()
    await until(lambda: not is_connected(one, two) and one.heard.unreachable)
    again = await world.member(2, listen_urls=(f"http://127.0.0.1:{port}",))
    await until(lambda: is_connected(one, again))
    again.transport.set_peers({1: [one.url]})
    await until(lambda: is_connected(again, one))
    again.transport.send([heartbeat(1, 2)])
    await until(lambda: one.heard.messages)
    assert one.transport.counters.peer(2).lost_connections == 2
    ours = [line["event"] for line in log.entries if line.get("member") == "2"]
    assert ours == ["connected to peer", "lost the connection to a peer, trying again", "connected to peer"]


async def test_a_member_that_is_away_is_said_to_be_so_once(world: World, log: LogCapture) -> None:
    one = await world.member(1)
    one.transport.set_peers({2: ["http://127.0.0.1:1"]})
    stream = one.transport._peers[2].urgent
    dials = 0

    def counted(task: asyncio.Task[None] = stream._task) -> bool:
        nonlocal dials
        dials += not stream._nudged.is_set()
        stream.nudge()
        return dials > 5 and not task.done()

    await until(counted)
    assert said(log, "cannot reach a peer, trying again") == ["http://127.0.0.1:1: connection refused"]


async def test_a_member_that_was_away_is_dialled_as_soon_as_it_is_heard_of(world: World) -> None:
    patient = {"dial_interval_s": 60.0, "dial_interval_max_s": 60.0}
    one, two = await world.member(1, **patient), await world.member(2)
    url, port = two.url, two.port
    await two.transport.stop()
    one.transport.set_peers({2: [url]})
    await until(lambda: one.transport._peers[2]._said == "away")
    again = await world.member(2, listen_urls=(f"http://127.0.0.1:{port}",))
    again.transport.set_peers({1: [one.url]})
    await until(lambda: is_connected(one, again))


async def test_nothing_is_sent_twice(world: World) -> None:
    """A proposal that is forwarded twice is applied twice."""
    one, two = await world.member(1), await world.member(2)
    middle = await world.between(two)
    one.transport.set_peers({2: [middle.url]})
    await until(lambda: is_connected(one, two))
    sent = 0
    for _ in range(5):
        await middle.stall(StreamKind.BULK)
        one.transport.send([forward(2, 1, 10, b"%03d" % (sent + at)) for at in range(10)])
        sent += 10
        await asyncio.sleep(0)
        middle.cut()
        await middle.stall()
        await until(lambda: not is_connected(one, two))
        await until(lambda: is_connected(one, two))
    one.transport.send([forward(2, 1, 10, b"end")])
    await until(lambda: two.heard.messages and two.heard.messages[-1] == forward(2, 1, 10, b"end"))
    marks = [message.proposals[0][:3] for message in two.heard.messages if isinstance(message, Forward)]
    assert len(marks) == len(set(marks))
    assert marks == sorted(marks)


async def test_a_peer_that_is_dropped_hears_no_more(world: World) -> None:
    one, two, three = await world.members(1, 2, 3)
    one.transport.set_peers({3: [three.url]})
    assert not is_connected(one, two)
    await until(lambda: len(two.transport._incoming._wires) == 2)  # type: ignore[union-attr]
    one.transport.send([heartbeat(2, 1), heartbeat(3, 1)])
    await until(lambda: three.heard.messages)
    assert two.heard.messages == []
    assert 2 in one.heard.unreachable


async def test_a_peer_that_has_moved_is_dialled_at_its_new_address(world: World) -> None:
    one, two = await world.members(1, 2)
    middle = await world.between(two)
    one.transport.set_peers({2: [middle.url]})
    await until(lambda: is_connected(one, two))
    assert {link.stream for link in middle.links} == {StreamKind.URGENT, StreamKind.BULK}


async def test_peers_may_be_named_before_the_start_and_sends_are_dropped_until_then(world: World) -> None:
    two = await world.member(2)
    one = await world.member(1)
    late = Transport(one.transport._config, one.heard)
    await one.transport.stop()
    late.set_peers({2: [two.url]})
    late.send([heartbeat(2, 1)])
    assert late.addresses == []
    await late.stop()
    late.set_peers({2: [two.url]})
    await late.start()
    await until(lambda: late.is_connected(2))
    await late.stop()
    late.send([heartbeat(2, 1)])
    assert not late.is_connected(2)


# ---- too much, too slow, silent ----


async def test_what_a_slow_reader_does_not_take_is_dropped_and_reported(
    world: World, log: LogCapture
) -> None:
    limits = {"queue_bytes_max": 1 << 20, "frame_bytes_max": 1 << 20, "pings_missed_max": 10_000}
    one, two = await world.member(1, **limits), await world.member(2, pings_missed_max=10_000)
    middle = await world.between(two)
    one.transport.set_peers({2: [middle.url]})
    await until(lambda: is_connected(one, two))
    await middle.stall(StreamKind.BULK)
    counters = one.transport.counters.peer(2)

    def overflow() -> bool:
        one.transport.send([forward(2, 1, 100_000)])
        return counters.dropped_messages > 5

    await until(overflow)
    wire = one.transport._peers[2].bulk.wire
    assert wire is not None
    assert wire._transport is not None
    assert wire._transport.get_write_buffer_size() <= 1 << 20
    await until(lambda: 2 in one.heard.unreachable)
    assert len(one.heard.unreachable) <= counters.dropped_messages
    assert said(log, "messages to a peer are dropped") == ["it takes them more slowly than they come"]
    await middle.stall()
    await until(lambda: len(two.heard.messages) == counters.sent_messages)
    one.transport.send([forward(2, 1, 10)])
    await until(lambda: len(two.heard.messages) == counters.sent_messages)


async def test_what_is_left_for_a_slow_reader_is_not_kept_for_ever(world: World) -> None:
    """A peer that was dropped must not hold megabytes until it reads them."""
    one, two = await world.member(1), await world.member(2)
    middle = await world.between(two)
    one.transport.set_peers({2: [middle.url]})
    await until(lambda: is_connected(one, two))
    await middle.stall(StreamKind.BULK)
    one.transport.send([forward(2, 1, 30_000_000)])
    wire = one.transport._peers[2].bulk.wire
    assert wire is not None
    assert wire._transport is not None
    one.transport.set_peers({})
    await until(lambda: wire._transport is not None and wire._transport.get_write_buffer_size() == 0)


async def test_a_heartbeat_does_not_wait_behind_megabytes(world: World) -> None:
    one, two = await world.member(1), await world.member(2)
    middle = await world.between(two)
    one.transport.set_peers({2: [middle.url]})
    await until(lambda: is_connected(one, two))
    await middle.stall(StreamKind.BULK)
    one.transport.send([forward(2, 1, 30_000_000), heartbeat(2, 1)])
    await until(lambda: two.heard.messages)
    assert two.heard.messages == [heartbeat(2, 1)]


async def test_a_message_beyond_the_limit_is_dropped_here_not_refused_there(world: World) -> None:
    one, two = await world.members(1, 2, frame_bytes_max=1 << 20)
    one.transport.send([forward(2, 1, 2 << 20), forward(2, 1, 10)])
    await until(lambda: two.heard.messages)
    assert two.heard.messages == [forward(2, 1, 10)]
    assert one.transport.counters.peer(2).dropped_messages == 1
    assert is_connected(one, two)


@pytest.mark.parametrize("stream", [StreamKind.URGENT, StreamKind.BULK])
async def test_a_connection_over_which_nothing_comes_is_given_up(
    world: World, log: LogCapture, stream: StreamKind
) -> None:
    """A power cut at the other end, or a firewall that forgets, closes no connection."""
    impatient = {"ping_interval_s": 0.05, "pings_missed_max": 4}
    one, two = await world.member(1, **impatient), await world.member(2, **impatient)
    middle = await world.between(two)
    one.transport.set_peers({2: [middle.url]})
    await until(lambda: is_connected(one, two))
    await middle.stall(stream)

    def given_up() -> bool:
        """What goes on being written is no sign of life, whatever it fills."""
        if stream is StreamKind.BULK:
            one.transport.send([forward(2, 1, 500_000)])
        return not is_connected(one, two)

    await until(given_up)
    assert said(log, "lost the connection to a peer, trying again") == ["nothing heard for 4 ping intervals"]
    await until(lambda: 2 in one.heard.unreachable)
    await middle.stall()
    await until(lambda: is_connected(one, two))


# ---- nonsense ----


def damaged(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 1])


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "the checksum|more than"),
        (damaged(encode_frame(FrameKind.MESSAGE, encode_message(heartbeat(1, 9)))), "the checksum"),
        (encode_frame(FrameKind.MESSAGE, b"\xff\xff"), "2 bytes are no message"),
        (
            encode_frame(FrameKind.MESSAGE, encode_message(heartbeat(1, 8))),
            "a message from 8 to 1, neither of us",
        ),
        (
            encode_frame(FrameKind.MESSAGE, encode_message(heartbeat(5, 9))),
            "a message from 9 to 5, neither of us",
        ),
        (encode_frame(FrameKind.PONG, b""), "a PONG on a connection that takes urgent messages"),
        (
            encode_frame(
                FrameKind.MESSAGE,
                encode_message(InstallSnapshot(to=1, sender=9, term=1, snapshot=Snapshot(5, 1))),
            ),
            "a snapshot without its content",
        ),
    ],
)
async def test_nonsense_ends_a_connection_with_one_line(
    world: World, log: LogCapture, frame: bytes, why: str
) -> None:
    (one, two) = await world.members(1, 2)
    for _ in range(2):
        reader, writer = await world.stranger(one)
        writer.write(frame)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), WITHIN_S)
        writer.close()
    (line,) = [line for line in log.entries if line["event"] == "cut off a peer: it sent nonsense"]
    assert line["host"] == "127.0.0.1"
    assert any(each in line["why"] for each in why.split("|"))
    assert one.transport.counters.refused["PeerDecodeError"] == 2
    assert one.heard.messages == []
    two.transport.send([heartbeat(1, 2)])
    await until(lambda: one.heard.messages)


async def test_other_protocols_are_turned_away(world: World, log: LogCapture) -> None:
    one = await world.member(1)
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    writer.write(b"GET /version HTTP/1.1\r\n\r\n")
    assert await reader.read() == MAGIC
    writer.close()
    assert "which no member of Fairlead does" in said(log, "cut off a peer: it sent nonsense")[0]


async def test_one_that_says_nothing_is_cut_off(world: World) -> None:
    one = await world.member(1, ping_interval_s=0.02, pings_missed_max=3)
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
    assert await asyncio.wait_for(reader.read(), 10) == MAGIC
    writer.close()


async def test_connections_are_counted_and_limited(world: World, log: LogCapture) -> None:
    one, two, three = await world.member(1, connections_max=2), await world.member(2), await world.member(3)
    two.transport.set_peers({1: [one.url]})
    await until(lambda: is_connected(two, one))
    three.transport.set_peers({1: [one.url]})
    await until(lambda: said(log, "refused by a peer"))
    assert "2 connections are open already" in said(log, "refused by a peer")[0]
    assert is_connected(two, one)


# ---- what an operator got wrong ----


async def test_an_address_that_is_taken_is_named(world: World) -> None:
    one = await world.member(1)
    with pytest.raises(
        PeerListenError, match=rf"http://127.0.0.1:{one.port}: cannot listen \(address already in use\)"
    ):
        await world.member(2, listen_urls=(f"http://127.0.0.1:{one.port}",))


async def test_https_without_a_certificate_says_which_flags_are_missing(world: World) -> None:
    with pytest.raises(PeerConfigError, match="give --peer-cert-file and --peer-key-file"):
        await world.member(2, listen_urls=("https://127.0.0.1:0",))


def test_every_message_has_a_home() -> None:
    kinds: set[type[PeerMessage]] = set(BY_KIND)
    assert len(kinds) == 13
