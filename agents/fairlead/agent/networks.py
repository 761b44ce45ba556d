"""Sets of networks, and whether a client's address lies in one."""

import ipaddress
from collections.abc import Iterable
from typing import Final

from fairlead.agent.errors import ConfigError

_REMEMBERED_MAX: Final = 65536

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
EVERYWHERE: Final = ("0.0.0.0/0", "::/0")

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks:
    """Networks in CIDR notation; a plain address is a network of one.

    Raises:
        ValueError: one is no network.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._networks: tuple[_Network, ...] = tuple(
            ipaddress.ip_network(text, strict=False) for text in texts
        )
        self._remembered: dict[str, bool] = {}

    def __repr__(self) -> str:
        return f"Networks({', '.join(map(str, self._networks))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self._networks == other._networks

    def __hash__(self) -> int:
        return hash(self._networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, ip: object) -> bool:
        """Whether the address ``ip``, in text, lies in one of the networks; asked again it costs one look-up."""
        assert isinstance(ip, str)
        found = self._remembered.get(ip)
        if found is None:
            address = address_of(ip)
            found = any(address in network for network in self._networks)
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[ip] = found
        return found

    def covers(self, text: str) -> bool:
        """Whether all of the network ``text`` lies in one of them."""
        inner = ipaddress.ip_network(text)
        return any(
            network.version == inner.version and inner.subnet_of(network)  # type: ignore[arg-type]  # one version
            for network in self._networks
        )

    @property
    def are_all(self) -> bool:
        """Whether every address lies in them."""
        return {network.version for network in self._networks if network.prefixlen == 0} == {4, 6}


def address_of(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address ``ip`` as the system writes it: a zone is nothing, and an IPv4 address is one in IPv6 too."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def networks_of(text: str, *, flag: str) -> tuple[str, ...]:
    """Return the networks in a list with commas, as ``flag`` was given.

    Raises:
        ConfigError: one is no network.
    """
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        Networks(parts)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}", "write networks as 10.0.0.0/8,2001:db8::/32") from error
    return parts
