"""What a client is told: where the store is, how to prove who asks, and how patient to be."""

from dataclasses import dataclass, field
from pathlib import Path

from fairlead.client.backoff import Backoff
from fairlead.client.errors import EndpointError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files.  ``ca`` None trusts the system's roots; ``cert`` and ``key`` go together."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """A certificate is of no use without its key."""
        if (self.cert is None) != (self.key is None):
            raise EndpointError("a client certificate needs both files: give --cert and --key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user of the store.  The password is left out of every repr, hence of every log."""

    user: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Credentials":
        """Return the credentials that ``NAME:PASSWORD`` says."""
        user, colon, password = text.partition(":")
        if not user or not colon:
            raise EndpointError("a user is given as NAME:PASSWORD: --user app:secret")
        return cls(user=user, password=password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client tries before it says that the store is not there."""

    timeout_s: float = 5.0  # one call, all its attempts together
    connect_timeout_s: float = 2.0  # one TCP and TLS handshake
    rounds_max: int = 4  # tries of every endpoint within one call
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.05, max_s=1.0))  # between rounds
    watch_backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.05, max_s=2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address of the store.

    Attributes:
        url: as the operator wrote it, with the scheme added; for messages.
        target: ``host:port``, as gRPC wants it.
    """

    url: str
    target: str
    is_tls: bool

    @classmethod
    def parse(cls, text: str, *, tls: Tls | None = None) -> "Endpoint":
        """Return the endpoint that ``http://host:port``, ``https://host:port`` or ``host:port`` names.

        Raises:
            EndpointError: it names none.
        """
        scheme, separator, rest = text.strip().partition("://")
        if not separator:
            scheme, rest = ("https" if tls is not None else "http"), text.strip()
        target = rest.rstrip("/")
        host, colon, port = target.rpartition(":")
        is_port = port.isascii() and port.isdigit() and 0 < int(port) <= 65535
        if scheme not in {"http", "https"} or not host or not colon or not is_port or "/" in target:
            raise EndpointError(
                f"not an endpoint: {text!r}; write --endpoints http://HOST:PORT[,http://HOST:PORT]"
            )
        return cls(url=f"{scheme}://{target}", target=target, is_tls=scheme == "https")
