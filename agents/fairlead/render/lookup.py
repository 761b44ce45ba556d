"""The functions that look at the world: environment, clock, file system, DNS.

Nobody tells when an answer changes, so a template that asked is rendered again after a while: SRV records as their
TTL says, the rest as ``REFRESH_S``.  The clock is no reason to render.  A name that cannot be resolved is an error,
where confd gives an empty list and writes a configuration without servers.
"""

import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import dnslib

from fairlead.render.errors import LookupFailedError

_RESOLV_CONF = Path("/etc/resolv.conf")
_IF_INET6 = Path("/proc/net/if_inet6")
_SIOCGIFADDR = 0x8915  # Linux, netdevice(7)
_IFNAME_BYTES_MAX = 15
_SCOPE_LINK = "20"
_TIMEOUT_S = 3.0
_SERVERS_MAX = 3
_TTL_MIN_S, _TTL_MAX_S = 5.0, 3600.0
"""A TTL of 0 would have the template rendered without an end; one of a day would hide a change for a day."""


class SRV(NamedTuple):
    """One SRV record, RFC 2782; the capitalised names are Go's, as confd's templates have them."""

    target: str
    port: int
    priority: int
    weight: int

    @property
    def Target(self) -> str:  # noqa: N802 - confd's templates say .Target
        """The host, with its final dot."""
        return self.target

    @property
    def Port(self) -> int:  # noqa: N802 - confd's templates say .Port
        """The port."""
        return self.port

    @property
    def Priority(self) -> int:  # noqa: N802 - confd's templates say .Priority
        """The lowest is tried first."""
        return self.priority

    @property
    def Weight(self) -> int:  # noqa: N802 - confd's templates say .Weight
        """The share among equals."""
        return self.weight


def getenv(name: str, default: str = "") -> str:
    """Return the variable, or the default when it is not set or empty."""
    return os.environ.get(name) or default


def now() -> datetime:
    """Return the time with the local zone (confd's ``datetime``); it makes a file differ in every pass."""
    return datetime.now(UTC).astimezone()


def file_exists(path: str) -> bool:
    """Whether anything is at ``path``."""
    return Path(path).exists()


def lookup_ip(host: str, *, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[str]:
    """Return the addresses of ``host``, sorted as texts.

    Raises:
        LookupFailedError: the host has none, or the resolver did not answer.
    """
    try:
        found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise LookupFailedError(f"the addresses of {host} cannot be looked up: {error}") from error
    return sorted({str(address[0]) for *_, address in found})


def lookup_ipv4(host: str) -> list[str]:
    """Return the IPv4 addresses of ``host``."""
    return lookup_ip(host, family=socket.AF_INET)


def lookup_ipv6(host: str) -> list[str]:
    """Return the IPv6 addresses of ``host``."""
    return lookup_ip(host, family=socket.AF_INET6)


def lookup_iface_ipv4(name: str) -> str:
    """Return the first IPv4 address of an interface; empty where there is no such interface or address.

    The fork writes ``<nil>`` for an interface without an address, which no program can read.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            answer = fcntl.ioctl(
                asked, _SIOCGIFADDR, struct.pack("256s", os.fsencode(name)[:_IFNAME_BYTES_MAX])
            )
    except OSError:
        return ""
    return socket.inet_ntoa(answer[20:24])


def lookup_iface_ipv6(name: str, *, table: Path = _IF_INET6) -> str:
    """Return the first IPv6 address of an interface, one that is not link-local where it has one; else empty.

    (The fork gives the interface's first address of either kind.)
    """
    try:
        rows = [line.split() for line in table.read_text().splitlines()]
    except OSError:
        return ""
    # Address, index, prefix length, scope, flags, name.
    found = [
        (row[3] == _SCOPE_LINK, ipaddress.IPv6Address(int(row[0], 16))) for row in rows if row[-1] == name
    ]
    return str(min(found, key=lambda item: item[0])[1]) if found else ""


class Records(list[SRV]):
    """SRV records, and for how many seconds they may be kept."""

    ttl_s: float


def lookup_srv(service: str, proto: str, name: str) -> Records:
    """Return the records of ``_service._proto.name``, sorted as confd sorts them: by target, then numbers.

    Empty service and proto ask for ``name`` itself, as in Go.

    Raises:
        LookupFailedError: there are none, or no name server answered.
    """
    full = name if not service and not proto else f"_{service}._{proto}.{name}"
    answer = [rr for rr in _ask(full, name_servers()) if rr.rtype == dnslib.QTYPE.SRV]
    if not answer:
        raise LookupFailedError(f"{full} has no SRV records")
    found = [SRV(str(rr.rdata.target), rr.rdata.port, rr.rdata.priority, rr.rdata.weight) for rr in answer]
    records = Records(sorted(found, key=lambda srv: f"{srv.target}{srv.port}{srv.priority}{srv.weight}"))
    ttl_s = float(min(rr.ttl for rr in answer))
    records.ttl_s = min(max(ttl_s, _TTL_MIN_S), _TTL_MAX_S)
    return records


def name_servers(path: Path = _RESOLV_CONF) -> list[tuple[str, int]]:
    """Return the servers of ``resolv.conf``, the local host where it names none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = [(line[1], 53) for line in words if len(line) > 1 and line[0] == "nameserver"]
    return named[:_SERVERS_MAX] or [("127.0.0.1", 53)]


def _ask(name: str, servers: list[tuple[str, int]]) -> list[Any]:
    """Return the answer section of the first server that gives one."""
    problem: object = "no name server"
    for host, port in servers:
        try:
            question = dnslib.DNSRecord.question(name, "SRV")
            reply = _exchange(question, host, port)
        except (OSError, dnslib.DNSError, UnicodeError) as error:
            problem = error
            continue
        code = dnslib.RCODE[reply.header.rcode]
        if code in {"NOERROR", "NXDOMAIN"}:
            if code == "NXDOMAIN":
                raise LookupFailedError(f"{name} does not exist in the DNS")
            return list(reply.rr)
        problem = f"{host} answers {code}"
    raise LookupFailedError(f"{name} cannot be looked up: {problem}")


def _exchange(question: Any, host: str, port: int) -> Any:
    """Ask by UDP, and by TCP where the answer is truncated (RFC 1035, section 4.2)."""
    ipv6 = ":" in host
    reply = dnslib.DNSRecord.parse(question.send(host, port, timeout=_TIMEOUT_S, ipv6=ipv6))
    if reply.header.tc:
        reply = dnslib.DNSRecord.parse(question.send(host, port, tcp=True, timeout=_TIMEOUT_S, ipv6=ipv6))
    if reply.header.id != question.header.id:
        raise dnslib.DNSError("the answer is to another question")
    return reply


WORLD: Mapping[str, Callable[..., Any]] = {
    "datetime": now,
    "fileExists": file_exists,
    "getenv": getenv,
    "hostname": socket.gethostname,
    "lookupIP": lookup_ip,
    "lookupIPV4": lookup_ipv4,
    "lookupIPV6": lookup_ipv6,
    "lookupIfaceIPV4": lookup_iface_ipv4,
    "lookupIfaceIPV6": lookup_iface_ipv6,
    "lookupSRV": lookup_srv,
}
"""Global name to function."""

REFRESH_S: Mapping[str, float] = {
    "fileExists": 10.0,
    "lookupIP": 30.0,
    "lookupIPV4": 30.0,
    "lookupIPV6": 30.0,
    "lookupIfaceIPV4": 30.0,
    "lookupIfaceIPV6": 30.0,
    "lookupSRV": 30.0,
}
"""After how many seconds an answer is asked for again, where the answer itself does not say."""
