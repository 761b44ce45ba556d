"""What holds for records at present, beside what their keys say, and what follows for the choice among them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fairlead.dns.choose.nearness import Hints, Location, Map, Network
from fairlead.dns.names import Name
from fairlead.dns.records import Record


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a client sits, as far as the records of one answer can tell clients apart.

    Attributes:
        location: by the map.
        network: the narrowest of the records' own networks that holds it.
    """

    location: Location
    network: Network | None


SEATS_MAX = 64
"""Kinds of client that one answer tells apart."""


@dataclass(slots=True)
class Conditions:
    """What holds at present.

    Attributes:
        down: owners of records that a check has found ill.
        shares: owners of records that start slowly, and the part of their weight that counts.
        is_tiered: whether, of addresses, only the records of the least priority are answered.
        map: where clients are.
    """

    down: set[Name] = field(default_factory=set)
    shares: dict[Name, float] = field(default_factory=dict)
    is_tiered: bool = False
    map: Map = field(default_factory=Map)

    def alive(self, records: list[Record]) -> list[Record]:
        """Return the records that are not ill; all of them when all are, since a check may be what is broken."""
        if not self.down:
            return records
        return [record for record in records if record.owner not in self.down] or records

    def chosen(
        self, records: list[Record], *, priority_of: Callable[[Record], int], seat: Seat | None = None
    ) -> list[Record]:
        """Return the records to answer with: alive, of the first tier, and near.

        Where a client sits counts after health and before nothing: when its own place has no record that lives, it is
        served by its region, and then by all.
        """
        alive = self.alive(records)
        if self.is_tiered and alive:
            least = min(priority_of(record) for record in alive)
            alive = [record for record in alive if priority_of(record) == least]
        if seat is not None and alive:
            distances = [record.hints.distance(seat.location, seat.network) for record in alive]
            nearest = min(distances)
            alive = [one for one, distance in zip(alive, distances, strict=True) if distance == nearest]
        return alive

    def weight_of(self, record: Record) -> int:
        """Return the weight that counts now, 1 or more."""
        share = self.shares.get(record.owner)
        # In hundredths, so that a small share of a small weight is one.
        return record.weight * 100 if share is None else max(1, int(record.weight * 100 * share))

    def seats(self, hints: set[Hints]) -> list[Seat]:
        """Return the seats that records with ``hints`` tell apart; at most `SEATS_MAX`, nowhere first."""
        zones = {one.location.zone for one in hints}
        regions = {one.location.region for one in hints}
        locations = [
            place for place in self.map.locations() if place.zone in zones or place.region in regions
        ] or [Location()]
        if Location() not in locations:
            locations.insert(0, Location())
        networks: list[Network | None] = [
            None,
            *sorted({network for one in hints for network in one.networks}),
        ]
        return [Seat(location, network) for network in networks for location in locations][:SEATS_MAX]
