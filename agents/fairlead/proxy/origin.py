"""Where a request comes from: what all requests of one client connection have in common."""

from collections.abc import Callable

from fairlead.proxy.forwarding import Forwarding
from fairlead.proxy.match import Conjunction

MAIN_ENTRYPOINT = "web"
"""What the socket of ``--listen`` is called among listeners."""
NOBODY = Forwarding()


class Origin:
    """One client connection, as far as it matters to what is forwarded.

    Attributes:
        peer: the address of the other end as text, the one that a PROXY header names if there was one.
        port: the one that the client connected to.
        scheme: ``b"http"`` or ``b"https"``.
        pseudonym: this proxy's name in Via (RFC 9110, section 7.6.3), unique among proxies.
        scope: what requests must meet to be routed here; None: nothing.
        covers: whether this connection's certificate stands for a host, lower-case; None: nobody asks (no TLS,
            or a client that named no host).
        entrypoint: the id of the listener.
        forwarding: whose word is taken for whom a request is from; is_believed: this peer's is.
        source, destination: address and port of both ends, for a PROXY header; None when unknown.
        usual_lines: what this hop adds to a request that brings nothing of the kind, up to the value of the
            last field, X-Forwarded-Host.
    """

    __slots__ = (
        "covers",
        "destination",
        "entrypoint",
        "forwarding",
        "is_believed",
        "peer",
        "port",
        "pseudonym",
        "scheme",
        "scope",
        "source",
        "usual_lines",
    )

    def __init__(
        self,
        *,
        peer: bytes,
        port: bytes,
        pseudonym: bytes,
        scheme: bytes = b"http",
        scope: tuple[Conjunction, ...] | None = None,
        covers: Callable[[str], bool] | None = None,
        entrypoint: str = MAIN_ENTRYPOINT,
        forwarding: Forwarding = NOBODY,
        source: tuple[str, int] | None = None,
        destination: tuple[str, int] | None = None,
    ) -> None:
        self.peer = peer
        self.port = port
        self.pseudonym = pseudonym
        self.scheme = scheme
        self.scope = scope
        self.covers = covers
        self.entrypoint = entrypoint
        self.forwarding = forwarding
        self.is_believed = forwarding.believes(peer.decode())
        self.source = source
        self.destination = destination
        self.usual_lines = (
            b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Port: %b\r\nX-Real-IP: %b\r\n"
            b"Via: 1.1 %b\r\nX-Forwarded-Host: " % (peer, scheme, port, peer, pseudonym)
        )
