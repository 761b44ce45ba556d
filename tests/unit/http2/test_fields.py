"""HPACK decoding, held against the library: the same blocks, the same fields, block after block."""

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.http2 import ConnectionFault
from fairlead.http2.fields import FieldDecoder
from fairlead.http2.frames import ErrorCode

NAMES = st.sampled_from([":path", ":method", "content-type", "grpc-timeout", "x-custom", "te", "token"])
# The long one is larger than the table; the library takes its time over it.
VALUES = st.one_of(st.sampled_from(["POST", "trailers", "", "5S", "v" * 5000]), st.text(max_size=300))
LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=10)


def plain(fields: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in fields]


@settings(max_examples=300)
@given(st.lists(LISTS, max_size=12), st.lists(st.integers(0, 4096), max_size=12), st.booleans())
def test_whatever_the_library_encodes_is_decoded(
    lists: list[list[tuple[str, str]]],
    sizes: list[int],
    huffman: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    """With a table that grows, evicts, and changes its size between the blocks."""
    encoder, decoder = hpack.Encoder(), FieldDecoder(10**9)
    for turn, fields in enumerate(lists):
        if turn < len(sizes):
            encoder.header_table_size = sizes[turn]
        assert decoder.decode(encoder.encode(fields, huffman=huffman)) == plain(fields)


@settings(max_examples=500)
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_whatever_the_library_refuses_is_refused(blocks: list[bytes]) -> None:
    """And what it takes means the same here, the table included."""
    oracle, decoder = hpack.Decoder(max_header_list_size=10**9), FieldDecoder(10**9)
    for block in blocks:
        try:
            expected = [(bytes(name), bytes(value)) for name, value in oracle.decode(block, raw=True)]
        except (hpack.HPACKError, IndexError):
            with pytest.raises(ConnectionFault) as caught:
                decoder.decode(block)
            assert caught.value.code is ErrorCode.COMPRESSION_ERROR
            return
        assert decoder.decode(block) == expected


def test_the_table_holds_no_more_than_it_may() -> None:
    """RFC 7541, section 4.1: an entry is 32 bytes larger than its name and value; 124 of 33 bytes fit into 4,096."""
    decoder = FieldDecoder(10**9)
    decoder.decode(b"\x40\x01a\x00" * 200)
    assert decoder.decode(b"\xff\x3a") == [(b"a", b"")], "index 185, the 124th entry after the static ones"
    with pytest.raises(ConnectionFault):
        decoder.decode(b"\xff\x3b")


def test_the_examples_of_the_rfc() -> None:
    """RFC 7541, C.4: three requests with Huffman code on one connection."""
    decoder = FieldDecoder(10**9)
    common = [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"www.example.com"),
    ]
    first = bytes.fromhex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")
    second = bytes.fromhex("8286 84be 5886 a8eb 1064 9cbf")
    third = bytes.fromhex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")
    assert decoder.decode(first) == common
    assert decoder.decode(second) == [*common, (b"cache-control", b"no-cache")]
    assert decoder.decode(third) == [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\x80", id="6.1: index 0"),
        pytest.param(b"\xbe", id="2.3.3: beyond the table"),
        pytest.param(b"\x82\x20", id="4.2: size update after a field"),
        pytest.param(b"\x3f\xe2\x1f", id="6.3: size above our limit"),
        pytest.param(b"\xff\x80\x80\x80\x80\x80\x01", id="5.1: integer without end"),
        pytest.param(b"\x00\x05abc", id="5.2: string cut off"),
        pytest.param(b"\x00\x81\x00\x00", id="5.2: Huffman padding that is not all ones"),
    ],
)
def test_what_must_be_refused(block: bytes) -> None:
    with pytest.raises(ConnectionFault) as caught:
        FieldDecoder(10**9).decode(block)
    assert caught.value.code is ErrorCode.COMPRESSION_ERROR


def test_a_list_beyond_the_limit_is_not_decoded_to_its_end() -> None:
    block = hpack.Encoder().encode([("x", "v" * 900)]) + b"\xbe" * 10**6
    with pytest.raises(ConnectionFault) as caught:
        FieldDecoder(10_000).decode(block)
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM
