"""/healthz, /readyz and /metrics over HTTP/1.1, for probes and for Prometheus.

A page is small and asked for rarely, so each connection answers once and closes.  Slow or greedy clients are
bounded: so many connections, so many bytes of a request, so many seconds.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from fairlead.agent.errors import listen_error
from fairlead.agent.options import Address

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthLimits:
    """What one client may cost."""

    connections_max: int = 64
    head_bytes_max: int = 8192
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page of an agent's own says."""

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: int = 200


MakePage = Callable[[Mapping[str, str]], Page]
"""Gives a page; takes the fields of the request's query, of those that come twice the last."""


class HealthPages:
    """The pages, without any I/O."""

    def __init__(
        self,
        *,
        is_ready: Callable[[], bool],
        metrics: CollectorRegistry,
        degraded: Callable[[], str] = str,
        extra: Mapping[str, MakePage] | None = None,
    ) -> None:
        """Answer the pages.

        Args:
            is_ready: decides on ``/readyz``.
            metrics: shown on ``/metrics``.
            degraded: why the agent serves, but not as it should; empty: it does.
            extra: the agent's own pages by path; more may come later.
        """
        self._is_ready = is_ready
        self._metrics = metrics
        self._degraded = degraded
        self._extra = {} if extra is None else extra

    def answer(self, head: bytes) -> bytes:
        """Return the response to a request's head."""
        parts = head.split(b"\r\n", 1)[0].split(b" ")
        if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
            return _response(400, b"not a request\n")
        method, target, _ = parts
        if method not in {b"GET", b"HEAD"}:
            return _response(405, b"use GET\n")
        page = self._page(target)
        return _response(page.status, page.body, kind=page.kind, is_head=method == b"HEAD")

    def _page(self, target: bytes) -> Page:
        path, _, query = target.decode("latin-1").partition("?")
        match path:
            case "/healthz":
                return Page(body=b"ok\n")
            case "/readyz":
                return self._readiness()
            case "/metrics":
                return Page(body=generate_latest(self._metrics), kind=CONTENT_TYPE_PLAIN_0_0_4)
            case _ if path in self._extra:
                return self._extra[path](dict(parse_qsl(query)))
            case _:
                known = ", ".join(["/healthz", "/readyz", *sorted(self._extra)])
                return Page(status=404, body=f"try {known} or /metrics\n".encode())

    def _readiness(self) -> Page:
        if not self._is_ready():
            return Page(status=503, body=b"not ready\n")
        degraded = self._degraded()
        return Page(body=f"ready, {degraded}\n".encode() if degraded else b"ready\n")


def _response(
    status: int, body: bytes, *, kind: str = "text/plain; charset=utf-8", is_head: bool = False
) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if is_head else body)


class HealthServer:
    """Serves the pages on one address."""

    def __init__(self, pages: HealthPages, *, limits: HealthLimits | None = None) -> None:
        """Make a server; ``start`` binds it."""
        self._pages = pages
        self._limits = limits or HealthLimits()
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
                self._serve,
                address.host,
                address.port,
                limit=self._limits.head_bytes_max,
                reuse_port=is_shared or None,
            )
        except OSError as error:
            raise listen_error(error, address, flag="--metrics-listen") from error
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
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._pages.answer(head))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that is slow, gone or no HTTP at all
        finally:
            self._open -= 1
            writer.transport.abort()
