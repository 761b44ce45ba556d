"""What is to be done with a request: decided from its head, its client and the snapshot, and nothing else.

That makes a plan reusable: a client that sends the same head again on its connection, while the
configuration is the same, gets the same plan without any of the work.
"""

from fairlead.proxy.headers import encode_fields, forwarding_fields
from fairlead.proxy.model import Frontend
from fairlead.proxy.request import BY_LENGTH, CHUNKED, Request
from fairlead.proxy.state import ServerState, Snapshot, Target

_NOWHERE = Target(group=None)


class Plan:
    """A request, where it goes and how it looks there.

    Attributes:
        refusal: status, text and flag to answer instead of forwarding, or None.
        frontend: the one whose route matched; None when none did.
        target: what that frontend leads to.
        peer: the client's address as text; port: the one that it connected to.
    """

    __slots__ = (
        "_added", "_after_host", "_before_host", "_host", "frontend", "peer", "port", "refusal", "request",
        "snapshot", "target",
    )  # fmt: skip

    def __init__(self, request: Request, snapshot: Snapshot, *, peer: bytes, port: bytes) -> None:
        self.request = request
        self.snapshot = snapshot
        self.peer = peer
        self.port = port
        self.refusal: tuple[int, str, str] | None = None
        self.frontend: Frontend | None = None
        self.target = _NOWHERE
        self._added = self._before_host = self._host = self._after_host = b""

    @property
    def frontend_id(self) -> str:
        """The id of the frontend; empty when no route matched."""
        return self.frontend.id if self.frontend is not None else ""

    @property
    def body_bytes_max(self) -> int:
        """How large the request body may be; 0 means no limit."""
        return self.frontend.body_bytes_max if self.frontend is not None else 0

    def head_for(self, server: ServerState) -> bytes:
        """Return the request head as ``server`` gets it."""
        return self._before_host + (self._host or server.authority) + self._after_host

    def forward(self, frontend: Frontend, added: bytes) -> None:
        """Compose the head for ``frontend``; ``added`` are the lines that this hop adds."""
        self.frontend = frontend
        self.target = self.snapshot.targets[frontend.id]
        self._added = added
        self._compose()

    def with_request(self, request: Request) -> "Plan":
        """Return the same plan for a request that a middleware has changed."""
        plan = Plan(request, self.snapshot, peer=self.peer, port=self.port)
        plan.frontend, plan.target, plan._added = self.frontend, self.target, self._added
        plan._compose()
        return plan

    def _compose(self) -> None:
        request = self.request
        assert self.frontend is not None
        self._before_host = b"%b %b HTTP/1.1\r\nHost: " % (request.method, request.target)
        self._host = request.host_field if self.frontend.pass_host_header else b""
        parts = [b"\r\n", encode_fields(request.fields), self._added]
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
    plan = Plan(request, snapshot, peer=peer, port=port)
    if request.via and any(pseudonym in each for each in request.via):
        text = "the request came here twice: a server address leads back to this proxy"
        plan.refusal = (508, text, "LOOP")
        return plan
    request.peer = peer
    frontend = snapshot.router.find(request)
    if frontend is None:
        plan.refusal = (404, "not found", "NR")
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
    return plan
