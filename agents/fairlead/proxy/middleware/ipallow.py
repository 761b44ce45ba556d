"""``ipallow``: who may come at all, by address.

    {"SourceRange": ["10.0.0.0/8", "2001:db8::/32"], "Deny": ["10.6.6.6"], "StatusCode": 403, "Depth": 0,
     "ExcludedIPs": []}

Deny goes before SourceRange; without a SourceRange everybody else may come.  Others get 403, or the status code.  The
address is that of the connection, of its PROXY header, or the one that a trusted proxy names (see ``forwarding``); with
a depth, or addresses to leave out, it is one of those that trusted proxies have put into X-Forwarded-For (see ``sources``).
"""

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.sources import Source, address_of, read_client
from fairlead.proxy.middleware.spec import Network, Spec


class IpAllow(Middleware):
    """The gate of one frontend."""

    def __init__(
        self, allowed: tuple[Network, ...], denied: tuple[Network, ...], *, status: int, client: Source
    ) -> None:
        self._allowed = allowed
        self._denied = denied
        self._status = status
        self._client = client

    def on_request(self, call: Call) -> Answer | None:
        """Let pass whose address is fine; a client without one is not."""
        address = address_of(self._client(call))
        if address is not None:
            is_denied = any(address in network for network in self._denied)
            if not is_denied and (not self._allowed or any(address in network for network in self._allowed)):
                return None
        body = b'{"error":"not from this address"}'
        return Answer(self._status, body, fields=[(b"Content-Type", b"application/json")], flag="IP")


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> IpAllow:  # noqa: ARG001
    """Read the JSON above."""
    allowed, denied = spec.networks("SourceRange"), spec.networks("Deny")
    if not allowed and not denied:
        raise KeyProblem('SourceRange is missing; give a list such as ["10.0.0.0/8"]')
    status = spec.number("StatusCode", 403, low=400, high=599)
    return IpAllow(allowed, denied, status=status, client=read_client(spec))
