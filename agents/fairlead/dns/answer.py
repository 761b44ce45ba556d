"""What a name and a type mean: SkyDNS's semantics over the tree of records.

An answer is made of whole RRsets, and says which names it was made from, so that it can be kept until one of them
changes.  Nothing here knows of packets.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from fairlead.dns.client import Origin
from fairlead.dns.edns import Ede
from fairlead.dns.message import Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.zone import Zone


class Soa(Enum):
    """Where the zone's SOA record stands in an answer.  It is added late: its serial changes with each revision."""

    NOWHERE = 0
    ANSWER = 1
    AUTHORITY = 2


@dataclass(frozen=True, slots=True)
class RRset:
    """All records of one owner and type; they share one TTL (RFC 2181, section 5.2).

    Attributes:
        owner: a name in wire form.
        rtype: the records' type.
        ttl_s: 0 to 2^31-1.
        rdatas: each record's data in wire form; at least one, none twice.
        weights: how often each of them comes first, where that differs; else empty.
    """

    owner: Name
    rtype: int
    ttl_s: int
    rdatas: tuple[bytes, ...]
    weights: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to say to a question.

    Attributes:
        rcode: NOERROR, NXDOMAIN, REFUSED (the name is not ours) or SERVFAIL.
        zone: the zone that the question lies in; None when it lies in none of ours.
        answer: the answer section, CNAMEs before what they lead to.
        authority: NS of a delegation, proofs of a denial; what does not fit costs TC.
        glue: additional records that cost TC when they do not fit (RFC 9471).
        additional: may be left out where it does not fit.
        soa: where the zone's SOA record goes; with ``answer`` or ``authority`` of its own, NOWHERE.
        is_local: the name is nobody's to delegate; AA is on although no zone is ours.
        is_referral: AA is off: the answer is below a zone cut.
        denied: the name that CNAMEs lead to, when it is in a zone of ours and has nothing: ``authority`` has that zone's SOA.
        edes: extended errors, for clients with EDNS.
        choose: when set, the answer depends on who asks: gives the number of one of ``variants``.
        variants: complete answers to choose from; their own ``depends_on`` does not count.
        depends_on: a change of one of these names, or below one, makes this answer stale.  Without any it is not to
            be kept: NXDOMAIN, and what wildcards say, for which anybody could make up any number of names.
    """

    rcode: Rcode = Rcode.NOERROR
    zone: Zone | None
    answer: tuple[RRset, ...] = ()
    authority: tuple[RRset, ...] = ()
    glue: tuple[RRset, ...] = ()
    additional: tuple[RRset, ...] = ()
    soa: Soa = Soa.NOWHERE
    is_referral: bool = False
    is_local: bool = False
    denied: Name | None = None
    edes: tuple[Ede, ...] = ()
    choose: Callable[[Origin], int] | None = None
    variants: tuple["Answer", ...] = ()
    depends_on: frozenset[Name] = frozenset()


def soa_rrset(zone: Zone, *, ttl_s: int | None = None) -> RRset:
    """Return the zone's SOA record, as it is now; with its own TTL unless another is given."""
    return RRset(
        zone.name, Type.SOA, zone.settings.dialect.soa_ttl_s if ttl_s is None else ttl_s, (zone.soa_data(),)
    )


@dataclass(slots=True)
class RRsets:
    """Records put together into RRsets: identical ones collapse, the first of an RRset gives its place."""

    _sets: dict[tuple[Name, int], tuple[list[int], dict[bytes, int]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._sets)

    def add(self, owner: Name, rtype: int, ttl_s: int, rdata: bytes, weight: int = 0) -> None:
        """Add one record; the weights of those that collapse add up."""
        ttls, rdatas = self._sets.setdefault((owner, rtype), ([], {}))
        ttls.append(ttl_s)
        rdatas[rdata] = rdatas.get(rdata, 0) + weight

    def sealed(self, *, ttl_s_max: int | None = None) -> tuple[RRset, ...]:
        """Return the RRsets, each with its least TTL, at most ``ttl_s_max``."""
        most = [] if ttl_s_max is None else [ttl_s_max]
        return tuple(
            RRset(owner, rtype, min(ttls + most), tuple(rdatas), _weights_of(rdatas))
            for (owner, rtype), (ttls, rdatas) in self._sets.items()
        )

    def ttl_s_min(self) -> int | None:
        """Return the least TTL of all records; None when there are none."""
        return min((min(ttls) for ttls, _ in self._sets.values()), default=None)


def _weights_of(rdatas: dict[bytes, int]) -> tuple[int, ...]:
    weights = tuple(rdatas.values())
    return weights if len(set(weights)) > 1 else ()
