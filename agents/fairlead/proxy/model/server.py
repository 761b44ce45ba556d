"""Servers: where requests end up.  Source: vulcand, engine/model.go; the other fields are ours."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.keys import ObjectId
from fairlead.proxy.model.fields import Fields

DEFAULT_PORTS = {"http": 80, "https": 443, "h2c": 80, "h2": 443}
"""The schemes of a server's URL, and their ports: ``h2c`` is HTTP/2 in clear text, ``h2`` the same over TLS."""
UP, DRAIN, MAINTENANCE = "up", "drain", "maintenance"
_HOST = re.compile(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+")
_WEIGHT_MAX = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One address of a backend.

    Attributes:
        weight: its share among its neighbours; 0: none, as if it were draining.
        state: ``up``; ``drain``: no new clients, those that stick to it stay; ``maintenance``: nobody.
        zone: where it is; empty: nowhere in particular.
        connections_max: requests at a time; 0: what the backend says.
        is_backup: only asked when all others are out.
    """

    id: str
    backend_id: str
    host: str
    port: int
    scheme: str = "http"
    weight: int = 1
    state: str = UP
    zone: str = ""
    connections_max: int = 0
    is_backup: bool = False

    @property
    def address(self) -> tuple[str, str, int]:
        """What makes it another server when it changes; anything else is the same one, told otherwise."""
        return (self.scheme, self.host, self.port)

    @property
    def authority(self) -> str:
        """``host:port`` as a Host field has it (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"


def read_server(identity: ObjectId, fields: Fields) -> Server:
    """Return the server that ``fields`` describe.

    Raises:
        KeyProblem: its URL cannot be used, or another field is not what it should be.
    """
    scheme, host, port = read_url(fields.required_text("URL"))
    return Server(
        id=identity.name,
        backend_id=identity.owner,
        host=host,
        port=port,
        scheme=scheme,
        weight=fields.number("Weight", 1, low=0, high=_WEIGHT_MAX),
        state=fields.choice("State", (UP, DRAIN, MAINTENANCE), UP),
        zone=fields.text("Zone"),
        connections_max=fields.number("MaxConns", low=0),
        is_backup=fields.flag("Backup"),
    )


def is_host(text: str) -> bool:
    """Whether ``text`` is a host name or an address as a URL may have it."""
    return _HOST.fullmatch(text) is not None


def read_url(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a server's URL.

    Raises:
        KeyProblem: it is none, or of a scheme that is not spoken.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise KeyProblem(f"URL {url!r}: {error}") from error
    host = parts.hostname or ""
    if parts.scheme not in DEFAULT_PORTS or not is_host(host) or parts.username is not None:
        raise KeyProblem(f'URL must look like "http://10.0.0.1:8080", not {url!r}')
    return parts.scheme, host, port
