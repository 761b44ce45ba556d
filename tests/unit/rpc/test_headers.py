"""Heads that differ in grpc-timeout only are checked once."""

from functools import partial

import hpack
import pytest
from tests.unit.rpc.wire import grpc_head, limits

from fairlead.http2 import Stream
from fairlead.rpc.headers import RequestHead, RequestReader


def reader_of_heads() -> RequestReader:
    return RequestReader(limits(), lambda _: partial(Stream))


def read(reader: RequestReader, block: bytes, stream_id: int) -> RequestHead:
    head = reader.head(block, stream_id)
    assert isinstance(head, RequestHead)
    return head


def test_each_call_has_its_own_timeout() -> None:
    encoder, reader = hpack.Encoder(), reader_of_heads()
    heads = [
        read(reader, encoder.encode([*grpc_head(), ("grpc-timeout", f"{n}m"), ("token", "t")]), 1)
        for n in (900, 7, 65)
    ]
    assert [head.fields["grpc-timeout"] for head in heads] == ["900m", "7m", "65m"]
    assert {head.fields["token"] for head in heads} == {"t"}
    assert {head.path for head in heads} == {"/t.T/Echo"}
    sizes = [head.list_bytes for head in heads]
    assert [size - sizes[0] for size in sizes] == [0, -2, -1]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param([("grpc-timeout", "1S"), *grpc_head()], id="before the pseudo-header fields"),
        pytest.param([*grpc_head(), ("grpc-timeout", "1S ")], id="with a space at its end"),
    ],
)
def test_a_malformed_one_is_not_taken_for_one_like_those_before(bad: list[tuple[str, str]]) -> None:
    encoder, reader = hpack.Encoder(), reader_of_heads()
    read(reader, encoder.encode([*grpc_head(), ("grpc-timeout", "1S")]), 1)
    with pytest.raises(Exception, match="PROTOCOL_ERROR"):
        read(reader, encoder.encode(bad), 3)
