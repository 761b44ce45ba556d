"""Where clients and records are, and which records are near to whom.

A record may say its ``zone``, its ``region``, and in ``cidr`` the networks that it is near to.  Where a client is, a map of
networks says (``/fairlead/dns/topology``): ``{"10.1.0.0/16": {"zone": "a", "region": "eu"}}``.
"""

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fairlead.dns.client import Origin
from fairlead.dns.errors import BadRecordError

NETWORKS_MAX: Final = 4096
CIDRS_PER_RECORD_MAX: Final = 64

Network = tuple[bytes, int]
"""Address of 4 or 16 bytes, and the bits of it that count."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where somebody is; empty is unknown."""

    zone: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Hints:
    """Where a record is, and whom it is near to."""

    location: Location
    networks: tuple[Network, ...] = ()

    def distance(self, client: Location, network: Network | None) -> int:
        """Return 0 for the same place, 1 for the same region, 2 for elsewhere.

        Args:
            client: where the client is.
            network: the narrowest of the records' networks that holds the client.
        """
        here = self.location
        if (network is not None and network in self.networks) or (here.zone and here.zone == client.zone):
            return 0
        return 1 if here.region and here.region == client.region else 2


NOWHERE: Final = Hints(Location())


@dataclass(slots=True)
class Map:
    """Networks to locations."""

    places: dict[Network, Location] = field(default_factory=dict)

    def locate(self, origin: Origin) -> Location:
        """Return where ``origin`` is, by the narrowest network that holds it."""
        network = narrowest(origin, self.places)
        return self.places[network] if network is not None else Location()

    def locations(self) -> list[Location]:
        """Return every place there is, and nowhere."""
        return [*dict.fromkeys([Location(), *self.places.values()])]


def narrowest(origin: Origin, networks: Iterable[Network]) -> Network | None:
    """Return the network with the longest prefix that holds ``origin``; None when none does."""
    best: Network | None = None
    for network in networks:
        if (best is None or network[1] > best[1]) and _holds(network, origin):
            best = network
    return best


def _holds(network: Network, origin: Origin) -> bool:
    address, prefix = network
    size = len(address)
    if size != len(origin.address) or prefix > origin.prefix:
        return False
    shift = 8 * size - prefix
    return int.from_bytes(address, "big") >> shift == int.from_bytes(origin.address, "big") >> shift


def parse_hints(fields: Mapping[str, object]) -> Hints:
    """Return what a record's fields, their names in lower case, say of its place.

    Raises:
        BadRecordError: a field of the wrong kind.
    """
    cidr = fields.get("cidr")
    texts = [cidr] if isinstance(cidr, str) else cidr if isinstance(cidr, list) else []
    if cidr is not None and (not texts or not all(isinstance(text, str) for text in texts)):
        raise BadRecordError('cidr must be a network or a list of them, such as "10.1.0.0/16"')
    if len(texts) > CIDRS_PER_RECORD_MAX:
        raise BadRecordError(f"cidr has {len(texts)} networks, at most {CIDRS_PER_RECORD_MAX} are possible")
    location = _location(fields)
    if location == NOWHERE.location and not texts:
        return NOWHERE
    return Hints(location, tuple(_network(text, name="cidr") for text in texts))


def parse_map(value: bytes) -> Map:
    """Return the map that the value of the topology key draws.

    Raises:
        BadRecordError: not an object of networks.
    """
    try:
        fields = json.loads(value)
    except ValueError as error:
        raise BadRecordError(f"the value is not JSON ({error})") from error
    if not isinstance(fields, dict) or not all(isinstance(one, dict) for one in fields.values()):
        raise BadRecordError('write {"10.1.0.0/16": {"zone": "a", "region": "eu"}}')
    if len(fields) > NETWORKS_MAX:
        raise BadRecordError(f"{len(fields)} networks, at most {NETWORKS_MAX} are possible")
    return Map({_network(text, name="a network"): _location(place) for text, place in fields.items()})


def _location(fields: Mapping[str, object]) -> Location:
    zone, region = fields.get("zone") or "", fields.get("region") or ""
    if not isinstance(zone, str) or not isinstance(region, str):
        raise BadRecordError("zone and region must be strings")
    return Location(zone, region)


def _network(text: str, *, name: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise BadRecordError(f"{name}: {text!r} is no network; write it as 10.1.0.0/16") from error
    return network.network_address.packed, network.prefixlen
