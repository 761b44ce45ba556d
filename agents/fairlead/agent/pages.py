"""A small HTTP/1.1 server for operators' pages: probes, Prometheus, an agent's explanations and its live page.

A page is small and asked for rarely, so each connection answers once and closes.  Slow or greedy clients are
bounded: so many connections, so many bytes of a head and of a body, so many seconds for all of it.  Nothing is
cached, and no page of somebody else may read these: no cross-origin field is ever sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

import h11

from fairlead.agent.errors import listen_error
from fairlead.agent.options import Address

_READ_BYTES = 16 * 1024
_FIELDS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
    ),
    ("Connection", "close"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLimits:
    """What one client may cost."""

    connections_max: int = 64
    head_bytes_max: int = 32 * 1024
    body_bytes_max: int = 64 * 1024
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a page.

    Attributes:
        path: without the query.
        query: its fields; of those that come twice the last.
        fields: of the head, by their names in lower case.
    """

    path: str
    method: str = "GET"
    query: Mapping[str, str]
    fields: Mapping[str, str]
    body: bytes = b""

    @property
    def is_reading(self) -> bool:
        """Whether it changes nothing."""
        return self.method in {"GET", "HEAD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page says."""

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: int = 200


Answering = Callable[[Asked], Page | Awaitable[Page]]


class PageServer:
    """Serves pages on one address."""

    def __init__(self, answer: Answering, *, flag: str, limits: PageLimits | None = None) -> None:
        """Make a server; ``start`` binds it.

        Args:
            answer: makes the pages.
            flag: by which the operator gives the address.
            limits: what one client may cost.
        """
        self._answer = answer
        self._flag = flag
        self._limits = limits or PageLimits()
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, address: Address, *, is_shared: bool = False) -> Address:
        """Listen; return the address with the port that was taken, where 0 was asked for.

        ``is_shared``: other processes of this user may listen there too.

        Raises:
            ConfigError: the address cannot be bound.
        """
        try:
            self._server = await asyncio.start_server(
                self._serve, address.host, address.port, reuse_port=is_shared or None
            )
        except OSError as error:
            raise listen_error(error, address, flag=self._flag) from error
        return Address(host=address.host, port=self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= self._limits.connections_max:
                async with asyncio.timeout(self._limits.timeout_s):
                    writer.write(await self._respond(reader))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (TimeoutError, OSError):
            pass  # a client that is slow or gone
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes_max)
        try:
            asked = await self._read(connection, reader)
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            return _response(connection, Page(status=status, body=f"not a request: {error}\n".encode()))
        if asked is None:
            return b""
        if isinstance(asked, Page):
            return _response(connection, asked)
        answer = self._answer(asked)
        page = answer if isinstance(answer, Page) else await answer
        return _response(connection, page, is_head=asked.method == "HEAD")

    async def _read(self, connection: h11.Connection, reader: asyncio.StreamReader) -> Asked | Page | None:
        """Return the request, or what refuses it, or None when the client has left.

        Raises:
            h11.RemoteProtocolError: it is none.
        """
        request: h11.Request | None = None
        body = bytearray()
        while True:
            event = connection.next_event()
            match event:
                case h11.NEED_DATA:
                    connection.receive_data(await reader.read(_READ_BYTES))
                case h11.Request():
                    request = event
                case h11.Data():
                    body += event.data
                    if len(body) > self._limits.body_bytes_max:
                        text = f"over {self._limits.body_bytes_max} bytes are not read here\n"
                        return Page(status=413, body=text.encode())
                case h11.EndOfMessage():
                    assert request is not None
                    return _asked(request, bytes(body))
                case _:
                    return None


def _asked(request: h11.Request, body: bytes) -> Asked:
    path, _, query = request.target.decode("latin-1").partition("?")
    return Asked(
        method=request.method.decode("latin-1"),
        path=path,
        query=dict(parse_qsl(query)),
        fields={name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers},
        body=body,
    )


def _response(connection: h11.Connection, page: Page, *, is_head: bool = False) -> bytes:
    fields = [("Content-Type", page.kind), ("Content-Length", str(len(page.body))), *_FIELDS]
    if page.status == HTTPStatus.METHOD_NOT_ALLOWED:
        # RFC 9110, section 15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
        fields.append(("Allow", "GET, HEAD"))
    reason = HTTPStatus(page.status).phrase.encode()
    head = h11.Response(status_code=page.status, headers=fields, reason=reason)
    body = b"" if is_head else page.body
    events = (head, h11.Data(data=body), h11.EndOfMessage())
    return b"".join(connection.send(event) or b"" for event in events)
