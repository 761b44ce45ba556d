"""Which upstreams a name is forwarded to: those of the longest stub zone around it, else the general ones.

Stub zones are keys: ``<prefix>/<zone>/dns/stub/com/example/<id>`` names a server of ``example.com.``  They count before our
own data, as in SkyDNS.
"""

from collections.abc import Iterable
from ipaddress import ip_address

from fairlead.agent import Address
from fairlead.dns import names
from fairlead.dns.forward.upstream import Pool
from fairlead.dns.names import Name
from fairlead.dns.tree import Tree

PORT_DEFAULT = 53

Stubs = dict[Name, tuple[Address, ...]]
"""Stub zone to its servers."""


def stub_root(zone: Name) -> Name:
    """Return the name below which the stub zones of ``zone`` are."""
    return names.from_labels((b"stub", b"dns", *names.labels(zone)))


def find_stubs(tree: Tree, zones: Iterable[Name]) -> Stubs:
    """Return the stub zones that the keys name.  Only addresses count: a name would have to be forwarded itself."""
    found: dict[Name, dict[Address, None]] = {}
    for zone in zones:
        root = stub_root(zone)
        for record in tree.below(root):
            inner = names.labels(record.owner[: len(record.owner) - len(root)] + names.ROOT)
            if record.address is not None and len(inner) > 1:
                address = Address(
                    host=str(ip_address(record.address)), port=max(record.port, 0) or PORT_DEFAULT
                )
                found.setdefault(names.from_labels(inner[1:]), {})[address] = None
    return {zone: tuple(sorted(addresses, key=str)) for zone, addresses in found.items()}


class Routes:
    """The pools of upstreams by name."""

    def __init__(self) -> None:
        self.general: Pool | None = None
        self.stubs: dict[Name, Pool] = {}

    def set_general(self, addresses: tuple[Address, ...], *, in_order: bool = False) -> bool:
        """Let names go to ``addresses``, or nowhere; return whether that is new."""
        was_in_order = self.general is not None and self.general.in_order
        if addresses == _addresses(self.general) and (in_order == was_in_order or not addresses):
            return False
        self.general = Pool(addresses, in_order=in_order) if addresses else None
        return True

    def set_stubs(self, stubs: Stubs) -> bool:
        """Let ``stubs`` be the stub zones; return whether that is new.  What is known of their servers is kept."""
        if stubs == {zone: _addresses(pool) for zone, pool in self.stubs.items()}:
            return False
        kept = {zone: pool for zone, pool in self.stubs.items() if stubs.get(zone) == _addresses(pool)}
        self.stubs = {zone: kept.get(zone) or Pool(addresses) for zone, addresses in stubs.items()}
        return True

    def stub_of(self, name: Name) -> Pool | None:
        """Return the servers of the longest stub zone around ``name``."""
        if self.stubs:
            for suffix in names.suffixes(name):
                if suffix in self.stubs:
                    return self.stubs[suffix]
        return None

    def of(self, name: Name) -> Pool | None:
        """Return whom to ask for ``name``; None: nobody."""
        return self.stub_of(name) or self.general

    def pools(self) -> dict[Name, Pool]:
        """Return every pool by its zone; the general one is the root's."""
        return {**({names.ROOT: self.general} if self.general is not None else {}), **self.stubs}


def _addresses(pool: Pool | None) -> tuple[Address, ...]:
    return tuple(upstream.address for upstream in pool.upstreams) if pool is not None else ()
