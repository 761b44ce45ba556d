"""The admin's own socket: small answers over HTTP/1.1, to few clients, never to those of the proxy.

A browser's page of somebody else cannot read from here: a Host that is no address of ours is refused (DNS
rebinding), and no cross-origin header is ever sent.
"""

import asyncio
import hmac
import ipaddress
from collections.abc import Callable
from http import HTTPStatus

from fairlead.agent import Address, ConfigError, listen_error
from fairlead.proxy.admin.views import Page, page
from fairlead.proxy.config import Limits
from fairlead.proxy.errors import BadRequest
from fairlead.proxy.request import Request, RequestParser

_CONNECTIONS_MAX = 64
_BODY_BYTES_MAX = 64 * 1024
_TIMEOUT_S = 10.0
Answering = Callable[[str, str, bytes], Page]


class AdminServer:
    """Serves ``answer(method, target, body)`` on one address."""

    def __init__(self, answer: Answering, *, limits: Limits, token: str = "") -> None:
        """Make a server; ``start`` binds it.

        Args:
            answer: returns the pages.
            limits: of a request's head.
            token: what clients have to bring, as ``Authorization: Bearer TOKEN``; empty: nothing.
        """
        self._answer = answer
        self._parser = RequestParser(limits)
        self._head_bytes_max = limits.head_bytes_max
        self._token = token.encode()
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, address: Address) -> Address:
        """Listen; return the address with the port that was taken, where 0 was asked for.

        Raises:
            ConfigError: the address cannot be bound, or everybody could come there without a token.
        """
        check_closed(address, token=self._token.decode())
        try:
            self._server = await asyncio.start_server(
                self._serve, address.host, address.port, limit=self._head_bytes_max, reuse_port=True
            )
        except OSError as error:
            raise listen_error(error, address, flag="--admin-listen") from error
        return Address(host=address.host, port=self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _CONNECTIONS_MAX:
                async with asyncio.timeout(_TIMEOUT_S):
                    writer.write(await self._respond(reader))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that is slow, gone or no HTTP at all
        finally:
            self._open -= 1
            writer.close()
            writer.transport.abort()

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        try:
            request = self._parser.parse(await reader.readuntil(b"\r\n\r\n"))
        except BadRequest as error:
            return _framed(page(error.status, {"message": error.reason}))
        if refusal := self._refusal(request):
            return _framed(refusal)
        body = await reader.readexactly(request.length) if request.length else b""
        made = self._answer(request.method.decode(), request.target.decode("latin-1"), body)
        return _framed(made, is_head=request.method == b"HEAD")

    def _refusal(self, request: Request) -> Page | None:
        if self._token:
            brought = request.header(b"authorization").removeprefix(b"Bearer ").strip()
            if not hmac.compare_digest(brought, self._token):
                return page(401, {"message": "send Authorization: Bearer TOKEN"})
        elif not _is_loopback(request.host.decode().strip("[]")):
            return page(403, {"message": "ask by address, as in http://127.0.0.1:8182/"})
        if request.length > _BODY_BYTES_MAX:
            return page(413, {"message": "too long"})
        return None


def check_closed(address: Address, *, token: str) -> None:
    """Refuse an address that others can reach and where they would have to bring nothing.

    Raises:
        ConfigError: it is such a one.
    """
    if not token and not _is_loopback(address.host):
        raise ConfigError(
            f"--admin-listen {address} is open to others", "give --admin-token-file, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _framed(made: Page, *, is_head: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {made.status} {HTTPStatus(made.status).phrase}\r\nContent-Type: {made.kind}\r\n"
        f"Content-Length: {len(made.body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
        " connect-src 'self'\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if is_head else made.body)
