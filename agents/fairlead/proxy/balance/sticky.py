"""Clients that stay with their server: a cookie that says which, and says nothing to anybody else.

The value is a MAC over backend and server id, so that it is the same on every replica and after every restart, tells
nothing of the servers, and stays good as long as its server is there, whoever else comes and goes.
"""

import base64
import hmac
from typing import TYPE_CHECKING

from fairlead.proxy.model import Sticky

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairlead.proxy.plan import Plan
    from fairlead.proxy.state import ServerState

_VALUE_BYTES = 18
"""Of the MAC; a multiple of three, so that base64 needs no padding."""


class StickyCookies:
    """The cookies of one backend as of one revision."""

    __slots__ = ("_name", "_servers", "_suffix", "_values")

    def __init__(self, sticky: Sticky, servers: "Sequence[ServerState]") -> None:
        self._name = sticky.cookie.encode()
        self._values = {
            each: value_for(sticky, f"{each.server.backend_id}\0{each.server.id}") for each in servers
        }
        self._servers = {value: each for each, value in self._values.items()}
        self._suffix = suffix_of(sticky)

    def server_of(self, plan: "Plan") -> "ServerState | None":
        """Return the server that the client says it belongs to; None when it says none, or one that is gone."""
        value = cookie_of(plan, self._name)
        return self._servers.get(value) if value is not None else None

    def line_for(self, plan: "Plan", server: "ServerState") -> bytes:
        """Return the line that makes the client stay with ``server``; nothing when it knows already."""
        value = self._values.get(server)
        if value is None or cookie_of(plan, self._name) == value:
            return b""
        return b"Set-Cookie: %b=%b%b\r\n" % (self._name, value, self._suffix)


def cookie_of(plan: "Plan", name: bytes) -> bytes | None:
    """Return the value of a cookie that the client sent (RFC 6265, section 4.2); None without it."""
    for line in plan.request.header_values(b"cookie"):
        for pair in line.split(b";"):
            key, found, value = pair.strip().partition(b"=")
            if found and key == name:
                return value
    return None


def value_for(sticky: Sticky, identity: str) -> bytes:
    """Return what a cookie says in place of ``identity``."""
    mac = hmac.digest(sticky.key.encode() or b"fairlead", identity.encode(), "sha256")
    return base64.urlsafe_b64encode(mac[:_VALUE_BYTES])


def suffix_of(sticky: Sticky) -> bytes:
    """Return what follows the value of a cookie."""
    suffix = f"; Path={sticky.path}"
    if sticky.domain:
        suffix += f"; Domain={sticky.domain}"
    if sticky.is_hidden:
        suffix += "; HttpOnly"
    suffix += f"; SameSite={sticky.same_site}"
    if sticky.ttl_s:
        suffix += f"; Max-Age={int(sticky.ttl_s)}"
    if sticky.is_secure:
        suffix += "; Secure"
    return suffix.encode()
