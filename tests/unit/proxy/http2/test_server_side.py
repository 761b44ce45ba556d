"""What servers of HTTP/2 may do to the proxy: the library h2, told to behave in every way."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hyperframe import frame as frames
from tests.unit.proxy.harness import Peer, Proxy, Upstream, eventually, fields_of, running, status_of

from fairlead.proxy.mirror import Mirroring

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Behaviour = Callable[["Server", Any], None]


class Server:
    """One connection of the proxy's; ``act`` is told of every event of the library's."""

    def __init__(self, act: Behaviour, settings: dict[Any, int] | None = None) -> None:
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False
            )
        )
        self.act = act
        self.number = 0
        self.raw = b""  # what the library would not send
        self.sent_bytes = 0
        self._settings = settings or {}

    async def serve(self, peer: Peer) -> None:
        self.number += 1
        self.connection.initiate_connection()
        if self._settings:
            self.connection.update_settings(self._settings)
        while True:
            await peer.send(self.connection.data_to_send() + self.raw)
            self.raw = b""
            if not (data := await peer.reader.read(65536)):
                return
            for event in self.connection.receive_data(data):
                self.act(self, event)

    def answer(self, stream: int, *fields: tuple[str, str], body: bytes = b"ok", status: str = "200") -> None:
        if body and "content-length" not in dict(fields):
            fields = (*fields, ("content-length", str(len(body))))
        self.connection.send_headers(stream, [(":status", status), *fields], end_stream=not body)
        if body:
            self.connection.send_data(stream, body, end_stream=True)


def serving(act: Behaviour, **settings: Any) -> tuple[Upstream, list[Server]]:
    """An upstream that makes a server for each connection, and those."""
    servers: list[Server] = []

    async def serve(peer: Peer) -> None:
        server = Server(act, settings.get("settings"))
        servers.append(server)
        server.number = len(servers) - 1
        await server.serve(peer)

    return Upstream(serve), servers


def towards(proxy: Proxy, upstream: Upstream) -> None:
    proxy.put({"backends/b/servers/s0": {"URL": f"h2c://127.0.0.1:{upstream.port}"}})


def on_end(answer: Callable[[Server, int], None]) -> Behaviour:
    def act(server: Server, event: Any) -> None:
        if isinstance(event, h2.events.StreamEnded):
            answer(server, event.stream_id)

    return act


async def test_what_a_leaving_server_has_not_looked_at_is_asked_of_its_successor_whatever_it_is() -> None:
    """RFC 9113, section 6.8: a POST too, for the server says itself that nothing was done."""

    def act(server: Server, stream: int) -> None:
        if server.number == 1:
            server.raw = frames.GoAwayFrame(0, last_stream_id=0).serialize()
        else:
            server.answer(stream)

    upstream, servers = serving(on_end(act))
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        client = await proxy.connect()
        head, body = await client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        assert (status_of(head), body) == (200, b"ok")
    assert len(servers) == 2


async def test_a_refused_stream_is_asked_again_once() -> None:
    refusals = 0

    def act(server: Server, stream: int) -> None:
        nonlocal refusals
        refusals += 1
        server.connection.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)

    upstream, servers = serving(on_end(act))
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        assert status_of((await proxy.get())[0]) == 502
    assert (refusals, len(servers)) == (2, 1)


async def test_a_malformed_answer_is_502_and_the_others_on_its_connection_are_answered() -> None:
    def act(server: Server, stream: int) -> None:
        if stream == 1:
            server.answer(stream, ("Upper", "case"))
        else:
            server.answer(stream)

    upstream, servers = serving(on_end(act))
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        head, _ = await proxy.get()
        assert status_of(head) == 502
        assert status_of((await proxy.get())[0]) == 200
    assert len(servers) == 1


async def test_a_body_shorter_than_it_was_to_be_is_cut_for_the_client_too() -> None:
    upstream, _ = serving(on_end(lambda server, stream: server.answer(stream, ("content-length", "5"))))
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        client = await proxy.connect()
        await client.send(GET)
        assert b"Content-Length: 5" in await client.head()
        with contextlib.suppress(ConnectionResetError):
            assert len(await client.rest()) < 5
        assert proxy.service.stats.truncated == 1


async def test_an_answer_to_head_keeps_its_length_and_has_no_body() -> None:
    def act(server: Server, stream: int) -> None:
        server.answer(stream, ("content-length", "12"), body=b"")

    upstream, _ = serving(on_end(act))
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        client = await proxy.connect()
        await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert fields_of(await client.head())["content-length"] == ["12"]
        await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status_of(await client.head()) == 200, "nothing stood between the two"


async def test_interim_answers_pass() -> None:
    def act(server: Server, stream: int) -> None:
        server.connection.send_headers(stream, [(":status", "103"), ("link", "</style>")])
        server.answer(stream)

    upstream, _ = serving(on_end(act))
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        client = await proxy.connect()
        await client.send(GET)
        early = await client.head()
        assert (status_of(early), fields_of(early)["link"]) == (103, ["</style>"])
        assert status_of(await client.head()) == 200


async def test_a_client_that_reads_slowly_holds_its_server_back_and_no_other_request() -> None:
    def act(server: Server, event: Any) -> None:
        connection = server.connection
        if isinstance(event, h2.events.StreamEnded) and event.stream_id > 1:
            server.answer(event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            connection.send_headers(1, [(":status", "200")])
            begun.append(True)
        if isinstance(event, h2.events.StreamEnded | h2.events.WindowUpdated) and begun:
            while room := min(connection.local_flow_control_window(1), connection.max_outbound_frame_size):
                connection.send_data(1, b"x" * room)
                server.sent_bytes += room

    begun: list[bool] = []
    upstream, servers = serving(act)
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        slow = await proxy.connect(limit=1024)
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await slow.send(GET)
        await eventually(lambda: servers and servers[0].sent_bytes)
        before = -1
        while before != servers[0].sent_bytes:
            before = servers[0].sent_bytes
            await asyncio.sleep(0.7)
        assert before < 100_000_000, "what the kernel keeps, and a window"
        assert status_of((await proxy.get())[0]) == 200
        begun.clear()
        (shared,) = proxy.service.snapshot.groups["b"].servers[0].multiplexed
        assert shared.connection.withheld_bytes, "held for the slow one"
        slow.close()
        await eventually(lambda: not shared.connection.streams)
        assert shared.connection.withheld_bytes == 0
    assert len(servers) == 1


async def test_no_more_requests_are_sent_on_a_connection_than_its_server_takes() -> None:
    held: list[tuple[Server, int]] = []
    upstream, servers = serving(
        on_end(lambda server, stream: held.append((server, stream))),
        settings={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 2},
    )
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        clients = []
        for number in range(4):
            client = await proxy.connect()
            await client.send(GET)
            clients.append(client)
            await eventually(lambda wanted=number + 1: len(held) == wanted)  # type: ignore[misc]
        assert len(servers) == 2


async def test_a_copy_for_a_mirror_goes_to_a_server_of_http2_too() -> None:
    upstream, servers = serving(on_end(lambda server, stream: server.answer(stream)))
    async with running(upstream) as proxy:
        proxy.service.observers += (Mirroring(proxy.service).observe,)
        url = f"h2c://127.0.0.1:{upstream.port}"
        frontend = {"Type": "http", "BackendId": "b", "Route": 'PathRegexp("/.*")'}
        proxy.put(
            {
                "backends/b/servers/s0": {"URL": url},
                "backends/copy/servers/s": {"URL": url},
                "frontends/f/frontend": frontend | {"Mirror": {"BackendId": "copy", "Percent": 100}},
            }
        )
        assert status_of((await proxy.get())[0]) == 200
        await eventually(lambda: len(servers) == 2)
        copy = proxy.service.snapshot.groups["copy"].servers[0]
        await eventually(lambda: copy.requests == 1 and copy.in_flight == 0)
