"""Request heads: what is refused, and that what is not reads the same everywhere.

The refused list is that of RFC 9112 and of the known ways to smuggle a request past a proxy; each line of
it is something that some product let through.
"""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.proxy.config import Limits
from fairlead.proxy.errors import BadRequest
from fairlead.proxy.lines import PASSED, LineReader
from fairlead.proxy.request import Framing, RequestParser

LINE = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST


@pytest.mark.parametrize(
    ("status", "head"),
    [
        # The request line
        (400, b"GET /\r\n\r\n"),  # HTTP/0.9
        (505, b"GET / HTTP/2.0\r\n" + HOST),
        (505, b"PRI * HTTP/2.0\r\n"),
        (505, b"GET / HTTP/1.2\r\n" + HOST),
        (400, b"GET / HTTP/1.1 \r\n" + HOST),
        (400, b"GET  / HTTP/1.1\r\n" + HOST),
        (400, b"GET / http/1.1\r\n" + HOST),
        (400, b"GET / HTTP/1.1\n" + HOST),
        (400, b"GET /a b HTTP/1.1\r\n" + HOST),
        (400, b"GET /\x80 HTTP/1.1\r\n" + HOST),
        (400, b"GET /\t HTTP/1.1\r\n" + HOST),
        (400, b"GET /#frag HTTP/1.1\r\n" + HOST),
        (400, b"GET a HTTP/1.1\r\n" + HOST),
        (400, b"GET * HTTP/1.1\r\n" + HOST),
        (400, b"G@T / HTTP/1.1\r\n" + HOST),
        (501, b"get / HTTP/1.1\r\n" + HOST),
        (405, b"CONNECT a:443 HTTP/1.1\r\n" + HOST),
        (405, b"TRACE / HTTP/1.1\r\n" + HOST),
        (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST),
        # Host
        (400, LINE),
        (400, LINE + HOST + HOST),
        (400, LINE + HOST + b"host: b\r\n"),
        (400, LINE + b"Host: \r\n"),
        (400, LINE + b"Host: a b\r\n"),
        (400, LINE + b"Host: a/b\r\n"),
        (400, LINE + b"Host: user@a\r\n"),
        (400, LINE + b"Host: a:99999\r\n"),
        (400, LINE + b"Host: a:b\r\n"),
        (400, LINE + b"Host: b\xc3\xbccher.example\r\n"),
        (400, LINE + b"Host: [::1\r\n"),
        (400, b"GET http://b/ HTTP/1.1\r\n" + HOST),
        (400, b"GET http://a:81/ HTTP/1.1\r\n" + HOST),
        (400, b"GET http://user@a/ HTTP/1.1\r\n" + HOST),
        (400, b"GET http:/// HTTP/1.1\r\n" + HOST),
        (400, b"GET ftp://a/ HTTP/1.1\r\n" + HOST),
        # Fields
        (400, LINE + HOST + b"X : 1\r\n"),
        (400, LINE + b" X: 1\r\n" + HOST),
        (400, LINE + HOST + b"X: 1\r\n folded\r\n"),
        (400, LINE + HOST + b"X: a\x00b\r\n"),
        (400, LINE + HOST + b"X: a\rb\r\n"),
        (400, LINE + HOST + b"X: 1\nY: 2\r\n"),
        (400, LINE + HOST + b": 1\r\n"),
        (400, LINE + HOST + b"X\r\n"),
        (400, LINE + HOST + b"X\x80: 1\r\n"),
        (431, LINE + HOST + b"X: 1\r\n" * 101),
        # Framing
        (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n"),
        (400, POST + b"Content-Length: 3\r\nContent-Length: 4\r\n"),
        (400, POST + b"Content-Length: 3, 3\r\n"),
        (400, POST + b"Content-Length: +3\r\n"),
        (400, POST + b"Content-Length: -3\r\n"),
        (400, POST + b"Content-Length: 0x3\r\n"),
        (400, POST + b"Content-Length: 3_0\r\n"),
        (400, POST + b"Content-Length: \xd9\xa3\r\n"),
        (400, POST + b"Content-Length: \r\n"),
        (400, POST + b"Content-Length: 3 0\r\n"),
        (400, POST + b"Content-Length: 99999999999999999999\r\n"),
        (400, POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
        (400, POST + b"Transfer-Encoding: gzip, chunked\r\n"),
        (400, POST + b"Transfer-Encoding: ,chunked\r\n"),
        (400, POST + b"Transfer-Encoding: chunked, identity\r\n"),
        (400, POST + b"Transfer-Encoding: identity\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        (400, POST + b"Transfer-Encoding: xchunked\r\n"),
        (400, POST + b"Transfer-Encoding: chunked;q=1\r\n"),
        (400, POST + b'Transfer-Encoding: "chunked"\r\n'),
        (400, POST + b"Transfer-Encoding: \x0bchunked\r\n"),
        (400, POST + b"Transfer-Encoding : chunked\r\n"),
        (400, POST + b"Transfer-Encoding:\r\n chunked\r\n"),
        (400, POST + b"Transfer-Encoding: \xa0chunked\r\n"),
        (400, POST + b"Transfer\x00-Encoding: chunked\r\n"),
        (400, b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n"),
        (417, POST + b"Content-Length: 3\r\nExpect: the unexpected\r\n"),
    ],
)
def test_these_are_refused(status: int, head: bytes) -> None:
    parser = RequestParser(Limits())
    with pytest.raises(BadRequest) as caught:
        parser.parse(head + b"\r\n" if not head.endswith(b"\r\n\r\n") else head)
    assert caught.value.status == status
    assert parser.parse(LINE + HOST + b"\r\n").host == b"a", "nothing of a bad head stays in the parser"


@pytest.mark.parametrize(
    ("line", "host_field", "host", "target"),
    [
        (b"GET /x HTTP/1.1", b"EXAMPLE.com:443", b"example.com", b"/x"),
        (b"GET /x HTTP/1.1", b"example.com.", b"example.com", b"/x"),
        (b"GET /x HTTP/1.1", b"example.com.:80", b"example.com", b"/x"),
        (b"GET /x HTTP/1.1", b"[2001:DB8::1]:8080", b"[2001:db8::1]", b"/x"),
        (b"GET /x HTTP/1.1", b"my_app", b"my_app", b"/x"),
        (b"GET http://a.example/x?y HTTP/1.1", b"a.example:80", b"a.example", b"/x?y"),
        (b"GET HTTP://A.example HTTP/1.1", b"a.example", b"a.example", b"/"),
        (b"GET http://a?q HTTP/1.1", b"a", b"a", b"/?q"),
        (b"OPTIONS * HTTP/1.1", b"a", b"a", b"*"),
        (b"GET //x/../%2F;a HTTP/1.1", b"a", b"a", b"//x/../%2F;a"),
    ],
)
def test_these_targets_are_understood(line: bytes, host_field: bytes, host: bytes, target: bytes) -> None:
    request = RequestParser(Limits()).parse(line + b"\r\nHost: " + host_field + b"\r\n\r\n")
    assert (request.host, request.target) == (host, target)
    assert request.path == target.partition(b"?")[0]


def test_a_parser_serves_one_head_after_another_whatever_they_ask_for() -> None:
    parser = RequestParser(Limits())
    heads = {
        POST + b"Content-Length: 30\r\n\r\n": (Framing.LENGTH, 30, True, b""),
        POST + b"Transfer-Encoding: Chunked\r\n\r\n": (Framing.CHUNKED, 0, True, b""),
        LINE + HOST + b"Connection: close\r\n\r\n": (Framing.NONE, 0, False, b""),
        LINE + HOST + b"Connection: upgrade\r\nUpgrade: WebSocket\r\n\r\n": (
            Framing.NONE,
            0,
            True,
            b"websocket",
        ),
        LINE + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n": (Framing.NONE, 0, True, b""),
        LINE + HOST + b"Upgrade: websocket\r\n\r\n": (Framing.NONE, 0, True, b""),
        POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\n": (
            Framing.LENGTH,
            5,
            True,
            b"",
        ),
        b"GET / HTTP/1.0\r\n\r\n": (Framing.NONE, 0, False, b""),
        LINE + HOST + b"\r\n": (Framing.NONE, 0, True, b""),
    }
    for head, expected in [*heads.items(), *reversed(heads.items())]:
        request = parser.parse(head)
        assert (request.framing, request.length, request.keep_alive, request.upgrade) == expected


_NAME = st.sampled_from(
    [b"Content-Length", b"Transfer-Encoding", b"Host", b"X", b"Connection", b"Transfer_Encoding"]
)
_VALUE = st.sampled_from(
    [b"0", b"5", b"05", b"5,5", b"chunked", b"Chunked", b"chunked,", b"a", b"close", b"", b"a:80"]
)
_GAP = st.sampled_from([b"", b" ", b"\t", b"  "])
_END = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\n "])


@given(
    fields=st.lists(st.tuples(_NAME, _GAP, _VALUE, _GAP, _END), max_size=5),
    method=st.sampled_from([b"GET", b"POST"]),
    version=st.sampled_from([b"1.0", b"1.1"]),
)
def test_what_is_forwarded_h11_reads_the_same(
    fields: list[tuple[bytes, bytes, bytes, bytes, bytes]], method: bytes, version: bytes
) -> None:
    """Whoever stands behind must find the body where we found it."""
    head = b"%b / HTTP/%b\r\n" % (method, version)
    head += b"".join(name + b":" + before + value + after + end for name, before, value, after, end in fields)
    head += b"\r\n"
    if head.find(b"\r\n\r\n") + 4 != len(head):
        return
    try:
        request = RequestParser(Limits()).parse(head)
    except BadRequest:
        return
    other = h11.Connection(h11.SERVER)
    other.receive_data(head)
    event = other.next_event()
    assert isinstance(event, h11.Request)
    lengths = [int(value) for name, value in event.headers if name == b"content-length"]
    codings = [value for name, value in event.headers if name == b"transfer-encoding"]
    assert (request.framing is Framing.CHUNKED) == (codings == [b"chunked"])
    assert request.length == (lengths[0] if lengths else 0)


def test_lines_are_remembered_once_they_come_again_and_never_without_bound() -> None:
    reader = LineReader(lambda _: PASSED)
    (first,) = reader.read([b"X: 1"])
    (second,) = reader.read([b"X: 1"])
    assert first is not second, "what comes once only is not kept"
    assert reader.read([b"X: 1"]) == [second]
    for number in range(20_000):
        reader.read([b"X: %d" % number] * 2)
    assert len(reader._known) <= 8_192
    assert len(reader._seen_once) <= 8_192
    long = b"X: " + b"a" * 600
    assert reader.read([long] * 3)[0].value == b"a" * 600
    assert long not in reader._known
