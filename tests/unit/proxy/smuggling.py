"""Requests that some proxy and some server have read differently: the shapes of the public collections, as data.

Every entry is a whole byte stream of one client.  What a proxy may do with it: refuse it, or send on something
that every server reads the same way.  Sources of the shapes: HTTP Garden's trophies, smuggler's templates, the
regression tests of haproxy and llhttp; the bytes are written here.
"""

from collections.abc import Iterator

HOST = b"Host: a.example\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"

_CODINGS = [
    b"chunked", b"Chunked", b"CHUNKED", b"xchunked", b"chunkedx", b"chunked, identity", b"identity, chunked",
    b"identity", b"gzip, chunked", b"chunked, chunked", b",chunked", b"chunked,", b", chunked", b"chunked;a=b",
    b'"chunked"', b"'chunked'", b"\x0bchunked", b"\x0cchunked", b"chunked\x0b", b"\xa0chunked", b"chunked\xa0",
    b"\x00chunked", b"chunked\x00", b"ch\x00unked", b"c\xc5\xbfhunked", b"chun\xe2\x84\xaaed", b"\tchunked\t",
    b" \t chunked", b"cow", b"", b"chunked\r", b"\rchunked", b"chu\rnked", b"x\r\n chunked", b"\r\n chunked",
    b"\r\n\tchunked", b"\n chunked", b"chunked\nX: y", b"chunk\xadeds", b"deflate", b"compress, chunked", b"trailers",
]  # fmt: skip
_CODING_NAMES = [
    b"Transfer-Encoding:", b"transfer-encoding:", b"Transfer-Encoding :", b"Transfer-Encoding\t:", b" Transfer-Encoding:",
    b"\tTransfer-Encoding:", b"Transfer_Encoding:", b"Transfer Encoding:", b"Transfer-Encoding\x00:",
    b"X: y\rTransfer-Encoding:", b"X: y\nTransfer-Encoding:", b"\x00Transfer-Encoding:", b"Transfer-Encoding\r\n:",
    b"Transfer-Encoding", b"Transfer\xadEncoding:", b"\xef\xbb\xbfTransfer-Encoding:", b"Transfer-Encoding::",
    b"Foo: bar\r\n\rTransfer-Encoding:", b"Transfer-Encoding\xa0:", b"Transfer-\nEncoding:", b"@Transfer-Encoding:",
]  # fmt: skip
_LENGTHS = [
    b"5", b"05", b"+5", b"-5", b"5 ", b" 5", b"\t5", b"5\t", b"5,5", b"5, 5", b"5,6", b"0x5", b"0X5", b"5_0", b"_5",
    b"5.0", b"5e0", b"", b" ", b"\x0b5", b"5\x00", b"\x005", b"\xd9\xa5", b"\xef\xbc\x95", b"5\r", b"\r5", b"5 5",
    b"18446744073709551621", b"99999999999999999999999999", b"4294967301", b"9223372036854775813", b'"5"', b"5;",
    b"5\r\n 0", b"five", b"-0", b"+0", b"0", b"00", b"0x0", b"\n5", b"5\n", b"1\xb2", b"5\xa0",
]  # fmt: skip
_SIZES = [
    b"5", b"05", b"5 ", b" 5", b"\t5", b"5\t", b"+5", b"-5", b"0x5", b"0X5", b"5_", b"5;", b"5;x", b"5;x=y", b"5 ;x",
    b'5;x="\r\n"', b"5;\n", b"5;\r", b"5\n", b"\n5", b"\r\n5", b"5\r", b"5\x00", b"\xd9\xa5", b"5g", b"g", b"",
    b"00000000000000005", b"100000000000000005", b"FFFFFFFFFFFFFFFF", b"fffffffffffffffff5", b"5.", b"5,", b"5\x0b",
    b"5;" + b"x" * 5000, b"0" * 5000 + b"5",
]  # fmt: skip
_CHUNK_ENDS = [
    b"5\r\nhello\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\r0\r\n\r\n", b"5\r\nhelloXX0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\n\n", b"5\r\nhello\r\n0\r\n\n", b"5\r\nhello\r\n0\r\r\n",
    b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
    b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    b"5\r\nhello\r\n0\r\n X: y\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\nZ: w\r\n\r\n", b"5\r\nhello\r\n0\r\nX\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n", b"5\r\nhello\r\n00\r\n\r\n", b"5\r\nhello\r\n0;a\r\n\r\n",
    b"5\r\nhello\r\n\r\n0\r\n\r\n", b"5\r\n\r\nhel\r\n0\r\n\r\n", b"3\r\nhello\r\n0\r\n\r\n", b"6\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n\r\n", b"0\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
]  # fmt: skip
_HEADS = [
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n",
    b"GET http://b.example/ HTTP/1.1\r\n" + HOST + b"\r\n", b"GET http://a.example/x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET http://a.example@b.example/ HTTP/1.1\r\n" + HOST + b"\r\n", b"GET http:a.example/ HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET a.example:80 HTTP/1.1\r\n" + HOST + b"\r\n", b"GET ?x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /\x7f HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /#x HTTP/1.1\r\n" + HOST + b"\r\n", b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /\tHTTP/1.1\r\n" + HOST + b"\r\n", b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", b" GET / HTTP/1.1\r\n" + HOST + b"\r\n", b"\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n", b"\rGET / HTTP/1.1\r\n" + HOST + b"\r\n", b"GET / http/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/01.1\r\n" + HOST + b"\r\n", b"GET / HTTP/1.01\r\n" + HOST + b"\r\n", b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
    b"GET / HTTP/11\r\n" + HOST + b"\r\n", b"GET / HTTP/1,1\r\n" + HOST + b"\r\n", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    b"GET / HTTP/0.9\r\n" + HOST + b"\r\n", b"GET /\r\n" + HOST + b"\r\n", b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: a.example\nX: y\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a.example\r\n\n",
    b"GET / HTTP/1.1\r\nHost: a.example\r\nX: a\rb\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b": y\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"X\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X\x80: y\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"X(: y\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X: \x01\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Host\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close, X-Forwarded-For\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Content-Length\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT a.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"get / HTTP/1.1\r\n" + HOST + b"\r\n", b"G\x00T / HTTP/1.1\r\n" + HOST + b"\r\n", b'"GET" / HTTP/1.1\r\n' + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", b"HEAD / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", b"FOO / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n\r\n", POST + b"Content-Length: 5\r\nExpect: x\r\n\r\nhello",
    b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 40_000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n",
    b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00" * 64 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nhello",
]  # fmt: skip


def payloads() -> Iterator[bytes]:
    """Every stream; each is followed by a request that must not become anybody else's body, or answer."""
    for coding in _CODINGS:
        yield POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + CHUNKED + SMUGGLED
        yield POST + b"Content-Length: 5\r\nTransfer-Encoding: " + coding + b"\r\n\r\n" + CHUNKED + SMUGGLED
        yield (
            POST
            + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: "
            + coding
            + b"\r\n\r\n"
            + CHUNKED
            + SMUGGLED
        )
    for name in _CODING_NAMES:
        yield POST + name + b" chunked\r\n\r\n" + CHUNKED + SMUGGLED
        yield POST + b"Content-Length: 15\r\n" + name + b" chunked\r\n\r\n" + CHUNKED + SMUGGLED
    for length in _LENGTHS:
        yield POST + b"Content-Length: " + length + b"\r\n\r\nhello" + SMUGGLED
        yield POST + b"Content-Length: 5\r\nContent-Length: " + length + b"\r\n\r\nhello" + SMUGGLED
    for size in _SIZES:
        yield POST + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED
        yield POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + size + b"\r\n\r\n" + SMUGGLED
    for end in _CHUNK_ENDS:
        yield POST + b"Transfer-Encoding: chunked\r\n\r\n" + end + SMUGGLED
    for head in _HEADS:
        yield head
        yield head + SMUGGLED
