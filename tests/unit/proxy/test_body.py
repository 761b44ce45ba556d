"""Body framing: every split of the bytes gives the same payload, and nothing lenient."""

from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.proxy.body import LAST_CHUNK, BodyError, Chunked, Counted, Decoder, UntilClose, chunk


def feed(decoder: Decoder, data: bytes, cuts: list[int]) -> tuple[bytes, int]:
    """Feed ``data`` cut at ``cuts``; return the payload, and where the body ended (-1: it did not)."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces: list[bytes] = []
    for start, stop in pairwise(edges):
        if start == stop:
            continue
        end = decoder.feed(data[start:stop], pieces)
        if end >= 0:
            return b"".join(pieces), start + end
    return b"".join(pieces), -1


_cuts = st.lists(st.integers(0, 10_000), max_size=20)


@given(payload=st.binary(min_size=1), after=st.binary(max_size=9), cuts=_cuts)
def test_a_counted_body_ends_where_its_length_says(payload: bytes, after: bytes, cuts: list[int]) -> None:
    assert feed(Counted(len(payload)), payload + after, cuts) == (payload, len(payload))


@given(pieces=st.lists(st.binary(max_size=40)), after=st.binary(max_size=9), cuts=_cuts)
def test_chunks_survive_any_split(pieces: list[bytes], after: bytes, cuts: list[int]) -> None:
    data = b"".join(chunk(pieces)) + LAST_CHUNK
    assert feed(Chunked(), data + after, cuts) == (b"".join(pieces), len(data))


@given(cuts=_cuts)
def test_extensions_are_dropped_and_trailers_set_aside(cuts: list[int]) -> None:
    data = b'4;a="b;c"\r\nwiki\r\n005;x\r\npedia\r\n0;last\r\nX-Sum: 1\r\nHost: evil\r\n\r\n'
    decoder = Chunked()
    assert feed(decoder, data + b"GET", cuts) == (b"wikipedia", len(data))
    assert decoder.trailers == [(b"X-Sum", b"1"), (b"Host", b"evil")]


@given(data=st.text(alphabet="0123af;= \r\nx:-", max_size=30).map(str.encode), cuts=_cuts)
def test_what_is_accepted_h11_accepts_alike(data: bytes, cuts: list[int]) -> None:
    try:
        payload, end = feed(Chunked(), data, cuts)
    except BodyError:
        return
    if end < 0:
        return
    other = h11.Connection(h11.SERVER)
    other.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data[:end])
    received = b""
    while not isinstance(event := other.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            received += event.data
    assert received == payload


@pytest.mark.parametrize(
    "data",
    [
        b"+3\r\nabc\r\n", b"0x3\r\nabc\r\n", b"3_0\r\n", b"-1\r\n", b"\r\n", b" 3\r\nabc\r\n", b"3 \r\nabc\r\n",
        b"3\nabc\r\n", b"3\r\nabcd\r\n", b"3\r\nabc\n", b"3\r\nabc\rX\n", b"3;a\nb\r\nabc\r\n", b"3;\x00\r\nabc",
        b"ffffffffffffffffff\r\n", b"0\r\nno field\r\n\r\n", b"0\r\n folded: x\r\n\r\n", b"3;" + b"a" * 5000,
        b"0\r\n" + b"X: aaaaaaaaaaaaaaaa\r\n" * 1000, b"\xd9\xa3\r\nabc\r\n", b"0\r\n\n",
    ],
)  # fmt: skip
def test_broken_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(BodyError):
        feed(Chunked(), data, [])
    with pytest.raises(BodyError):
        feed(Chunked(), data, list(range(len(data))))


def test_a_body_until_close_never_ends_by_itself() -> None:
    assert UntilClose.ends_at_eof
    assert feed(UntilClose(), b"anything", [3]) == (b"anything", -1)
