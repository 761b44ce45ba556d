"""Who may have whole zones, and who is told of changes."""

import ipaddress
from dataclasses import dataclass, field

from fairlead.agent import Address
from fairlead.dns.transfer.keyring import Keyring

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """Who may have whole zones, and who is told of changes.

    Attributes:
        allowed: from where a zone may be asked for; with ``keyring`` and no network, from everywhere.
        keyring: keys, of which one must have signed the query; empty: signatures are not asked for.
        secondaries: who is sent NOTIFY.
    """

    allowed: tuple[Network, ...] = ()
    keyring: Keyring = field(default_factory=Keyring)
    secondaries: tuple[Address, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether anybody may have a zone."""
        return bool(self.allowed or self.keyring)

    def allows(self, ip: str, *, is_signed: bool) -> bool:
        """Whether a client at ``ip`` may have a zone; ``is_signed``: its query was signed by one of our keys."""
        if not self.is_on or (self.keyring and not is_signed):
            return False
        address = ipaddress.ip_address(ip.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return not self.allowed or any(address in network for network in self.allowed)
