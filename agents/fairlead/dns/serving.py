"""How clients are served: where, by which transports, who of them, and how often."""

from dataclasses import dataclass, field
from pathlib import Path

from fairlead.agent import EVERYWHERE, Address
from fairlead.dns.rate_limit import RateLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How clients are served.

    Attributes:
        listen_tls: addresses for DNS over TLS.
        listen_https: addresses for DNS over HTTPS.
        tls_cert: the certificate of both, PEM; with them, never None.
        tls_key: its key, PEM.
        workers: processes that answer, 1 or more.
        allowed: networks that are answered.
        rates: how often over UDP.
        log_share: which part of the queries is logged, 0 to 1.
        identity: what NSID and hostname.bind tell; empty: nothing.
        tells_version: whether version.bind is answered.
        lameduck_s: how long to go on answering after /readyz has closed.
    """

    listen_tls: tuple[Address, ...] = ()
    listen_https: tuple[Address, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    workers: int = 1
    allowed: tuple[str, ...] = EVERYWHERE
    rates: RateLimits = field(default_factory=RateLimits)
    log_share: float = 0.0
    identity: str = ""
    tells_version: bool = True
    lameduck_s: float = 0.0

    def __post_init__(self) -> None:
        assert self.workers >= 1
        assert not (self.listen_tls or self.listen_https) or (self.tls_cert and self.tls_key)
