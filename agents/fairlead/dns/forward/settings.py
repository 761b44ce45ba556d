"""What an operator says about forwarding: on the command line, and live in ``<prefix>/config``."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

from fairlead.agent import Address, ConfigError
from fairlead.dns.forward.limits import ForwardLimits
from fairlead.dns.forward.routes import PORT_DEFAULT
from fairlead.dns.zone import ForwardSettings as KeySettings

DEADLINE_S_MIN = 0.1
DEADLINE_S_MAX = 30.0
_HINT = "write --nameservers 192.0.2.1:53,[2001:db8::1]:53, or a file such as /etc/resolv.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardSettings:
    """What an operator says about forwarding.

    Attributes:
        nameservers: who is asked for names outside the zones; empty: nobody.
        in_order: the first of them that lives is asked, and not the fastest (``ns_rotate: false``).
        no_rec: nothing is forwarded but to stub zones.
        has_stubs: whether keys may name stub zones.
        limits: see there.
    """

    nameservers: tuple[Address, ...] = ()
    in_order: bool = False
    no_rec: bool = False
    has_stubs: bool = True
    limits: ForwardLimits = field(default_factory=ForwardLimits)

    @property
    def offers_recursion(self) -> bool:
        """Whether names outside the zones are answered at all: RA."""
        return bool(self.nameservers) and not self.no_rec


def parse_nameservers(texts: Iterable[str], *, flag: str = "--nameservers") -> tuple[Address, ...]:
    """Return the addresses that ``texts`` name: ``IP``, ``IP:PORT``, or the path of a file like resolv.conf.

    Raises:
        ConfigError: one of them names none.
    """
    found: list[Address] = []
    for text in texts:
        found += (
            _from_resolv_conf(Path(text)) if text.startswith("/") else [parse_nameserver(text, flag=flag)]
        )
    return tuple(dict.fromkeys(found))


def parse_nameserver(text: str, *, flag: str) -> Address:
    """Return the address of one upstream.  Raises ConfigError."""
    host, port = text, str(PORT_DEFAULT)
    if text.startswith("[") or text.count(":") == 1:
        host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", port)
        host = host.removeprefix("[").removesuffix("]")
    try:
        host = str(ip_address(host))
    except ValueError as error:
        raise ConfigError(f"{flag}: {text!r} is no address", _HINT) from error
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise ConfigError(f"{flag}: {text!r} has no such port", _HINT)
    return Address(host=host, port=int(port))


def _from_resolv_conf(path: Path) -> list[Address]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise ConfigError(f"--nameservers: cannot read {path}: {error.strerror}", _HINT) from error
    words = [line.split() for line in lines]
    found = [
        parse_nameserver(word[1], flag=str(path))
        for word in words
        if len(word) > 1 and word[0] == "nameserver"
    ]
    if not found:
        raise ConfigError(f"--nameservers: {path} names no nameserver", _HINT)
    return found


def with_key(base: ForwardSettings, said: KeySettings) -> ForwardSettings:
    """Return ``base`` with what SkyDNS's config key says instead; its ``read_timeout`` bounds a whole question.

    Raises:
        ConfigError: a name server in it is no address.
    """
    limits = base.limits
    if said.read_timeout_s is not None:
        limits = replace(limits, deadline_s=min(max(said.read_timeout_s, DEADLINE_S_MIN), DEADLINE_S_MAX))
    return replace(
        base,
        nameservers=base.nameservers
        if said.nameservers is None
        else tuple(parse_nameserver(text, flag="nameservers") for text in said.nameservers),
        in_order=base.in_order if said.ns_rotate is None else not said.ns_rotate,
        no_rec=base.no_rec if said.no_rec is None else said.no_rec,
        limits=limits,
    )
