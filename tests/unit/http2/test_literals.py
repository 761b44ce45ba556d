"""Header blocks: what comes in is judged or refused, what goes out is read by others as it was meant."""

import hpack
from hpack.table import HeaderTable
from hyperframe import frame as frames
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rpc.wire import Raw

from fairlead.http2 import encoded, literals

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=300)


@given(
    st.lists(st.tuples(TOKEN, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20_000)))
)
def test_what_we_encode_is_read_by_hpack(fields: list[tuple[str, str]]) -> None:
    block = encoded([(name.encode(), value.encode()) for name, value in fields])
    decoder = hpack.Decoder(max_header_list_size=2**31)
    assert [(str(name), str(value)) for name, value in decoder.decode(block)] == fields
    assert not decoder.header_table.dynamic_entries


def test_every_name_of_the_static_table_is_read_by_hpack() -> None:
    fields = [(name, b"value that no table has") for name, _ in HeaderTable.STATIC_TABLE]
    fields += [field for field in HeaderTable.STATIC_TABLE if field[1]]
    assert hpack.Decoder().decode(encoded(fields), raw=True) == fields


def test_what_is_no_entry_of_the_static_table_is_never_indexed() -> None:
    """RFC 7541, section 6.2.3: a hop must keep that, and the head between the two sides cannot say it."""
    fields = [(b"authorization", b"secret"), (b"x-token", b"secret"), (b":status", b"200")]
    *others, entry = hpack.Decoder().decode(encoded(fields), raw=True)
    assert all(isinstance(each, hpack.NeverIndexedHeaderTuple) for each in others)
    assert not isinstance(entry, hpack.NeverIndexedHeaderTuple)


def test_long_fields_are_not_remembered() -> None:
    """What one client sends must not stay for ever."""
    known = len(literals._known)
    encoded([(b"x-long", b"%d" % number * 600) for number in range(50)])
    assert len(literals._known) == known
    encoded([(b"x-number", b"%d" % number) for number in range(20_000)])
    assert len(literals._known) <= literals._KNOWN_MAX
    assert encoded([(b":status", b"200")]) == b"\x88"


@settings(max_examples=300)
@given(st.binary(max_size=120))
def test_no_block_breaks_the_connection_but_by_the_rules(block: bytes) -> None:
    """Whatever a block holds, the answer is a stream, RST_STREAM or GOAWAY, and never an exception."""
    client = Raw()
    client.send(frames.HeadersFrame(1, block, flags=["END_HEADERS", "END_STREAM"]))
    assert client.errors == []


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=30)))
)
def test_no_frames_break_the_connection_but_by_the_rules(sent: list[tuple[int, int, int, bytes]]) -> None:
    client = Raw()
    client.send(client.request(1))
    for kind, flags, stream_id, payload in sent:
        head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big")
        client.send(head + payload)
    client.connection.tick(client.now_s + 10_000)
    client.connection.close()
    assert client.errors == []
    assert client.connection.held_bytes == 0
    assert client.connection.sender.buffered_bytes == 0
