"""What ``--domain`` and its like name: zones, and networks whose reverse zones are meant."""

import ipaddress
from typing import Final

from fairlead.agent import ConfigError
from fairlead.dns import names
from fairlead.dns.errors import BadNameError
from fairlead.dns.names import Name

ZONES_PER_NETWORK_MAX: Final = 256


def parts_of(text: str, *, flag: str) -> list[str]:
    """Return the parts of a list with commas.

    Raises:
        ConfigError: there is none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ConfigError(f"{flag} is empty", "give at least one, or leave the flag out")
    return parts


def zones_of(text: str, *, flag: str) -> tuple[Name, ...]:
    """Return the zones that a list of names and networks (``10.0.0.0/8``) means.

    Raises:
        ConfigError: a part is neither.
    """
    found: list[Name] = []
    for part in parts_of(text, flag=flag):
        found += reverse_zones_of(part, flag=flag) if "/" in part else [name_of(part, flag=flag)]
    return tuple(dict.fromkeys(found))


def name_of(text: str, *, flag: str) -> Name:
    """Return the name that ``text`` writes.

    Raises:
        ConfigError: it is none.
    """
    try:
        return names.from_text(text)
    except BadNameError as error:
        raise ConfigError(f"{flag}: {text!r} is no name: {error}", "write it as skydns.local.") from error


def reverse_zones_of(text: str, *, flag: str) -> list[Name]:
    """Return the reverse zones of a network; several when its prefix ends within an octet, or a nibble of IPv6.

    Raises:
        ConfigError: it is no network.
    """
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}", "write a network as 10.0.0.0/8") from error
    if str(network.network_address) != str(ipaddress.ip_address(text.partition("/")[0])):
        raise ConfigError(f"{flag}: {text} is an address within a network", f"write {network}")
    step = 8 if network.version == 4 else 4
    prefix = -(-network.prefixlen // step) * step
    assert 2 ** (prefix - network.prefixlen) <= ZONES_PER_NETWORK_MAX
    labels_beyond = (network.max_prefixlen - prefix) // step
    return [
        names.strip(names.from_text(subnet.network_address.reverse_pointer), labels_beyond)
        for subnet in network.subnets(new_prefix=prefix)
    ]
