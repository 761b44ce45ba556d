"""An HTTP/1.1 client for middlewares: small answers, kept connections, the data path's own parser."""

import asyncio
import ssl
from urllib.parse import SplitResult, urlsplit

from fairlead.proxy.body import BodyError
from fairlead.proxy.config import Limits
from fairlead.proxy.errors import BadResponse
from fairlead.proxy.headers import Fields, encode_fields
from fairlead.proxy.middleware.limits import WEB_BYTES_MAX, WEB_IDLE_MAX
from fairlead.proxy.response import ResponseParser

_Address = tuple[str, str, int]
_Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Asker:
    """Asks servers.  One serves all middlewares of a process."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._parser = ResponseParser(Limits())
        self._idle: dict[_Address, list[_Link]] = {}

    async def ask(
        self, method: str, url: str, *, fields: Fields, body: bytes = b"", timeout_s: float
    ) -> tuple[int, Fields, bytes]:
        """Return status, fields and body; redirects are not followed.

        Raises:
            OSError: nobody answered, not in time, not in HTTP, or too much.
        """
        parts = urlsplit(url)
        address = (parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        data = _request(method, parts, fields=fields, body=body)
        try:
            async with asyncio.timeout(timeout_s):
                idle = self._idle.get(address)
                while idle:
                    link = idle.pop()
                    if link[0].at_eof():
                        link[1].close()
                        continue
                    try:
                        return await self._ask_over(link, address, data=data, is_head=method == "HEAD")
                    except (ConnectionError, asyncio.IncompleteReadError):
                        if method != "GET":
                            raise
                        # It was closed as idle while the question was on its way.
                return await self._ask_over(
                    await self._connect(address), address, data=data, is_head=method == "HEAD"
                )
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, BadResponse, BodyError) as error:
            raise ConnectionError(f"{parts.netloc} did not answer in HTTP") from error

    async def _connect(self, address: _Address) -> _Link:
        scheme, host, port = address
        if scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        tls = self._tls if scheme == "https" else None
        return await asyncio.open_connection(host, port, ssl=tls, limit=WEB_BYTES_MAX)

    async def _ask_over(
        self, link: _Link, address: _Address, *, data: bytes, is_head: bool
    ) -> tuple[int, Fields, bytes]:
        reader, writer = link
        is_kept = False
        try:
            writer.write(data)
            await writer.drain()
            response = self._parser.parse(await reader.readuntil(b"\r\n\r\n"), is_head=is_head)
            while response.status < 200:
                response = self._parser.parse(await reader.readuntil(b"\r\n\r\n"), is_head=is_head)
            pieces: list[bytes] = []
            decoder = response.decoder()
            end = 0 if decoder is None else -1
            while decoder is not None and end < 0:
                piece = await reader.read(65536)
                if not piece:
                    if decoder.ends_at_eof:
                        break
                    raise ConnectionError("the answer is cut short")
                end = decoder.feed(piece, pieces)
                if sum(map(len, pieces)) > WEB_BYTES_MAX:
                    raise ConnectionError(f"the answer is longer than {WEB_BYTES_MAX} bytes")
            idle = self._idle.setdefault(address, [])
            is_kept = response.keep_alive and end >= 0 and len(idle) < WEB_IDLE_MAX
            if is_kept:
                idle.append(link)
            return response.status, response.fields, b"".join(pieces)
        finally:
            if not is_kept:
                writer.close()
                writer.transport.abort()

    def close(self) -> None:
        """Close what is kept."""
        for idle in self._idle.values():
            while idle:
                writer = idle.pop()[1]
                writer.close()
                writer.transport.abort()


def _request(method: str, parts: SplitResult, *, fields: Fields, body: bytes) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n".encode(), encode_fields(fields)]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(b"Content-Length: %d\r\n" % len(body))
    return b"".join([*lines, b"\r\n", body])
