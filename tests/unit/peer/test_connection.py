"""Two ends of a connection, without a network between them."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.peer import (
    ClusterMismatchError,
    HandshakeError,
    PeerDecodeError,
    PeerSilentError,
    RemovedError,
    WrongMemberError,
)
from fairlead.peer.connection import Connection, State
from fairlead.peer.frames import MAGIC, FrameKind, encode_frame
from fairlead.peer.handshake import (
    HELLO_BYTES_MAX,
    QUESTION_BYTES_MAX,
    Hello,
    Identity,
    StreamKind,
    encode_welcome,
)

MISSED_MAX = 3
ONE, TWO = Identity(1, 70, 1), Identity(1, 70, 2)


def end(
    ours: Identity, hello: Hello | None = None, *, is_removed: Callable[[int], bool] = lambda _: False
) -> Connection:
    return Connection(ours, hello, is_removed=is_removed, frame_bytes_max=1 << 20, missed_max=MISSED_MAX)


def hello(stream: StreamKind = StreamKind.URGENT, to: int = 2) -> Hello:
    return Hello(ONE, to, stream)


class Pair:
    """Two ends; member 1 has dialled member 2."""

    def __init__(self, stream: StreamKind = StreamKind.URGENT) -> None:
        self.dialer, self.acceptor = end(ONE, hello(stream)), end(TWO)
        self.now_s = 100.0
        self.exchange()

    def exchange(self, delay_s: float = 0.0) -> None:
        """Carry what there is to the other end, and the answer back."""
        self.now_s += delay_s
        self.acceptor.receive(self.dialer.take(), now_s=self.now_s)
        self.dialer.receive(self.acceptor.take(), now_s=self.now_s)

    def tick(self) -> None:
        self.now_s += 1
        for each in (self.dialer, self.acceptor):
            each.tick(now_s=self.now_s)


@pytest.mark.parametrize(
    ("stream", "dialer", "acceptor"),
    [
        (StreamKind.URGENT, State.SENDING, State.URGENT),
        (StreamKind.BULK, State.SENDING, State.BULK),
        (StreamKind.GUEST, State.ASKING, State.ANSWERING),
    ],
)
def test_both_ends_know_what_the_connection_is_for(
    stream: StreamKind, dialer: State, acceptor: State
) -> None:
    pair = Pair(stream)
    assert (pair.dialer.state, pair.acceptor.state) == (dialer, acceptor)
    assert pair.acceptor.hello == hello(stream)
    assert pair.dialer.is_open
    assert pair.acceptor.is_open


def test_nothing_is_open_before_both_have_spoken() -> None:
    dialer, acceptor = end(ONE, hello()), end(TWO)
    assert not dialer.is_open
    assert not acceptor.is_open
    assert repr(dialer) == "<Connection GREETED missed=0/3>"


def test_frames_of_others_are_handed_on() -> None:
    pair = Pair()
    frame = encode_frame(FrameKind.MESSAGE, b"abc")
    assert pair.acceptor.receive(frame + frame, now_s=0) == [(FrameKind.MESSAGE, b"abc")] * 2


def test_a_refused_end_is_told_why() -> None:
    dialer, acceptor = end(ONE, hello(to=3)), end(TWO)
    with pytest.raises(WrongMemberError, match="member 2 is at this address, not 3"):
        acceptor.receive(dialer.take(), now_s=0)
    assert acceptor.state is State.CLOSED
    with pytest.raises(WrongMemberError, match="member 2 is at this address, not 3"):
        dialer.receive(acceptor.take(), now_s=0)
    assert dialer.state is State.CLOSED


def test_a_removed_member_is_told_at_the_door() -> None:
    dialer, acceptor = end(ONE, hello()), end(TWO, is_removed=lambda member: member == 1)
    with contextlib.suppress(HandshakeError):
        acceptor.receive(dialer.take(), now_s=0)
    with pytest.raises(RemovedError):
        dialer.receive(acceptor.take(), now_s=0)


def test_a_member_may_be_removed_while_it_is_connected() -> None:
    pair = Pair()
    pair.acceptor.refuse(RemovedError("gone"))
    with pytest.raises(RemovedError, match="gone"):
        pair.dialer.receive(pair.acceptor.take(), now_s=0)


def test_one_that_lets_everybody_in_is_still_looked_at() -> None:
    dialer = end(ONE, hello())
    welcome = encode_frame(FrameKind.WELCOME, encode_welcome(Identity(1, 71, 2)))
    with pytest.raises(ClusterMismatchError):
        dialer.receive(MAGIC + welcome, now_s=0)
    assert not dialer.is_open


@pytest.mark.parametrize("kind", FrameKind)
@pytest.mark.parametrize("stream", StreamKind)
def test_a_frame_has_a_place_or_is_refused(kind: FrameKind, stream: StreamKind) -> None:
    """What the receiving end takes, by the stream; everything else ends the connection."""
    taken = {
        StreamKind.URGENT: {FrameKind.MESSAGE, FrameKind.PING},
        StreamKind.BULK: {
            FrameKind.MESSAGE,
            FrameKind.PING,
            FrameKind.SNAPSHOT_OFFER,
            FrameKind.SNAPSHOT_CHUNK,
        },
        StreamKind.GUEST: {FrameKind.QUESTION},
    }[stream]
    acceptor = Pair(stream).acceptor
    if kind in taken:
        acceptor.receive(encode_frame(kind, b""), now_s=0)
    else:
        with pytest.raises(PeerDecodeError, match=f"a {kind.name} on a connection that"):
            acceptor.receive(encode_frame(kind, b""), now_s=0)


@pytest.mark.parametrize("kind", set(FrameKind) - {FrameKind.HELLO})
def test_nothing_is_taken_before_a_hello(kind: FrameKind) -> None:
    with pytest.raises(PeerDecodeError):
        end(TWO).receive(MAGIC + encode_frame(kind, b""), now_s=0)


def test_a_stranger_cannot_make_us_hold_megabytes() -> None:
    with pytest.raises(PeerDecodeError, match="more than 4096"):
        end(TWO).receive(MAGIC + encode_frame(FrameKind.HELLO, bytes(HELLO_BYTES_MAX + 1)), now_s=0)
    guest = Pair(StreamKind.GUEST).acceptor
    with pytest.raises(PeerDecodeError, match="more than 65536"):
        guest.receive(encode_frame(FrameKind.QUESTION, bytes(QUESTION_BYTES_MAX + 1)), now_s=0)


def test_members_may_send_large_frames_once_they_are_known() -> None:
    frame = encode_frame(FrameKind.MESSAGE, bytes(1 << 20))
    assert len(Pair().acceptor.receive(frame, now_s=0)) == 1


# ---- whether the other end is there ----


def test_a_ping_measures_the_round_trip() -> None:
    pair = Pair()
    assert pair.dialer.take_round_trip() is None
    pair.tick()
    pair.exchange(delay_s=0.25)
    assert pair.dialer.take_round_trip() == 0.25
    assert pair.dialer.take_round_trip() is None, "each is reported once"


def test_a_pair_that_answers_lives_for_ever() -> None:
    pair = Pair()
    for _ in range(5 * MISSED_MAX):
        pair.tick()
        pair.exchange()


def test_silence_is_noticed_at_both_ends() -> None:
    pair = Pair()
    for _ in range(MISSED_MAX):
        pair.tick()
    for each in (pair.dialer, pair.acceptor):
        with pytest.raises(PeerSilentError, match="nothing heard for 3 ping intervals"):
            each.tick(now_s=0)


def test_only_one_ping_is_on_its_way() -> None:
    pair = Pair()
    pair.tick()
    assert pair.dialer.take()
    pair.tick()
    assert pair.dialer.take() == b""


def test_a_pong_that_nobody_asked_for_is_nonsense() -> None:
    with pytest.raises(PeerDecodeError, match="nobody asked"):
        Pair().dialer.receive(encode_frame(FrameKind.PONG, b""), now_s=0)


def test_a_backlog_that_drains_is_a_sign_of_life() -> None:
    """A pong waits in line behind a snapshot on a slow link; that is no reason to cut the link."""
    dialer = Pair(StreamKind.BULK).dialer
    for at in range(5 * MISSED_MAX):
        dialer.tick(now_s=0, drained_bytes=1000 * at, has_backlog=True)


def test_a_backlog_that_stays_is_none() -> None:
    """A process that was stopped reads no more."""
    dialer = Pair(StreamKind.BULK).dialer
    for _ in range(MISSED_MAX):
        dialer.tick(now_s=0, drained_bytes=1000, has_backlog=True)
    with pytest.raises(PeerSilentError):
        dialer.tick(now_s=0, drained_bytes=1000, has_backlog=True)


def test_what_the_kernel_takes_without_a_backlog_is_none_either() -> None:
    """The kernel takes a few megabytes for a peer that is dead."""
    dialer = Pair().dialer
    for at in range(MISSED_MAX):
        dialer.tick(now_s=0, drained_bytes=1000 * at)
    with pytest.raises(PeerSilentError):
        dialer.tick(now_s=0, drained_bytes=1000 * MISSED_MAX)


@pytest.mark.parametrize("stream", [None, StreamKind.GUEST])
def test_who_trickles_bytes_instead_of_greeting_is_cut_off(stream: StreamKind | None) -> None:
    acceptor = end(TWO) if stream is None else Pair(stream).acceptor
    data = MAGIC + bytes(100) if stream is None else encode_frame(FrameKind.QUESTION, b"abc")
    for at in range(MISSED_MAX):
        acceptor.receive(data[at : at + 1], now_s=0)
        acceptor.tick(now_s=0)
    with pytest.raises(PeerSilentError):
        acceptor.tick(now_s=0)


@given(data=st.binary(max_size=100), stream=st.sampled_from(StreamKind))
def test_random_bytes_end_a_connection_cleanly(data: bytes, stream: StreamKind) -> None:
    pair = Pair(stream)
    for each in (pair.dialer, pair.acceptor):
        with contextlib.suppress(PeerDecodeError):
            each.receive(data, now_s=0)
