"""DNS over TLS and over HTTPS: real handshakes, httpx and dnspython as clients, and clients that mean no good."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import dns.asyncquery
import dns.message
import h2.config
import h2.connection
import httpx
import pytest
import uvloop
from tests.support.certificates import Certificates
from tests.unit.dns.site import Site, rcode, rdatas, until
from tests.unit.dns.test_hooks import Elsewhere

from fairlead.dns import Limits
from fairlead.dns.client import Transport
from fairlead.dns.doh import HttpStream
from fairlead.dns.doh.connection import ALPN
from fairlead.dns.doh.exchange import TARGET_BYTES_MAX, Request, Response, packet_of
from fairlead.dns.doh.http1 import HEADERS_BYTES_MAX, Http1Session
from fairlead.dns.doh.http2 import RESETS_MAX, Http2Session
from fairlead.dns.server_tcp import Make, TcpServer
from fairlead.dns.sockets import bound_socket
from fairlead.dns.stream import DnsStream

pytestmark = pytest.mark.peer("openssl")
NAME = "web.skydns.test"
RECORDS = {
    **{f"{n}.{NAME}": {"host": f"10.0.0.{n}", "ttl": 77} for n in range(1, 4)},
    "big.skydns.test": {"text": "t" * 60_000},
}
QUERY = dns.message.make_query(NAME, "A", id=0)
MEDIA = {"content-type": "application/dns-message"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def serving(
    site: Site, make: Make, certificates: Certificates, *alpn: str, limits: Limits | None = None
) -> AsyncIterator[tuple[TcpServer, int]]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates["server.crt"], certificates["server.key"])
    tls.set_alpn_protocols(list(alpn))
    server = TcpServer(site.responder, limits or Limits(), make, tls=tls)
    bound = bound_socket(socket.SOCK_STREAM, "127.0.0.1", 0)
    port = bound.getsockname()[1]
    await server.adopt(bound)
    await server.start()
    try:
        yield server, port
    finally:
        server.close()
        await until(lambda: len(server) == 0)


def dot(site: Site, certificates: Certificates, **more: Limits):  # type: ignore[no-untyped-def]
    return serving(site, partial(DnsStream, transport=Transport.TLS), certificates, "dot", **more)


def doh(site: Site, certificates: Certificates, **more: Limits):  # type: ignore[no-untyped-def]
    return serving(site, HttpStream, certificates, *ALPN, **more)


def browser(certificates: Certificates, *, http2: bool) -> httpx.AsyncClient:
    verify = ssl.create_default_context(cafile=certificates["ca.crt"])
    return httpx.AsyncClient(http1=not http2, http2=http2, verify=verify, timeout=10)


# DNS over TLS


async def test_a_query_within_tls_is_answered(certificates: Certificates) -> None:
    """RFC 7858, with the client checking the certificate."""
    async with dot(Site(RECORDS), certificates) as (_, port):
        for name in (NAME, "big.skydns.test"):
            query = dns.message.make_query(name, "TXT" if name != NAME else "A", use_edns=0, pad=128)
            response = await dns.asyncquery.tls(
                query, "127.0.0.1", port=port, timeout=10, verify=certificates["ca.crt"]
            )
            assert rcode(response) == "NOERROR"
            assert response.answer


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_query_that_comes_with_the_end_of_the_handshake_is_not_lost(
    certificates: Certificates, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """TLS 1.3 lets a client send its query in one flight with its Finished."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        for server in (dot, doh):
            runner.run(_shake_hands_and_ask_at_once(certificates, server))


async def _shake_hands_and_ask_at_once(certificates: Certificates, serve) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    wire = QUERY.to_wire()
    request = (
        b"GET /dns-query?dns=" + base64.urlsafe_b64encode(wire).rstrip(b"=") + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    query = len(wire).to_bytes(2, "big") + wire if serve is dot else request
    loop = asyncio.get_running_loop()
    async with serve(Site(RECORDS), certificates) as (_, port):
        for _ in range(5):
            tls = ssl.create_default_context(cafile=certificates["ca.crt"])
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = tls.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setblocking(False)
                async with asyncio.timeout(10):
                    while True:
                        try:
                            session.do_handshake()
                            break
                        except ssl.SSLWantReadError:
                            await loop.sock_sendall(client, outgoing.read())
                            incoming.write(await loop.sock_recv(client, 65536))
                    session.write(query)
                    await loop.sock_sendall(client, outgoing.read())  # Finished and the query together
                    answered = b""
                    while b"\x0a\x00\x00\x01" not in answered:
                        incoming.write(await loop.sock_recv(client, 65536))
                        with suppress(ssl.SSLWantReadError):
                            answered += session.read(65536)


async def test_who_does_not_shake_hands_is_counted_bounded_and_let_go(certificates: Certificates) -> None:
    limits = Limits(tcp_connections_per_ip_max=2, tcp_idle_s=0.2)
    async with dot(Site(RECORDS), certificates, limits=limits) as (server, port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await until(lambda: server.refused == 1)
        await until(lambda: len(server) == 0)
        assert server.failed_handshakes == 2
        for _, writer in silent:
            writer.close()


async def test_what_is_no_tls_ends_the_connection_without_a_word_in_the_log(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with dot(Site(RECORDS), certificates) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: server.failed_handshakes == 1)
        writer.close()
    assert "Traceback" not in caplog.text


# DNS over HTTPS, both versions


@pytest.mark.parametrize("http2", [False, True])
async def test_get_and_post_are_answered_and_may_be_cached_as_long_as_the_records(
    certificates: Certificates,
    http2: bool,  # noqa: FBT001 - a parameter
) -> None:
    """RFC 8484, sections 4.1 and 5.1."""
    encoded = base64.urlsafe_b64encode(QUERY.to_wire()).rstrip(b"=").decode()
    async with doh(Site(RECORDS), certificates) as (_, port), browser(certificates, http2=http2) as client:
        url = f"https://127.0.0.1:{port}/dns-query"
        for response in (
            await client.post(url, content=QUERY.to_wire(), headers=MEDIA),
            await client.get(url, params={"dns": encoded}),
        ):
            assert response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            assert (response.status_code, response.headers["content-type"]) == (200, MEDIA["content-type"])
            assert response.headers["cache-control"] == "max-age=77"
            assert len(rdatas(dns.message.from_wire(response.content), "A")) == 3
        head = await client.head(url, params={"dns": encoded})
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 12


@pytest.mark.parametrize("http2", [False, True])
async def test_many_at_a_time_and_answers_beyond_every_window(
    certificates: Certificates,
    http2: bool,  # noqa: FBT001 - a parameter
) -> None:
    query = dns.message.make_query("big.skydns.test", "TXT", id=0).to_wire()
    async with doh(Site(RECORDS), certificates) as (_, port), browser(certificates, http2=http2) as client:
        url = f"https://127.0.0.1:{port}/dns-query"
        responses = await asyncio.gather(*(client.post(url, content=query, headers=MEDIA) for _ in range(20)))
    assert {len(response.content) for response in responses} == {
        len(Site(RECORDS).send(query, tcp=True) or b"")
    }


@pytest.mark.parametrize("http2", [False, True])
async def test_an_answer_from_elsewhere_comes_on_its_own_request(
    certificates: Certificates,
    http2: bool,  # noqa: FBT001 - a parameter
) -> None:
    site = Site(RECORDS)
    elsewhere = Elsewhere(site)
    query = dns.message.make_query("example.com", "TXT", id=0).to_wire()
    async with doh(site, certificates) as (_, port), browser(certificates, http2=http2) as client:
        url = f"https://127.0.0.1:{port}/dns-query"
        asking = asyncio.create_task(client.post(url, content=query, headers=MEDIA))
        await until(lambda: elsewhere.asked)
        elsewhere.answer("hello")
        response = await asking
    assert rdatas(dns.message.from_wire(response.content), "TXT") == ['"hello 0"']


@pytest.mark.parametrize("http2", [False, True])
async def test_what_is_no_query_has_a_status_of_its_own(certificates: Certificates, http2: bool) -> None:  # noqa: FBT001
    async with doh(Site(RECORDS), certificates) as (_, port), browser(certificates, http2=http2) as client:
        url = f"https://127.0.0.1:{port}/dns-query"
        answered = QUERY.to_wire()[:2] + b"\x80" + QUERY.to_wire()[3:]
        for expected, response in (
            (404, await client.get(f"https://127.0.0.1:{port}/")),
            (400, await client.get(url)),
            (400, await client.get(url, params={"dns": "!"})),
            (400, await client.get(url, params={"dns": "AAAA"})),
            (405, await client.put(url, content=QUERY.to_wire(), headers=MEDIA)),
            (415, await client.post(url, content=QUERY.to_wire())),
            (400, await client.post(url, content=answered, headers=MEDIA)),
            (413, await client.post(url, content=bytes(65_536), headers=MEDIA)),
        ):
            assert response.status_code == expected
        fine = await client.post(url, content=QUERY.to_wire(), headers=MEDIA)
        assert fine.status_code == 200


def test_a_query_in_a_target_may_have_padding_or_none() -> None:
    for encoded in (
        base64.urlsafe_b64encode(QUERY.to_wire()).decode(),
        base64.urlsafe_b64encode(QUERY.to_wire()).decode().rstrip("="),
    ):
        packet = packet_of(Request(1, "GET", f"/dns-query?x=1&dns={encoded}", "", b""))
        assert packet == QUERY.to_wire()
    assert isinstance(packet_of(Request(1, "GET", "/dns-query?dns=%C3%A9", "", b"")), Response)


# HTTP/1.1, byte by byte


def test_http1_requests_are_cut_out_of_any_chunks() -> None:
    wire = QUERY.to_wire()
    request = (
        b"POST /dns-query HTTP/1.1\r\nHost: x\r\nContent-Type: application/dns-message\r\nContent-Length: %d\r\n\r\n"
        % len(wire)
    )
    stream = (request + wire) * 3
    for size in (1, 2, 7, 50, len(stream)):
        session = Http1Session()
        found = []
        for at in range(0, len(stream), size):
            found += session.receive(stream[at : at + size])
        assert [one.body for one in found] == [wire] * 3
        assert not session.is_over


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01 no HTTP\r\n\r\n", b"400"),
        (b"GET /dns-query HTTP/9\r\n\r\n", b"400"),
        (b"GET /" + b"x" * (TARGET_BYTES_MAX + 1), b"414"),
        (
            b"GET / HTTP/1.1\r\n"
            + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 100) for n in range(HEADERS_BYTES_MAX // 100)),
            b"431",
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b"x" * 66_000, b"413"),
        (b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
    ],
)
def test_http1_that_is_not_ours_ends_with_a_status(data: bytes, status: bytes) -> None:
    session = Http1Session()
    assert session.receive(data) == []
    assert session.is_over
    assert session.to_send().split(b" ")[1] == status
    assert session.receive(data) == []


def test_http1_closes_when_the_client_says_so() -> None:
    session = Http1Session()
    (request,) = session.receive(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    session.respond(request.number, Response(packet_of(request).status))  # type: ignore[union-attr]
    assert session.is_over
    assert b"connection: close" in session.to_send()


# HTTP/2


def peers() -> tuple[h2.connection.H2Connection, Http2Session]:
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    session = Http2Session()
    client.receive_data(session.to_send())
    session.receive(client.data_to_send())
    client.receive_data(session.to_send())
    return client, session


HEADERS = [
    (":method", "POST"),
    (":path", "/dns-query"),
    (":scheme", "https"),
    (":authority", "x"),
    *MEDIA.items(),
]


def test_http2_requests_that_are_given_up_again_and_again_end_the_connection() -> None:
    client, session = peers()
    for number in range(RESETS_MAX + 2):
        client.send_headers(2 * number + 1, HEADERS)
        client.reset_stream(2 * number + 1)
        session.receive(client.data_to_send())
    assert session.is_over
    assert session._streams == {}


def test_http2_an_answer_to_a_request_given_up_is_dropped() -> None:
    client, session = peers()
    client.send_headers(1, HEADERS)
    client.send_data(1, QUERY.to_wire(), end_stream=True)
    (request,) = session.receive(client.data_to_send())
    client.reset_stream(1)
    session.receive(client.data_to_send())
    session.respond(request.number, Response(packet_of(Request(1, "PUT", "/dns-query", "", b"")).status))  # type: ignore[union-attr]
    assert not session.is_over


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n" * 3, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 40_000]
)
def test_http2_that_is_none_ends_the_connection(data: bytes) -> None:
    session = Http2Session()
    assert session.receive(data) == []
    assert session.is_over


async def test_a_client_that_goes_away_in_the_middle_leaves_nothing(certificates: Certificates) -> None:
    tls = ssl.create_default_context(cafile=certificates["ca.crt"])
    tls.set_alpn_protocols(["h2"])
    async with doh(Site(RECORDS), certificates) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        client.initiate_connection()
        client.send_headers(1, HEADERS)
        writer.write(client.data_to_send())
        await until(lambda: len(server) == 1)
        writer.transport.abort()
        await until(lambda: len(server) == 0)
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
