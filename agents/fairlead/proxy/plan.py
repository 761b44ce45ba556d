"""What is to be done with a request: decided from its head, its client and the snapshot, and nothing else.

That makes a plan reusable: a client that sends the same head again on its connection, while the
configuration is the same, gets the same plan without any of the work.
"""

from fairlead.proxy.forwarding import Sender, as_received, forwarding_lines
from fairlead.proxy.headers import FORWARDED_FIELDS, HEARSAY_FIELDS
from fairlead.proxy.match import meets
from fairlead.proxy.middleware import Answer, Call, Chain, Middleware
from fairlead.proxy.model import Frontend
from fairlead.proxy.origin import Origin
from fairlead.proxy.request import BY_LENGTH, CHUNKED, Request
from fairlead.proxy.state import ServerState, Snapshot, Target
from fairlead.proxy.trailers import announcement

CHALLENGE_PATH = b"/.well-known/acme-challenge/"
_NOWHERE = Target(backend_id="")


class Plan:
    """A request, where it goes and how it looks there.

    Attributes:
        refusal: status, text and flag to answer instead of forwarding, or None.
        frontend: the one whose route matched; None when none did.
        target: what that frontend leads to.
        log_text: what the access log says of every request of this plan, once it has been asked to.
        peer: the client's address as text, as far as a proxy before us is believed; port: the one that it connected to.
        scheme: ``b"http"`` or ``b"https"``, as the client speaks it.
    """

    __slots__ = (
        "_added", "_after_host", "_before_host", "_host", "frontend", "log_text", "origin", "peer", "port", "refusal", "request",
        "scheme", "snapshot", "stay", "target",
    )  # fmt: skip

    peer: bytes
    port: bytes

    def __init__(self, request: Request, snapshot: Snapshot, *, peer: bytes, port: bytes) -> None:
        self.request = request
        self.snapshot = snapshot
        self.peer = peer
        self.port = port
        self.scheme = b"http"
        self.log_text = ""
        self.origin: Origin | None = None
        self.refusal: tuple[int, str, str] | None = None
        self.frontend: Frontend | None = None
        self.target = _NOWHERE
        self.stay = b""
        self._added = self._before_host = self._host = self._after_host = b""

    @property
    def frontend_id(self) -> str:
        """The id of the frontend; empty when no route matched."""
        return self.frontend.id if self.frontend is not None else ""

    @property
    def body_bytes_max(self) -> int:
        """How large the request body may be; 0 means no limit."""
        return self.frontend.body_bytes_max if self.frontend is not None else 0

    def kept_bytes_max(self, usual: int) -> int:
        """How much of the request body is kept to be sent again; ``usual`` is for frontends that do not say."""
        return (self.frontend.memory_bytes_max if self.frontend is not None else 0) or usual

    def head_for(self, server: ServerState, added: bytes = b"") -> bytes:
        """Return the request head as ``server`` gets it; ``added`` are lines that belong to this request alone."""
        if added:
            return b"".join(
                [self._before_host, self._host or server.authority, b"\r\n", added, self._after_host[2:]]
            )
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
        plan.frontend, plan.target = self.frontend, self.target
        plan._added = _without(self._added, request)
        plan.origin = self.origin
        plan.scheme = self.scheme
        plan._compose()
        return plan

    def _compose(self) -> None:
        request = self.request
        assert self.frontend is not None
        self._before_host = b"%b %b HTTP/1.1\r\nHost: " % (request.method, request.target)
        self._host = request.host_field if self.frontend.pass_host_header else b""
        parts = [b"\r\n", request.passed_data(), self._added]
        if request.framing is CHUNKED:
            parts += (
                b"Transfer-Encoding: chunked\r\n",
                announcement(request.announced, self.frontend.trailers),
            )
        elif request.framing is BY_LENGTH:
            parts.append(b"Content-Length: %d\r\n" % request.length)
        if request.expects_continue:
            parts.append(b"Expect: 100-continue\r\n")
        if request.upgrade:
            parts.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n" % request.upgrade)
        elif request.takes_trailers and self.frontend.trailers != frozenset():
            parts.append(b"Connection: TE\r\nTE: trailers\r\n")
        parts.append(b"\r\n")
        self._after_host = b"".join(parts)


def make_plan(request: Request, snapshot: Snapshot, origin: Origin) -> Plan:
    """Decide about ``request``, which is fit to forward and came from ``origin``."""
    plan = Plan(request, snapshot, peer=origin.peer, port=origin.port)
    plan.origin = origin
    plan.scheme = origin.scheme
    sender = None
    if origin.is_believed and (received := request.forwarded):
        sender = origin.forwarding.sender(received, peer=origin.peer)
        plan.peer, plan.scheme = sender.address, sender.scheme or origin.scheme
    if request.via and any(origin.pseudonym in each for each in request.via):
        text = "the request came here twice: a server address leads back to this proxy"
        plan.refusal = (508, text, "LOOP")
        return plan
    if origin.covers is not None and not origin.covers(request.host.decode()):
        plan.refusal = (421, "this connection is for another host", "SNI")
        return plan
    request.peer = plan.peer
    request.entrypoint = origin.entrypoint
    request.is_secure = origin.scheme == b"https"
    frontend = snapshot.router.find(request)
    if frontend is None or (origin.scope is not None and not meets(origin.scope, request)):
        plan.refusal = (404, "not found", "NR")
    elif sender is not None or _is_unusual(request, frontend, origin):
        plan.forward(frontend, _forwarding(request, frontend, origin, sender))
    else:
        plan.forward(frontend, b"%b%b\r\n" % (origin.usual_lines, request.host_field))
    return plan


def _without(added: bytes, request: Request) -> bytes:
    """Return the lines in ``added`` but for those that a middleware has written itself: what came of them is kept apart."""
    own = {
        name
        for each, _ in request.fields
        if (name := each.lower()) in FORWARDED_FIELDS or name in HEARSAY_FIELDS
    }
    if not own:
        return added
    lines = added.splitlines(keepends=True)
    return b"".join([each for each in lines if each.partition(b":")[0].lower() not in own])


def challenge_plan(request: Request, snapshot: Snapshot, origin: Origin, answer: bytes) -> Plan:
    """Answer an authority that asks whether a name is ours, before any route."""
    request.peer, request.entrypoint = origin.peer, origin.entrypoint
    plan = Plan(request, snapshot, peer=origin.peer, port=origin.port)
    plan.origin = origin
    plan.target = Target(backend_id="", chain=Chain([Given(answer)]))
    return plan


class Given(Middleware):
    """Answers everything with one text."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def on_request(self, call: Call) -> Answer:
        """Answer."""
        return Answer(200, self._text, fields=[(b"Content-Type", b"application/octet-stream")], flag="ACME")


def _is_unusual(request: Request, frontend: Frontend, origin: Origin) -> bool:
    """Whether there is more to say to the server than what every request of this connection says."""
    return bool(
        request.via
        or request.minor == 0
        or frontend.hostname
        or frontend.trust_forward_header
        or origin.forwarding.writes_forwarded
    )


def _forwarding(request: Request, frontend: Frontend, origin: Origin, sender: Sender | None) -> bytes:
    if sender is None:
        # Where networks are named, they decide, and not each frontend.
        trusts_all = frontend.trust_forward_header and origin.forwarding.proxies is None
        sender = as_received(request.forwarded if trusts_all else [], peer=origin.peer)
    lines = forwarding_lines(
        sender,
        peer=origin.peer,
        host=request.host_field,
        port=origin.port,
        scheme=origin.scheme,
        server_name=frontend.hostname,
        writes_forwarded=origin.forwarding.writes_forwarded,
    )
    via = b"".join([each + b", " for each in request.via])
    return b"%bVia: %b1.%d %b\r\n" % (lines, via, request.minor, origin.pseudonym)
