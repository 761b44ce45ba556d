"""One probe: an HTTP request, or a TCP connection.  Never on the way of a query."""

import asyncio
import ssl

import httpx

from fairlead.dns.health.schedule import Target

_STATUS_OK = range(200, 400)
_REASON_CHARS_MAX = 120


class Prober:
    """Probes targets; use it as an async context manager."""

    def __init__(self) -> None:
        # The address is what is known of a server, and no certificate names it.
        trust_all = ssl.create_default_context()
        trust_all.check_hostname = False
        trust_all.verify_mode = ssl.CERT_NONE
        self._http = httpx.AsyncClient(
            verify=trust_all,
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": "fairlead-dns health check"},
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def probe(self, target: Target) -> str:
        """Return why ``target`` is ill, in a few words; empty when it is well."""
        try:
            async with asyncio.timeout(target.check.timeout_s):
                return await (self._connect(target) if target.check.path is None else self._get(target))
        except TimeoutError:
            return f"no answer within {target.check.timeout_s:g} s"
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            return (str(error) or type(error).__name__)[:_REASON_CHARS_MAX]

    async def _connect(self, target: Target) -> str:
        _, writer = await asyncio.open_connection(target.host, target.port)
        writer.transport.abort()
        return ""

    async def _get(self, target: Target) -> str:
        check = target.check
        host = f"[{target.host}]" if ":" in target.host else target.host
        scheme = "https" if check.is_tls else "http"
        headers = {"Host": check.host} if check.host else {}
        url = f"{scheme}://{host}:{target.port}{check.path}"
        # Its first bytes tell; a body of any size is left where it is.
        async with self._http.stream("GET", url, headers=headers) as response:
            return "" if response.status_code in _STATUS_OK else f"status {response.status_code}"
