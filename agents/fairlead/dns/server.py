"""The sockets of one process, and the one responder behind them."""

import logging
import os
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from fairlead.agent import ConfigError, Networks
from fairlead.dns.chaos import Chaos
from fairlead.dns.client import Answerer, Client, Transport
from fairlead.dns.config import DnsConfig
from fairlead.dns.cookies import SECRET_BYTES, Cookies
from fairlead.dns.doh import HttpStream
from fairlead.dns.doh.connection import ALPN as HTTPS_ALPN
from fairlead.dns.forward import TOKEN_BYTES
from fairlead.dns.frame import Manners
from fairlead.dns.gate import Gate
from fairlead.dns.model import Model
from fairlead.dns.query_log import QueryLog
from fairlead.dns.rate_limit import RateLimiter
from fairlead.dns.responder import Responder
from fairlead.dns.server_tcp import TcpServer
from fairlead.dns.server_udp import UdpServer
from fairlead.dns.serving import Serving
from fairlead.dns.sockets import Sockets
from fairlead.dns.stream import DnsStream
from fairlead.dns.transfer import TransferLimits, answering_signed

_LOG = logging.getLogger(__name__)
FAULTS_TOLD_MAX: Final = 20
"""Faults of ours that are logged; further ones are counted."""

Write = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What all processes behind one address have in common.

    Attributes:
        hostname: of this host.
        cookie_secret: see `Cookies`.
        token: by which questions that are forwarded are known when they come back.
    """

    hostname: str
    cookie_secret: bytes
    token: bytes

    @classmethod
    def new(cls, hostname: str) -> "Identity":
        """Return an identity with a secret of its own."""
        return cls(hostname=hostname, cookie_secret=os.urandom(SECRET_BYTES), token=os.urandom(TOKEN_BYTES))


class DnsServer:
    """The sockets of one process, and the one responder behind them.

    Args:
        write: takes the lines of the query log, as structlog does.

    Raises:
        ConfigError: the certificate cannot be used.
    """

    def __init__(self, model: Model, config: DnsConfig, *, identity: Identity, write: Write) -> None:
        serving, limits = config.serving, config.limits
        self._config = config
        self.gate = _gate(config, identity)
        self.responder = Responder(
            tree=model.tree,
            zones=model.zones,
            table=model.table,
            chaos=_chaos(serving, identity),
            manners=Manners(
                limits=limits,
                identity=serving.identity.encode(),
                cookies=self.gate.cookies,
                clock=time.time,
            ),
            allowed=self.gate.allowed,
        )
        self.responder.hooks.failed = self._tell_fault
        self.log: QueryLog | None = None
        self._datagrams = answering_signed(
            self.responder, config.transfer.keyring, fudge_s=TransferLimits().tsig_fudge_s
        )
        self._streams = self._datagrams
        if serving.log_share > 0:
            # Not for secrets: it chooses which queries are logged.
            rng = random.Random()  # noqa: S311
            self.log = QueryLog(write, serving.log_share, rng=rng, monotonic=time.monotonic)
            self._streams = _Logged(self._datagrams, self.log)
        self.zone_counts: Callable[[], dict[str, int]] = dict
        """What has been counted beside the queries; see `Attendants.counts`."""
        self.udp: list[UdpServer] = []
        self.tcp: list[TcpServer] = []
        self._tls = self._https = None
        if serving.listen_tls:
            self._tls = _tls_context(serving, alpn=("dot",))
        if serving.listen_https:
            self._https = _tls_context(serving, alpn=HTTPS_ALPN)

    def _tell_fault(self, error: Exception, packet: bytes) -> None:
        if self.responder.faults <= FAULTS_TOLD_MAX:
            _LOG.error(
                "a query was answered SERVFAIL for a fault of ours: %r; packet %s", error, packet.hex()
            )

    async def adopt(self, sockets: Sockets) -> None:
        """Use sockets that are bound, without answering yet, and close them in the end."""
        limits = self._config.limits
        for bound in sockets.udp:
            udp = UdpServer(
                self._datagrams,
                gate=self.gate,
                log=self.log,
                datagrams_per_wake_max=limits.datagrams_per_wake_max,
            )
            udp.adopt(bound)
            self.udp.append(udp)
        stream = partial(DnsStream, transport=Transport.TCP)
        for group, make, tls in (
            (sockets.tcp, stream, None),
            (sockets.tls, partial(DnsStream, transport=Transport.TLS), self._tls),
            (sockets.https, HttpStream, self._https),
        ):
            for bound in group:
                tcp = TcpServer(self._streams, limits, make, allowed=self.gate.allowed, tls=tls)
                await tcp.adopt(bound)
                self.tcp.append(tcp)

    async def start(self) -> None:
        """Answer from now on."""
        for udp in self.udp:
            udp.start()
        for tcp in self.tcp:
            await tcp.start()

    def close(self) -> None:
        """Let go of everything."""
        for udp in self.udp:
            udp.close()
        for tcp in self.tcp:
            tcp.close()


class _Logged:
    """Writes the query log for streams, which ask for what is at hand first; UDP does it by the batch."""

    def __init__(self, answerer: Answerer, log: QueryLog) -> None:
        self._answerer = answerer
        self._log = log
        self._is_picked: bool | None = None

    def from_table(self, packet: bytes, /) -> bytes | None:
        return self._answerer.from_table(packet)

    def from_table_whole(self, packet: bytes, /) -> bytes | None:
        self._is_picked = bool(self._log.pick(1))
        response = None if self._is_picked else self._answerer.from_table_whole(packet)
        if response is not None:
            self._is_picked = None
        return response

    def respond(self, packet: bytes, client: Client, /) -> bytes | None:
        response = self._answerer.respond(packet, client)
        if self._is_picked if self._is_picked is not None else self._log.pick(1):
            self._log.write(packet, response, client.ip, client.transport)
        self._is_picked = None
        return response


def _gate(config: DnsConfig, identity: Identity) -> Gate:
    return Gate(
        clock=time.time,
        monotonic=time.monotonic,
        allowed=Networks(config.serving.allowed),
        limiter=RateLimiter(config.serving.rates),
        cookies=Cookies(identity.cookie_secret),
        udp_bytes_max=config.limits.udp_bytes_max,
    )


def _chaos(serving: Serving, identity: Identity) -> Chaos:
    return Chaos(
        version=f"fairlead {version('fairlead')}" if serving.tells_version else "",
        hostname=serving.identity or identity.hostname,
    )


def _tls_context(serving: Serving, *, alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    assert serving.tls_cert is not None
    try:
        context.load_cert_chain(serving.tls_cert, serving.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot use the certificate {serving.tls_cert} with the key {serving.tls_key}: {error}",
            "give PEM files by --tls-cert and --tls-key that this user can read",
        ) from error
    context.set_alpn_protocols(list(alpn))
    return context
