"""Options of Traefik's that have no effect here: each is said once, however many objects have it."""

from collections.abc import Iterable

_WHY = {
    "tcp/services/*/loadbalancer/healthcheck": "a server that cannot be reached is passed over for the next",
    "tcp/services/*/loadbalancer/terminationdelay": "each side may end its half when it likes",
    "tcp/serverstransports/*/terminationdelay": "each side may end its half when it likes",
    "tcp/routers/*/tls/certresolver": "hosts say which certificates are ordered (AutoCert)",
    "tcp/routers/*/tls/domains": "hosts say which certificates are ordered (AutoCert)",
    "tcp/routers/*/tls/options": "listeners say which TLS is spoken (Settings.TLS)",
    "http/routers/*/tls/certresolver": "hosts say which certificates are ordered (AutoCert)",
    "http/routers/*/tls/domains": "hosts say which certificates are ordered (AutoCert)",
    "http/routers/*/tls/options": "listeners say which TLS is spoken (Settings.TLS)",
    "http/routers/*/observability/metrics": "all requests are counted",
    "http/routers/*/observability/tracing": "the middleware tracecontext of a frontend traces",
    "http/services/*/loadbalancer/responseforwarding": "bodies are passed on as they come",
    "http/services/*/loadbalancer/healthcheck": "servers are probed by plain HTTP, and those of gRPC alone are not",
    "http/services/*/mirroring": "copies carry bodies of up to 64 KiB",
    "http/routers/*/service": (
        "mirroring, failover and sticky inside a weighted service count for nothing; put it inside them"
    ),
    "http/middlewares/*/compress": "gzip is what is spoken here",
    "http/middlewares/*/retry": "attempts wait a little longer each time",
    "http/middlewares/*/headers/sslproxyheaders": "--trusted-proxies says who is believed",
    "http/middlewares/*/headers/hostsproxyheaders": "--trusted-proxies says who is believed",
}


class Unread:
    """Which objects have which options that nobody reads."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], frozenset[str]] = {}
        self._having: dict[str, set[str]] = {}

    def follow(self, kind: str, name: str, options: Iterable[str]) -> dict[str, str]:
        """Take the options of one object; return what there is to say by option, an empty text: no more.

        ``kind`` is as in ``http/routers``; options are as ``Node.unread`` has them.
        """
        said: dict[str, str] = {}
        now = frozenset(f"{kind}/*/{option}" for option in options)
        before = self._of.pop((kind, name), frozenset())
        for option in now - before:
            having = self._having.setdefault(option, set())
            if not having:
                said[option] = f"has no effect here{_why(option)}"
            having.add(name)
        for option in before - now:
            self._having[option].discard(name)
            if not self._having[option]:
                del self._having[option]
                said[option] = ""
        if now:
            self._of[kind, name] = now
        return said


def _why(option: str) -> str:
    found = next((why for start, why in _WHY.items() if f"{option}/".startswith(f"{start}/")), "")
    return f": {found}" if found else ""
