"""Whether a server lives: what a page says, or whether a connection is taken."""

import asyncio
import os
import ssl
from types import TracebackType
from typing import Final, Self

import httpx

_REASON_CHARS_MAX: Final = 120


class ProbeError(Exception):
    """A server that does not answer; the text says why, in a few words."""


class Prober:
    """Asks servers, each time by a connection of its own, as a new client of theirs would.

    Args:
        user_agent: what pages are told of who asks.
        checks_certificates: whether a server must prove its name; where an address is all that is known of it, it cannot.
    """

    def __init__(self, *, user_agent: str, checks_certificates: bool = True) -> None:
        self._user_agent = user_agent
        self._checks_certificates = checks_certificates
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of everything."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def status_of(self, url: str, *, timeout_s: float, host: str = "") -> int:
        """Return the status of the page at ``url``; a body of any size is left where it is.

        Args:
            url: of HTTP or HTTPS; redirects are not followed.
            timeout_s: until the first bytes of the answer.
            host: what the Host header says; empty: as ``url`` has it.

        Raises:
            ProbeError: there is no answer.
        """
        headers = {"Host": host} if host else {}
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client(url).stream("GET", url, headers=headers, timeout=timeout_s) as response,
            ):
                return response.status_code
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProbeError(_reason(error, timeout_s)) from error

    async def connect(self, host: str, port: int, *, timeout_s: float) -> None:
        """Connect, and no more.

        Raises:
            ProbeError: nobody takes the connection.
        """
        try:
            async with asyncio.timeout(timeout_s):
                _, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            raise ProbeError(_reason(error, timeout_s)) from error
        writer.transport.abort()

    def _client(self, url: str) -> httpx.AsyncClient:
        # To read the authorities of the world takes longer than all the rest of a probe: for who asks them alone.
        is_checked = self._checks_certificates and not url.lower().startswith("http:")
        client = self._clients.get(is_checked)
        if client is None:
            client = self._clients[is_checked] = httpx.AsyncClient(
                verify=ssl.create_default_context() if is_checked else _trust_all(),
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
                headers={"User-Agent": self._user_agent},
            )
        return client


def _trust_all() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"no answer within {timeout_s:g} s"
    # asyncio wraps the system's text in its own; errno has the plain one.
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if number else (str(error) or type(error).__name__)[:_REASON_CHARS_MAX]
