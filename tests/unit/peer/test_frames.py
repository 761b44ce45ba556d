"""A stream of bytes is cut into the frames it was made of, or refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.peer import PeerDecodeError
from fairlead.peer.frames import HEADER_BYTES, MAGIC, FrameKind, FrameReader, encode_frame

FRAMES = st.lists(st.tuples(st.sampled_from(FrameKind), st.binary(max_size=100)), max_size=6)


def stream(frames: list[tuple[FrameKind, bytes]]) -> bytes:
    return MAGIC + b"".join(encode_frame(kind, payload) for kind, payload in frames)


@given(frames=FRAMES, cuts=st.lists(st.integers(1, 40), min_size=1))
def test_frames_are_found_wherever_the_stream_is_cut(
    frames: list[tuple[FrameKind, bytes]], cuts: list[int]
) -> None:
    data, reader, found, at = stream(frames), FrameReader(100), [], 0
    while data:
        size = cuts[at % len(cuts)]
        found += reader.feed(data[:size])
        data, at = data[size:], at + 1
    assert found == frames
    assert repr(reader) == f"<FrameReader holds 0 of {HEADER_BYTES if frames or at else 8} bytes>"


def test_frames_that_come_in_one_piece() -> None:
    frames = [(FrameKind.PING, b""), (FrameKind.MESSAGE, b"abc"), (FrameKind.PONG, b"")]
    assert FrameReader(100).feed(stream(frames)) == frames


@given(frames=FRAMES.filter(bool), at=st.integers(min_value=0), flip=st.integers(1, 255))
def test_a_changed_byte_never_becomes_another_frame(
    frames: list[tuple[FrameKind, bytes]], at: int, flip: int
) -> None:
    """What is damaged here would be in the log of a majority."""
    data = bytearray(stream(frames))
    data[at % len(data)] ^= flip
    reader, found = FrameReader(1 << 40), []
    with contextlib.suppress(PeerDecodeError):
        found = reader.feed(bytes(data))
    assert found == frames[: len(found)]
    assert len(found) < len(frames)


@given(st.binary(max_size=300))
def test_random_bytes_behind_the_magic_are_refused_or_awaited(data: bytes) -> None:
    with contextlib.suppress(PeerDecodeError):
        assert FrameReader(1 << 20).feed(MAGIC + data) == []


def test_a_long_frame_is_refused_before_it_is_there() -> None:
    reader = FrameReader(10)
    frame = encode_frame(FrameKind.MESSAGE, b"x" * 11)
    with pytest.raises(PeerDecodeError, match="11 bytes, more than 10"):
        reader.feed(MAGIC + frame[:HEADER_BYTES])


def test_a_frame_may_be_as_long_as_is_allowed() -> None:
    assert FrameReader(10).feed(stream([(FrameKind.MESSAGE, b"x" * 10)])) == [(FrameKind.MESSAGE, b"x" * 10)]


def test_a_kind_that_nobody_knows_is_refused() -> None:
    frame = encode_frame(99, b"x")  # type: ignore[arg-type]
    with pytest.raises(PeerDecodeError, match="unknown kind 99"):
        FrameReader(100).feed(MAGIC + frame)


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n", b"\0" * 8])
def test_other_protocols_are_refused(first: bytes) -> None:
    with pytest.raises(PeerDecodeError, match="no member of Fairlead"):
        FrameReader(100).feed(first)


@pytest.mark.parametrize("first", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"\x15\x03\x01\x00\x02\x02\x46\x00"])
def test_tls_where_none_is_expected_says_what_to_mend(first: bytes) -> None:
    with pytest.raises(PeerDecodeError, match="make the peer URLs of both https or http"):
        FrameReader(100).feed(first)


def test_a_frame_of_megabytes_is_joined_once() -> None:
    """Bytes by the hundred thousand must not be copied with each piece that comes in."""
    reader, payload = FrameReader(1 << 30), bytes(4 << 20)
    data = stream([(FrameKind.MESSAGE, payload)])
    pieces = [data[at : at + 4096] for at in range(0, len(data), 4096)]
    for piece in pieces[:-1]:
        assert reader.feed(piece) == []
    assert len(reader._held) > 1000
    assert reader.feed(pieces[-1]) == [(FrameKind.MESSAGE, payload)]
