"""The data path without sockets: bytes in, bytes out, thousands of times a second.

Behind it stands a server that reads strictly and answers each request at once.  What reached that server is read
again by others (h11, llhttp); all of them must have seen the same requests.
"""

import asyncio
import json
import socket
from collections.abc import Iterable
from typing import Any, cast

import h11
import httptools
from tests.unit.proxy.harness import OK, Board

from fairlead.proxy import Limits, Routes, Service, Snapshot
from fairlead.proxy.client_side import ClientConnection
from fairlead.proxy.dialing import Connecting
from fairlead.proxy.listening import Door
from fairlead.proxy.middleware.world import World
from fairlead.proxy.model import Listener
from fairlead.proxy.server_side import ServerConnection
from fairlead.proxy.state import ServerState

_QUIET = socket.socketpair()
"""Nothing ever comes out of either end."""
Seen = tuple[bytes, bytes, bytes]
"""Method, target and body of a request."""


class Wire:
    """A transport: keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.is_closed = False

    def write(self, data: bytes) -> None:
        if not self.is_closed:
            self.written += data

    def writelines(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.write(piece)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def pause_reading(self) -> None:
        pass

    resume_reading = set_write_buffer_limits = lambda *_, **__: None

    def get_extra_info(self, name: str) -> Any:
        return {"socket": self, "ssl_object": None}.get(name, ("127.0.0.1", 1))

    def setsockopt(self, *_: object) -> None:
        pass

    def fileno(self) -> int:
        return _QUIET[0].fileno()

    def set_protocol(self, _: object) -> None:
        """End here: these streams are about HTTP/1.1."""
        self.is_closed = True


class Dialer:
    """Connects to strict servers in memory."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.upstreams: list[Wire] = []

    def dial(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        wire = Wire()
        self.upstreams.append(wire)
        connection = ServerConnection(self._service, server)
        connection.connection_made(cast("asyncio.Transport", wire))
        waiting.attach(connection)


class Wired:
    """One proxy for many streams."""

    def __init__(self) -> None:
        self.service = Service(limits=Limits())
        self.service.dialer = self.dialer = Dialer(self.service)
        self.door = Door(self.service, Listener(id=""), cast("socket.socket", Wire()))
        routes = Routes(
            (b"/v/",),
            limits=self.service.limits,
            board=Board(),
            switch=self._switch,
            tools=World().tools,
        )
        values: dict[str, object] = {
            "backends/b/servers/s": {"URL": "http://127.0.0.1:1"},
            "frontends/f/frontend": {"Type": "http", "BackendId": "b", "Route": 'PathRegexp(".*")'},
        }
        routes.apply(
            1, {f"/v/{key}".encode(): json.dumps(value).encode() for key, value in values.items()}, []
        )

    def _switch(self, snapshot: Snapshot) -> None:
        self.service.snapshot = snapshot

    def send(self, pieces: Iterable[bytes]) -> tuple[bytes, list[bytes], list[Seen]]:
        """Let a client send ``pieces``: what it got, what each server connection got, and what was seen there."""
        wire = Wire()
        client = ClientConnection(self.service, self.door)
        client.connection_made(cast("asyncio.Transport", wire))
        self.dialer.upstreams.clear()
        answered: dict[int, int] = {}
        seen: list[Seen] = []
        for piece in pieces:
            if wire.is_closed:
                break
            client.data_received(piece)
            while (exchange := client.exchange) is not None and exchange.connection is not None:
                connection = exchange.connection
                assert isinstance(connection, ServerConnection)
                upstream = cast("Wire", connection.transport)
                requests = strictly(bytes(upstream.written))
                done = answered.get(id(upstream), 0)
                if len(requests) == done:
                    break
                seen.append(requests[done])
                answered[id(upstream)] = done + 1
                connection.data_received(OK if requests[done][0] != b"HEAD" else OK[:-2])
        client.connection_lost(None)
        server = next(iter(self.service.snapshot.groups["b"].servers))
        while (kept := server.pool.take()) is not None:
            kept.close()
        return bytes(wire.written), [bytes(each.written) for each in self.dialer.upstreams], seen


def strictly(data: bytes) -> list[Seen]:
    """Read whole requests as the strictest server would; what is not one raises ValueError."""
    seen: list[Seen] = []
    while (end := data.find(b"\r\n\r\n")) >= 0:
        start, *lines = data[:end].split(b"\r\n")
        method, target, version = start.split(b" ")
        fields = dict[bytes, bytes]()
        for line in lines:
            name, colon, value = line.partition(b": ")
            name = name.lower()
            if (
                not colon
                or name.strip() != name
                or (name in fields and name in _ONCE)
                or b"\r" in line
                or b"\n" in line
            ):
                raise ValueError(line)
            fields[name] = value
        if version != b"HTTP/1.1" or b"host" not in fields:
            raise ValueError(start)
        rest = data[end + 4 :]
        if b"transfer-encoding" in fields:
            if fields[b"transfer-encoding"] != b"chunked" or b"content-length" in fields:
                raise ValueError(fields)
            body, rest, is_whole = _unchunk(rest)
        else:
            length = int(fields.get(b"content-length", b"0"))
            body, rest, is_whole = rest[:length], rest[length:], len(rest) >= length
        if not is_whole:
            break
        seen.append((method, target, body))
        data = rest
    return seen


_ONCE = {b"host", b"content-length", b"transfer-encoding"}


def _unchunk(data: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while (end := data.find(b"\r\n")) >= 0:
        size = int(data[:end], 16)
        if data[:end] != b"%x" % size:
            raise ValueError(data[:end])
        chunk, data = data[end + 2 : end + 2 + size], data[end + 2 + size :]
        if len(data) < 2:
            break
        if not data.startswith(b"\r\n"):
            raise ValueError(data)
        body, data = body + chunk, data[2:]
        if not size:
            return body, data, True
    return b"", b"", False


def by_h11(data: bytes) -> list[Seen]:
    """The whole requests in ``data``, as h11 reads them."""
    seen: list[Seen] = []
    server = h11.Connection(h11.SERVER, max_incomplete_event_size=2**20)
    server.receive_data(data)
    head, body = h11.Request(method="GET", target="/", headers=[("Host", "a")]), b""
    while True:
        event = server.next_event()
        if isinstance(event, h11.Request):
            head, body = event, b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            seen.append((head.method, head.target, body))
            server.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
            if server.our_state is not h11.DONE:
                break
            server.start_next_cycle()
        else:
            break
    return seen


def by_llhttp(data: bytes) -> list[Seen]:
    """The whole requests in ``data``, as llhttp reads them."""
    events = _Llhttp()
    parser = httptools.HttpRequestParser(events)
    events.parser = parser
    parser.feed_data(data)
    return events.seen


class _Llhttp:
    def __init__(self) -> None:
        self.parser: Any = None
        self.seen: list[Seen] = []
        self.target = self.body = b""

    def on_message_begin(self) -> None:
        self.target = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.seen.append((self.parser.get_method(), self.target, self.body))
