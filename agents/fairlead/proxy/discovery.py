"""Servers from the DNS records of the same store: a backend that is a name, such as ``dns:web.svc``.

The records are SkyDNS's: the labels of a name reversed and joined by slashes below a prefix, so that
``/skydns/local/skydns/svc/web/1`` is one instance of ``web.svc.skydns.local``.  Every record at or below the name that
has a host and a port is a server: what an SRV answer would say, without asking.  Sans-IO.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sortedcontainers import SortedDict

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.model import Fields, Server
from fairlead.proxy.model.server import is_host

_WEIGHT_DEFAULT = 100
_U16_MAX = 65_535


class Discovery:
    """The records below one prefix, and what they say about backends."""

    def __init__(self, path_prefix: str, domain: str) -> None:
        """Start with no record.

        Args:
            path_prefix: of SkyDNS's keys.
            domain: what names are relative to.
        """
        self.prefix = f"/{path_prefix.strip('/')}/".encode()
        self._domain = domain.strip(".").lower()
        self._values: SortedDict[bytes, bytes] = SortedDict()

    def apply(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]) -> set[bytes]:
        """Take one change; return the keys that are others now."""
        changed = set()
        for key in deletes:
            if self._values.pop(key, None) is not None:
                changed.add(key)
        for key, value in puts.items():
            if self._values.get(key) != value:
                self._values[key] = value
                changed.add(key)
        return changed

    def place_of(self, name: str) -> bytes:
        """Return the key that stands for ``name``; a name that does not end in the domain is relative to it."""
        name = name.strip(".").lower()
        if name != self._domain and not name.endswith(f".{self._domain}"):
            name = f"{name}.{self._domain}" if self._domain else name
        return self.prefix + "/".join(reversed(name.split("."))).encode()

    def concerns(self, name: str, keys: Iterable[bytes]) -> bool:
        """Whether a change of ``keys`` may change the servers of ``name``."""
        place = self.place_of(name)
        below = place + b"/"
        return any(key == place or key.startswith(below) for key in keys)

    def servers_of(self, name: str, *, backend_id: str) -> dict[str, Server]:
        """Return the servers that ``name`` stands for, by id: the labels before the name."""
        place = self.place_of(name)
        found: list[tuple[int, Server]] = []
        for key in (place, *self._values.irange(place + b"/", place + b"0", inclusive=(True, False))):
            value = self._values.get(key)
            server = _read(key[len(place) :], value, backend_id) if value is not None else None
            if server is not None:
                found.append(server)
        # Of SRV's priorities the lowest is meant, and the others for when it fails (RFC 2782).
        first = min((priority for priority, _ in found), default=0)
        return {
            server.id: server if priority == first else replace(server, is_backup=True)
            for priority, server in found
        }


def _read(rest: bytes, value: bytes, backend_id: str) -> tuple[int, Server] | None:
    """Return priority and server of one record; None when it is no instance of a service."""
    try:
        values = json.loads(value)
        fields = Fields(values if isinstance(values, dict) else {})
        host, port = fields.text("host"), fields.number("port")
        weight = min(max(fields.number("weight"), 0), _U16_MAX) or _WEIGHT_DEFAULT
        priority = fields.number("priority")
    except (ValueError, RecursionError, KeyProblem):
        return None  # The DNS agent names what is wrong with a record; here it is no server.
    if not is_host(host) or not 0 < port <= _U16_MAX:
        return None
    name = ".".join(reversed(rest.decode("utf-8", "replace").strip("/").split("/"))) or "@"
    return priority, Server(id=name, backend_id=backend_id, host=host, port=port, weight=weight)
