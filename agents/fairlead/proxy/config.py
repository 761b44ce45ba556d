"""The limits of the proxy, in one place; every queue, buffer and patience has one here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fairlead.agent import Address
from fairlead.proxy.forwarding import Forwarding


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much, how many and how long.  Sizes in bytes, times in seconds."""

    request_line_bytes_max: int = 8 * 1024
    """Longer is answered 414."""
    head_bytes_max: int = 32 * 1024
    """Request or response head; longer is answered 431, or 502 for a server's."""
    fields_max: int = 100
    """Header fields in one head."""
    pipeline_bytes_max: int = 64 * 1024
    """What a client may send ahead of the answer; then it is not read until the answer is out."""
    write_buffer_bytes_max: int = 128 * 1024
    """Above this much unsent, the other side is not read."""
    replay_bytes_max: int = 64 * 1024
    """A request body up to this size is kept until the first response byte, to be sent again if safe."""
    linger_bytes_max: int = 256 * 1024
    """What is read and thrown away after an early answer, so that the client gets to read it."""
    connections_max: int = 20_000
    """Clients beyond this are closed at once."""
    client_requests_max: int = 100_000
    """On one connection; the last answer says that it is (Connection: close, GOAWAY)."""
    idle_per_server_max: int = 128
    """Kept-alive connections to one server, unless its backend says otherwise."""

    head_s: float = 10.0
    """From the first byte of a request to the end of its head; else 408."""
    client_idle_s: float = 60.0
    """Between two requests of one connection."""
    client_age_s: float = 3600.0
    """A request that comes later is the last of its connection, so that clients spread over new proxies."""
    body_idle_s: float = 30.0
    """Between two pieces of a request body; else 408."""
    body_bytes_per_s_min: int = 240
    """Of a request body, on the mean over ``body_idle_s``, until it is answered; else 408.  0: none."""
    write_stall_s: float = 60.0
    """How long a client may read nothing."""
    dial_s: float = 5.0
    """Connecting to a server, unless its backend says otherwise; else 504."""
    read_s: float = 50.0
    """First byte of a response, and between two pieces of it, unless the backend says otherwise; else 504."""
    server_idle_s: float = 55.0
    """How long an idle connection to a server is kept."""
    tunnel_idle_s: float = 3600.0
    """How long an upgraded connection may be silent."""
    tunnel_leave_s: float = 1.0
    """How long WebSockets have, once all else is done, to answer a stopping proxy that it goes (1001)."""
    linger_s: float = 2.0
    """How long a client may take to notice an early answer."""
    drain_idle_s: float = 0.5
    """How long an idle connection stays open then: closing it while a request is on its way would lose it."""
    drain_s: float = 25.0
    """How long a stopping proxy waits for answers that are under way; less than run_agent waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """What ``fairlead proxy`` was told.

    Attributes:
        etcd_key: where vulcand's keys are in the store, as its flag -etcdKey.
        data_dir: where a copy of the keys is kept; None keeps none.
        aliases: texts in routes, and others that may stand for them.
        traefik_key: where Traefik's keys are; empty: they are not read.
        dns_prefix, dns_domain: where the DNS records are that backends may be, and what their names end in.
        zone: where this proxy is; servers that are there too are preferred.
        cleans_paths: dot segments and empty ones are taken out of paths before anything is matched.
        refused_paths: kinds of ambiguous paths that are answered 400, as in ``ambiguity.KINDS``.
        access_log: a file to append to, "-" for standard output; None writes none.
        access_log_format: json, common or combined.
        admin_listen: where operators are served; None: nowhere.
        admin_token: what they have to bring; empty: nothing, and then only from this machine.
        guard_s: how long after a change the rollback guard watches; 0: it does not.
        guard_jump: by how much the part of 5xx must have grown to take a change back.
        forwarding: which proxies before this one are believed, and in what.
        workers: processes that are this proxy together; more than 1: this is one of them.
        desk: where this worker answers the process that started it; None: it is no worker.
        seal_key_file: holds the key of the secrets in the store; None: they stay sealed.
    """

    listen: Address
    etcd_key: str = "/vulcand"
    data_dir: Path | None = None
    access_log: str | None = None
    access_log_format: str = "json"
    admin_listen: Address | None = None
    admin_token: str = field(default="", repr=False)
    guard_s: float = 0.0
    guard_jump: float = 0.2
    zone: str = ""
    refused_paths: tuple[str, ...] = ()
    cleans_paths: bool = False
    seal_key_file: Path | None = None
    traefik_key: str = ""
    aliases: tuple[tuple[str, str], ...] = ()
    dns_prefix: str = "/skydns"
    dns_domain: str = "skydns.local"
    forwarding: Forwarding = field(default_factory=Forwarding)
    workers: int = 1
    desk: Path | None = None
    limits: Limits = field(default_factory=Limits)


TICK_S: Final = 0.25
"""How coarse every timeout above is."""
EXPRESSION_CHARS_MAX = 4096
EXPRESSION_DEPTH_MAX = 32
ALTERNATIVES_MAX = 64
"""Conjunctions that one expression may stand for after || is multiplied out."""
REGEXP_CHARS_MAX = 512
REGEXP_REPEATS_MAX = 4
"""Repeats of varying length in one regular expression."""
REGEXP_OPTIONS_MAX = 12
"""Optional parts in one regular expression."""
REGEXP_SUBJECT_BYTES_MAX = 1024
"""Longer paths, hosts and header values match no regular expression."""
QUERY_FIELDS_MAX = 100
"""Queries of more fields match no Query."""
PROBES_MAX = 64
"""Health checks under way at a time; others wait."""
MIRRORED_MAX = 256
"""Copies of requests under way to mirrors; beyond that they are dropped."""
CACHED_MAX = 16_384
"""Compiled routes and patterns that are kept for the next change of the configuration."""
