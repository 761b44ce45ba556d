"""What is to be done with a request: decided from its head, its client and the snapshot, and nothing else.

That makes a plan reusable: a client that sends the same head again on its connection, while the
configuration is the same, gets the same plan without any of the work.
"""

from fairlead.proxy.headers import encode_fields, forwarding_fields
from fairlead.proxy.model import Frontend
from fairlead.proxy.request import BY_LENGTH, CHUNKED, Request
from fairlead.proxy.state import Group, ServerState, Snapshot


class Plan:
    """A request, where it goes and how it looks there.

    Attributes:
        refusal: status and text to answer instead of forwarding, or None.
        frontend_id: of the route that matched; empty when none did.
        body_bytes_max: 0 means no limit.
    """

    __slots__ = (
        "_after_host",
        "_before_host",
        "_host",
        "body_bytes_max",
        "frontend_id",
        "group",
        "refusal",
        "request",
        "snapshot",
    )

    def __init__(self, request: Request, snapshot: Snapshot) -> None:
        self.request = request
        self.snapshot = snapshot
        self.refusal: tuple[int, str] | None = None
        self.frontend_id = ""
        self.group: Group | None = None
        self.body_bytes_max = 0
        self._before_host = self._host = self._after_host = b""

    def head_for(self, server: ServerState) -> bytes:
        """Return the request head as ``server`` gets it."""
        return self._before_host + (self._host or server.authority) + self._after_host

    def forward(self, frontend: Frontend, added: bytes) -> None:
        """Compose the head for ``frontend``; ``added`` are the lines that this hop adds."""
        request = self.request
        self.frontend_id = frontend.id
        self.group = self.snapshot.groups.get(frontend.backend_id)
        self.body_bytes_max = frontend.body_bytes_max
        self._before_host = b"%b %b HTTP/1.1\r\nHost: " % (request.method, request.target)
        self._host = request.host_field if frontend.pass_host_header else b""
        parts = [b"\r\n", encode_fields(request.fields), added]
        if request.framing is CHUNKED:
            parts.append(b"Transfer-Encoding: chunked\r\n")
        elif request.framing is BY_LENGTH:
            parts.append(b"Content-Length: %d\r\n" % request.length)
        if request.expects_continue:
            parts.append(b"Expect: 100-continue\r\n")
        if request.upgrade:
            parts.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n" % request.upgrade)
        parts.append(b"\r\n")
        self._after_host = b"".join(parts)


def make_plan(request: Request, snapshot: Snapshot, *, peer: bytes, port: bytes, pseudonym: bytes) -> Plan:
    """Decide about ``request``.

    Args:
        request: fit to forward.
        snapshot: the configuration in force.
        peer: the client's address as text.
        port: the port that it connected to.
        pseudonym: this proxy's name in Via, unique among proxies.
    """
    plan = Plan(request, snapshot)
    if request.via and any(pseudonym in each for each in request.via):
        plan.refusal = (508, "the request came here twice: a server address leads back to this proxy")
        return plan
    frontend = snapshot.router.find(request)
    if frontend is None:
        plan.refusal = (404, "not found")
        return plan
    forwarding = forwarding_fields(
        request.forwarded,
        peer=peer,
        host=request.host_field,
        port=port,
        server_name=frontend.hostname,
        is_trusted=frontend.trust_forward_header,
    )
    via = b"".join([each + b", " for each in request.via])
    plan.forward(frontend, b"%bVia: %b1.%d %b\r\n" % (forwarding, via, request.minor, pseudonym))
    if plan.group is None or not plan.group.servers:
        plan.refusal = (503, "no servers in the pool")
    return plan
