"""What an operator says about forwarding: on the command line, and live in ``<prefix>/config``."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

from fairlead.agent import Address, ConfigError
from fairlead.dns.errors import BadRecordError
from fairlead.dns.forward.limits import ForwardLimits
from fairlead.dns.forward.routes import PORT_DEFAULT

RESOLV_CONF = Path("/etc/resolv.conf")
_HINT = "write --nameservers 192.0.2.1:53,[2001:db8::1]:53, or a file such as /etc/resolv.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardSettings:
    """What an operator says about forwarding.

    Attributes:
        nameservers: who is asked for names outside the zones; empty: nobody.
        no_rec: nothing is forwarded but to stub zones.
        ndots: names with fewer labels are not forwarded (SkyDNS's ``ndots``).
        has_stubs: whether keys may name stub zones.
        limits: see there.
    """

    nameservers: tuple[Address, ...] = ()
    no_rec: bool = False
    ndots: int = 2
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


def settings_from_key(value: bytes, *, base: ForwardSettings) -> ForwardSettings:
    """Return ``base`` with what SkyDNS's config key says instead: ``nameservers``, ``no_rec`` and ``ndot``.

    Raises:
        BadRecordError: a field of the wrong kind.
    """
    try:
        fields = json.loads(value)
    except ValueError as error:
        raise BadRecordError(f"the value is not JSON ({error})") from error
    if not isinstance(fields, Mapping):
        raise BadRecordError("the value is not a JSON object")
    nameservers = fields.get("nameservers") or []
    if not isinstance(nameservers, list) or not all(isinstance(text, str) for text in nameservers):
        raise BadRecordError('nameservers must be a list of strings such as "192.0.2.1:53"')
    no_rec, ndots = fields.get("no_rec", base.no_rec), fields.get("ndot", fields.get("ndots", base.ndots))
    if not isinstance(no_rec, bool):
        raise BadRecordError("no_rec must be true or false")
    if not isinstance(ndots, int) or isinstance(ndots, bool) or ndots < 0:
        raise BadRecordError("ndot must be a number of labels")
    try:
        addresses = tuple(parse_nameserver(text, flag="nameservers") for text in nameservers)
    except ConfigError as error:
        raise BadRecordError(error.format_message()) from error
    return replace(base, nameservers=addresses or base.nameservers, no_rec=no_rec, ndots=ndots)
