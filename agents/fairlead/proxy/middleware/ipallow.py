"""``ipallow``: who may come at all, by address.

    {"SourceRange": ["10.0.0.0/8", "2001:db8::/32"], "Deny": ["10.6.6.6"]}

Deny goes before SourceRange; without a SourceRange everybody else may come.  Others get 403.  The address is
that of the connection, of its PROXY header, or the one that a trusted proxy names; see ``forwarding``.
"""

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.sources import address_of
from fairlead.proxy.middleware.spec import Network, Spec


class IpAllow(Middleware):
    """The gate of one frontend."""

    def __init__(self, allowed: tuple[Network, ...], denied: tuple[Network, ...]) -> None:
        self._allowed = allowed
        self._denied = denied

    def on_request(self, call: Call) -> Answer | None:
        """Let pass whose address is fine; a client without one is not."""
        address = address_of(call.plan.peer)
        if address is not None:
            is_denied = any(address in network for network in self._denied)
            if not is_denied and (not self._allowed or any(address in network for network in self._allowed)):
                return None
        body = b'{"error":"not from this address"}'
        return Answer(403, body, fields=[(b"Content-Type", b"application/json")], flag="IP")


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> IpAllow:  # noqa: ARG001
    """Read the JSON above."""
    allowed, denied = spec.networks("SourceRange"), spec.networks("Deny")
    if not allowed and not denied:
        raise KeyProblem('SourceRange is missing; give a list such as ["10.0.0.0/8"]')
    return IpAllow(allowed, denied)
