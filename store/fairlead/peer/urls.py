"""Peer URLs: where a member listens, and where others find it."""

from typing import NamedTuple
from urllib.parse import urlsplit

from fairlead.peer.errors import PeerConfigError


class Address(NamedTuple):
    """One peer URL, taken apart."""

    host: str
    port: int
    is_tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"


def parse_url(url: str) -> Address:
    """Return the address that ``url`` names, for example ``https://[::1]:2380``.

    Raises:
        PeerConfigError: it names none.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or port is None or parts.path.strip("/"):
        raise PeerConfigError(f"{url!r} is no peer URL; write it as http://HOST:2380 or https://HOST:2380")
    return Address(host, port, parts.scheme == "https")
