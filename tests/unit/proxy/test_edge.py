"""Listeners and TLS: what keys open and close, who gets which certificate, who a client really is."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import h2.events
import pytest
from tests.support.ports import free_ports
from tests.unit.proxy.harness import Peer, Proxy, Upstream, eventually, fields_of, running, status_of
from tests.unit.proxy.pairs import host, make_pair, trusting
from tests.unit.proxy.streams import Http2Peer

from fairlead.proxy.certificates import context_of
from fairlead.proxy.proxy_protocol import write_header
from fairlead.proxy.secretbox import KeyPair

A, B, OTHER = make_pair("a.example"), make_pair("b.example"), make_pair("a.example")
HEAD = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n"


def listener(port: int, protocol: str = "https", **fields: Any) -> dict[str, object]:
    address = {"Network": "tcp", "Address": f"127.0.0.1:{port}"}
    return {"Protocol": protocol, "Address": address, **fields}


async def secure(port: int, name: str | None, context: ssl.SSLContext) -> Peer:
    if name is None:
        context.check_hostname = False
        return Peer(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
    return Peer(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name))


def certificate_of(peer: Peer) -> bytes:
    found = peer.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(found).encode()


async def ask(peer: Peer, name: str) -> int:
    return status_of((await peer.ask(HEAD.format(name).encode()))[0])


@contextlib.asynccontextmanager
async def secured(upstream: Upstream, **fields: Any) -> AsyncIterator[tuple[Proxy, int]]:
    """A proxy with two hosts, a.example being the default, and one listener that speaks TLS."""
    async with running(upstream) as proxy:
        (port,) = free_ports(1)
        proxy.put(
            {
                "hosts/a.example/host": host(A, is_default=True),
                "hosts/b.example/host": host(B),
                "listeners/tls": listener(port, **fields),
            }
        )
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        yield proxy, port


async def test_a_client_gets_the_certificate_of_the_name_that_it_asks_for() -> None:
    upstream = Upstream()
    async with secured(upstream) as (_, port):
        for name, pair in (("a.example", A), ("b.example", B)):
            peer = await secure(port, name, trusting(A, B))
            assert certificate_of(peer) == pair.certificate
            assert await ask(peer, name) == 200
            peer.close()
        unknown = ssl.create_default_context()
        unknown.check_hostname, unknown.verify_mode = False, ssl.CERT_NONE
        for asked in ("c.example", None):
            peer = await secure(port, asked, unknown)
            assert certificate_of(peer) == A.certificate, "the default host's"
            assert await ask(peer, "c.example") == 200
            peer.close()
    assert fields_of(upstream.heads[0])["x-forwarded-proto"] == ["https"]


async def test_a_certificate_is_swapped_without_a_restart_and_connections_stay() -> None:
    async with secured(Upstream()) as (proxy, port):
        before = await secure(port, "a.example", trusting(A))
        proxy.put({"hosts/a.example/host": host(OTHER, is_default=True)})
        after = await secure(port, "a.example", trusting(OTHER))
        assert certificate_of(after) == OTHER.certificate
        assert await ask(after, "a.example") == 200
        assert await ask(before, "a.example") == 200, "what its client has seen stands for it still"
        assert await ask(before, "c.example") == 200, "nobody's name is the default host's, before and after"
        assert await ask(before, "b.example") == 421
        before.close()
        after.close()


async def test_a_pair_that_does_not_fit_never_replaces_one_that_does() -> None:
    async with secured(Upstream()) as (proxy, port):
        mixed = KeyPair(certificate=OTHER.certificate, key=A.key)
        proxy.put({"hosts/a.example/host": host(mixed, is_default=True)})
        await eventually(lambda: "hosts/a.example/host" in proxy.board.problems)
        assert "stays in force" in proxy.board.problems["hosts/a.example/host"]
        peer = await secure(port, "a.example", trusting(A))
        assert certificate_of(peer) == A.certificate
        proxy.put({"hosts/a.example/host": host(OTHER, is_default=True)})
        await eventually(lambda: not proxy.board.problems)
        peer.close()


async def test_a_host_that_asks_for_stapling_is_served_and_the_operator_told_that_nothing_is_stapled() -> (
    None
):
    async with secured(Upstream()) as (proxy, port):
        key = json.dumps(host(A, is_default=True)).replace(
            '"KeyPair"', '"OCSP": {"Enabled": true, "Period": "1h"}, "KeyPair"'
        )
        proxy.put({"hosts/a.example/host": key})
        peer = await secure(port, "a.example", trusting(A))
        assert await ask(peer, "a.example") == 200
        peer.close()
        assert proxy.board.problems == {}
        assert proxy.board.notes == {"OCSP": "not stapled, as Python's ssl cannot: a.example"}
        proxy.put({"hosts/a.example/host": host(A, is_default=True)})
        assert proxy.board.notes == {"OCSP": ""}


async def test_a_connection_is_judged_by_the_certificate_that_it_has() -> None:
    """Not by the one that its host has now: what its client may ask is what it was shown."""
    async with secured(Upstream()) as (proxy, port):
        both = make_pair("a.example", "b.example", "*.wild.example")
        before = await secure(port, "a.example", trusting(A))
        proxy.put({"hosts/a.example/host": host(both, is_default=True)})
        after = await secure(port, "a.example", trusting(both))
        assert [await ask(each, "b.example") for each in (before, after)] == [421, 200]
        assert await ask(after, "x.wild.example") == 200
        proxy.put({}, delete=("hosts/a.example/host",))
        assert await ask(before, "a.example") == 200, "its host is gone, and its certificate is not"
        assert await ask(before, "c.example") == 421, "b.example is the default host by now"
        before.close()
        after.close()


async def test_streams_of_http_2_are_judged_by_the_certificate_of_their_connection() -> None:
    async with secured(Upstream()) as (proxy, port):
        peer = Http2Peer(await secure(port, "a.example", trusting(A, alpn=("h2",))))
        await peer.greet()
        hosts = ("a.example", "b.example", "a.example")
        assert [await peer.status(await peer.ask(host=name)) for name in hosts] == [200, 421, 200]
        proxy.put({"hosts/a.example/host": host(OTHER, is_default=True)})
        assert [await peer.status(await peer.ask(host=name)) for name in hosts] == [200, 421, 200]
        peer.peer.close()


async def test_a_request_for_a_host_of_another_certificate_is_421() -> None:
    async with secured(Upstream()) as (_, port):
        peer = await secure(port, "a.example", trusting(A))
        assert await ask(peer, "a.example") == 200
        assert await ask(peer, "b.example") == 421
        peer.close()


async def test_versions_before_1_2_are_not_spoken_and_the_key_may_ask_for_more() -> None:
    settings = {"TLS": {"MinVersion": "VersionTLS13"}}
    async with secured(Upstream(), Settings=settings) as (_, port):
        old = trusting(A)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await secure(port, "a.example", old)
        peer = await secure(port, "a.example", trusting(A))
        assert peer.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        peer.close()


async def test_a_client_that_does_not_speak_tls_is_dropped() -> None:
    async with secured(Upstream()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.format("a.example").encode())
        assert not (await reader.read()).startswith(b"HTTP")
        writer.close()


async def test_listeners_come_and_go_with_their_keys_and_connections_outlive_them() -> None:
    async with running(Upstream()) as proxy:
        one, two = free_ports(2)
        proxy.put({"listeners/l": listener(one, "http"), "listeners/m": listener(two, "http")})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 3)
        peers = [Peer(*await asyncio.open_connection("127.0.0.1", port)) for port in (one, two)]
        proxy.put({}, delete=("listeners/l",))
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", one)
        for peer in peers:
            assert await ask(peer, "a") == 200
            peer.close()


async def test_an_address_that_is_taken_is_named_and_costs_nobody_else() -> None:
    async with running(Upstream()) as proxy:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            values = {
                "listeners/bad": listener(taken.getsockname()[1], "http"),
                "listeners/own": listener(proxy.port, "http"),
                "listeners/good": listener(free_ports(1)[0], "http"),
            }
            proxy.put(values)
            await eventually(lambda: len(proxy.board.problems) == 2)
        assert set(proxy.board.problems) == {"listeners/bad", "listeners/own"}
        assert len(proxy.service.doors.sockets()) == 2
        proxy.put({}, delete=("listeners/bad", "listeners/own"))
        await eventually(lambda: not proxy.board.problems)


async def test_only_requests_of_its_scope_are_served_by_a_listener() -> None:
    async with running(Upstream()) as proxy:
        (port,) = free_ports(1)
        proxy.put({"listeners/l": listener(port, "http", Scope='Host("in.example")')})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        assert await ask(peer, "in.example") == 200
        assert await ask(peer, "out.example") == 404
        peer.close()


async def test_a_unix_socket_is_a_listener_too(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    async with running(Upstream()) as proxy:
        proxy.put({"listeners/u": {"Protocol": "http", "Address": {"Network": "unix", "Address": str(path)}}})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        peer = Peer(*await asyncio.open_unix_connection(path))
        assert await ask(peer, "a") == 200
        peer.close()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("protocol", ["http", "https"])
async def test_a_proxy_header_says_who_the_client_is(version: int, protocol: str) -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        (port,) = free_ports(1)
        fields = listener(port, protocol, ProxyProtocol=f"PROXY_V{version}")
        proxy.put({"hosts/a.example/host": host(A), "listeners/p": fields})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        header = write_header(version, ("2001:db8::7", 1000), ("2001:db8::8", 4443))
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(header[:9])
            await asyncio.sleep(0)
            raw.sendall(header[9:])
            raw.setblocking(False)
            secure_too: dict[str, Any] = (
                {"ssl": trusting(A), "server_hostname": "a.example"} if protocol == "https" else {}
            )
            peer = Peer(*await asyncio.open_connection(sock=raw.dup(), **secure_too))
        assert await ask(peer, "a.example") == 200
        peer.close()
        fields_seen = fields_of(upstream.heads[0])
        assert fields_seen["x-forwarded-for"] == ["2001:db8::7"]
        assert fields_seen["x-forwarded-port"] == ["4443"]


async def test_a_connection_without_the_header_that_was_promised_is_closed() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        (port,) = free_ports(1)
        proxy.put({"listeners/p": listener(port, "http", ProxyProtocol="PROXY_V1")})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        for data in (HEAD.format("a").encode(), b"PROXY TCP4 x\r\n", b"PROXY " + b"x" * 300):
            peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
            await peer.send(data)
            with contextlib.suppress(ConnectionResetError):
                assert await peer.rest() == b""
            peer.close()
    assert upstream.heads == []


async def test_headers_of_those_who_are_not_trusted_are_not_read() -> None:
    async with running(Upstream()) as proxy:
        one, two = free_ports(2)
        fields = {"ProxyProtocol": "PROXY_V1", "ProxyProtocolFrom": ["10.0.0.0/8"]}
        trusting_all = {**fields, "ProxyProtocolFrom": ["127.0.0.0/8"]}
        proxy.put(
            {
                "listeners/p": listener(one, "http", **fields),
                "listeners/q": listener(two, "http", **trusting_all),
            }
        )
        await eventually(lambda: len(proxy.service.doors.sockets()) == 3)
        data = write_header(1, ("192.0.2.1", 1), ("192.0.2.2", 2)) + HEAD.format("a").encode()
        refused, served = [Peer(*await asyncio.open_connection("127.0.0.1", port)) for port in (one, two)]
        await served.send(data)
        assert (await served.response())[1] == b"ok"
        with contextlib.suppress(ConnectionError):
            await refused.send(data)
            assert await refused.rest() == b""
        refused.close()
        served.close()


async def test_servers_are_told_who_the_client_is_and_each_client_has_its_own_connection() -> None:
    upstream = Upstream()
    lines: list[bytes] = []

    async def serve(peer: Peer) -> None:
        lines.append(await peer.until(b"\r\n"))
        await upstream.serve_ok(peer)

    upstream.handler = serve
    async with running(upstream) as proxy:
        proxy.put({"backends/b/backend": {"Settings": {}, "ProxyProtocol": "PROXY_V1"}})
        for _ in range(2):
            client = await proxy.connect()
            assert (await client.ask(HEAD.format("a").encode()))[1] == b"ok"
            host, port = client.writer.get_extra_info("sockname")
            assert lines[-1] == f"PROXY TCP4 {host} 127.0.0.1 {port} {proxy.port}\r\n".encode()
    assert upstream.connections == 2


async def test_a_frontend_for_tls_is_not_seen_by_others() -> None:
    upstream = Upstream()
    async with secured(upstream) as (proxy, port):
        proxy.put({"frontends/f/frontend": {"BackendId": "b", "Route": 'PathRegexp("/.*")', "TLS": True}})
        assert status_of((await proxy.get())[0]) == 404
        peer = await secure(port, "a.example", trusting(A))
        assert await ask(peer, "a.example") == 200
        peer.close()


async def test_a_server_is_known_by_the_name_and_the_authority_that_its_backend_gives() -> None:
    """Those of the system are not asked then: who names an authority trusts nobody else."""
    upstream, pair = Upstream(), make_pair("inner.example")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await upstream.serve_ok(Peer(reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context_of(pair))
    port = server.sockets[0].getsockname()[1]
    authority = pair.certificate.decode()
    answers = []
    async with running(Upstream()) as proxy:
        for tls in (
            {"CACertFile": [authority], "ServerName": "inner.example"},
            {"CACertFile": [authority]},
            {"CACertFile": [authority], "ServerName": "other.example"},
            {"CACertFile": [OTHER.certificate.decode()], "ServerName": "inner.example"},
            {"InsecureSkipVerify": True, "ServerName": "other.example"},
        ):
            proxy.put(
                {
                    "backends/tls/backend": {"Settings": {"TLS": tls}},
                    "backends/tls/servers/s": {"URL": f"https://127.0.0.1:{port}"},
                    "frontends/f/frontend": {"BackendId": "tls", "Route": 'PathRegexp("/.*")'},
                }
            )
            answers.append(status_of((await proxy.get())[0]))
    server.close()
    assert answers == [200, 502, 502, 502, 200]


async def test_who_waits_at_a_listener_that_changes_is_served_by_what_it_becomes() -> None:
    async with running(Upstream()) as proxy:
        (port,) = free_ports(1)
        proxy.put({"listeners/l": listener(port, "http")})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        for n in range(10):
            with socket.create_connection(("127.0.0.1", port)) as waiting:
                proxy.put(
                    {"listeners/l": listener(port, "http", Scope=f'Header("X-Nobody", "{n}") || Path("/")')}
                )
                waiting.setblocking(False)
                peer = Peer(*await asyncio.open_connection(sock=waiting.dup()))
            assert await ask(peer, "a.example") == 200
            peer.close()


@contextlib.asynccontextmanager
async def halfway(port: int, gate: asyncio.Event) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A relay to ``port`` that holds back all but a client's first words until ``gate``; and when the answer came."""
    answered = asyncio.Event()

    async def relay(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", port)
        to_server.write(await client.read(2**16))
        to_client.write(await server.read(2**16))
        answered.set()
        await gate.wait()

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(2**16):
                target.write(data)
            target.close()

        await asyncio.gather(pass_on(client, to_server), pass_on(server, to_client))

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1], answered


@pytest.mark.parametrize("alpn", [[], ["h2"]])
async def test_a_client_in_the_middle_of_its_handshake_is_served_by_a_proxy_that_drains(
    alpn: list[str],
) -> None:
    context, gate = trusting(A), asyncio.Event()
    if alpn:
        context.set_alpn_protocols(alpn)
    async with secured(Upstream()) as (proxy, port), halfway(port, gate) as (relay_port, answered):
        connecting = asyncio.create_task(secure(relay_port, "a.example", context))
        await answered.wait()
        draining = asyncio.create_task(proxy.service.drain(limit_s=5))
        await asyncio.sleep(0)
        gate.set()
        peer = await connecting
        if alpn:
            speaking = Http2Peer(peer)
            await speaking.greet()
            assert await speaking.status(await speaking.ask()) == 200
            await speaking.event(h2.events.ConnectionTerminated)
        else:
            head, _ = await peer.ask(HEAD.format("a.example").encode())
            assert status_of(head) == 200
            assert b"Connection: close" in head
        await draining
        peer.close()
