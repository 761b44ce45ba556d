"""Answers with signatures and proofs, made when they are asked for.

A denial is compact (RFC 9824): one NSEC record says of the very name asked what it has, so that nobody learns of other names, and
nothing must be known of them.  A wildcard's answer is signed as the name's own, since that is what it looks like to whoever
asks.  The additional section is not signed: validators need nothing of it.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from fairlead.dns.answer import Answer, RRset, Soa, soa_rrset
from fairlead.dns.dnssec import rollover
from fairlead.dns.dnssec.canonical import SIGNED_ALWAYS, nsec_data, rrsig_data
from fairlead.dns.dnssec.keys import SigningKey
from fairlead.dns.dnssec.limits import SigningLimits
from fairlead.dns.dnssec.rollover import Keys
from fairlead.dns.message import Query, Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.present import present_types
from fairlead.dns.tree import Tree
from fairlead.dns.zone import Zone, Zones

_CacheKey = tuple[Name, RRset]


class Signer:
    """Signs what its zones say.

    Attributes:
        signed: signatures made.
        reused: signatures found again.
    """

    def __init__(self, *, tree: Tree, zones: Zones, limits: SigningLimits) -> None:
        self.signed = 0
        self.reused = 0
        self._tree = tree
        self._zones = zones
        self._limits = limits
        self._keys: dict[Name, Keys] = {}
        self._signers: dict[Name, list[SigningKey]] = {}
        self._signatures: OrderedDict[_CacheKey, tuple[bytes, ...]] = OrderedDict()
        self._period = -1
        self._now_s = 0.0
        self._keys_turn_s = math.inf

    def __repr__(self) -> str:
        return f"Signer({len(self._keys)} zones, {len(self._signatures)} signatures)"

    @property
    def keys(self) -> Mapping[Name, Keys]:
        """The keys of each zone that is signed."""
        return self._keys

    def set_keys(self, keys: Mapping[Name, Keys]) -> None:
        """Sign by ``keys`` from now on, `set_time` having come first; answers that were kept are to be dropped."""
        self._keys = dict(keys)
        self._signers = {zone: rollover.signers(of_zone) for zone, of_zone in keys.items()}
        self._signatures.clear()
        self._tell_keys()

    def set_time(self, now_s: float) -> bool:
        """Take up the time, in seconds since 1970; return whether answers that were kept are to be dropped."""
        self._now_s = now_s
        period = int(now_s) // self._limits.period_s
        is_new = period != self._period
        if is_new:
            self._period = period
            self._signatures.clear()
        if now_s >= self._keys_turn_s:
            self._tell_keys()
            return True
        return is_new

    def _tell_keys(self) -> None:
        """Let the zones say what they say of their keys now, until the time at which that is something else."""
        now_s, limits = self._now_s, self._limits
        self._zones.set_key_data(
            {zone: _key_data(zone, keys, now_s=now_s, limits=limits) for zone, keys in self._keys.items()}
        )
        turns = [rollover.turns_s(keys, limits=limits) for keys in self._keys.values()]
        self._keys_turn_s = min((turn_s for turn_s in turns if turn_s > now_s), default=math.inf)

    def sign(self, answer: Answer, query: Query) -> Answer:
        """Return ``answer`` to ``query`` with signatures, and proofs of what it denies."""
        zone = answer.zone
        if zone is None or answer.rcode == Rcode.SERVFAIL:
            return answer
        if answer.variants:
            return replace(answer, variants=tuple(self.sign(one, query) for one in answer.variants))
        if answer.is_referral:
            return self._sign_referral(answer, zone)
        if answer.soa is Soa.AUTHORITY:
            return self._sign_denial(answer, zone, query) if zone.name in self._signers else answer
        rrsets = (soa_rrset(zone),) if answer.soa is Soa.ANSWER else answer.answer
        signed = tuple(self._with_signatures(rrsets))
        if answer.denied is not None:
            last = self._zones.of(answer.denied)
            if last is not None and last.name in self._signers:
                return self._prove(replace(answer, answer=signed), answer.denied, last, query)
        if len(signed) == len(rrsets):
            return answer  # nothing in it is of a zone with keys
        is_lasting = answer.soa is not Soa.ANSWER  # a serial changes with every revision
        depends_on = answer.depends_on if is_lasting else frozenset[Name]()
        return replace(answer, answer=signed, soa=Soa.NOWHERE, depends_on=depends_on)

    def _sign_denial(self, answer: Answer, zone: Zone, query: Query) -> Answer:
        name, is_there = query.name, answer.rcode != Rcode.NXDOMAIN
        if is_there and query.qtype in SIGNED_ALWAYS:
            # What would deny these is one of them.
            denial = self._denial(name, zone, query.qtype, is_there=is_there)
            wanted = tuple(rrset for rrset in denial if query.qtype in {rrset.rtype, Type.NSEC})
            return replace(answer, soa=Soa.NOWHERE, answer=wanted, depends_on=frozenset())
        return self._prove(replace(answer, soa=Soa.NOWHERE, depends_on=frozenset()), name, zone, query)

    def _prove(self, answer: Answer, name: Name, zone: Zone, query: Query) -> Answer:
        """Return ``answer`` with the proof of what it denies of ``name``, in a ``zone`` with keys."""
        is_there = answer.rcode != Rcode.NXDOMAIN
        soa = soa_rrset(zone, ttl_s=zone.denial_ttl_s)
        denial = self._denial(name, zone, query.qtype, is_there=is_there)
        proof = (soa, *self._signatures_of(soa, zone), *denial)
        # RFC 9824, section 3.4 and 5: the code is NOERROR but for those who ask otherwise.
        rcode = Rcode.NXDOMAIN if not is_there and query.compact_ok else Rcode.NOERROR
        return replace(answer, rcode=rcode, authority=proof)

    def _denial(self, name: Name, zone: Zone, qtype: int, *, is_there: bool) -> tuple[RRset, ...]:
        """Return the NSEC record that says what ``name`` has, and no ``qtype``, with its signatures."""
        types = {int(Type.NXNAME)}
        if is_there:
            types = present_types(name, tree=self._tree, zones=self._zones, zone=zone) - {qtype}
        nsec = RRset(name, Type.NSEC, zone.denial_ttl_s, (nsec_data(name, types | SIGNED_ALWAYS),))
        return (nsec, *self._signatures_of(nsec, zone, is_kept=is_there))

    def _sign_referral(self, answer: Answer, zone: Zone) -> Answer:
        if zone.name not in self._signers:
            return answer
        authority: list[RRset] = []
        for rrset in answer.authority:
            authority.append(rrset)
            if rrset.rtype == Type.DS:
                authority += self._signatures_of(rrset, zone)
        if all(rrset.rtype != Type.DS for rrset in answer.authority):
            cut = answer.authority[0].owner
            denial = RRset(cut, Type.NSEC, zone.denial_ttl_s, (nsec_data(cut, {Type.NS, *SIGNED_ALWAYS}),))
            authority += [denial, *self._signatures_of(denial, zone)]
        return replace(answer, authority=tuple(authority))

    def _with_signatures(self, rrsets: Iterable[RRset]) -> Iterable[RRset]:
        for rrset in rrsets:
            # One CNAME is all that a name can have; one that is signed cannot take turns.
            one = replace(rrset, rdatas=rrset.rdatas[:1], weights=()) if rrset.rtype == Type.CNAME else rrset
            yield one
            zone = self._zones.of(one.owner)
            if zone is not None and one.rtype == Type.DS and one.owner == zone.name:
                zone = self._zones.parent_of(zone)
            if zone is not None:
                yield from self._signatures_of(one, zone)

    def _signatures_of(self, rrset: RRset, zone: Zone, *, is_kept: bool = True) -> tuple[RRset, ...]:
        """Return the RRSIG records of ``rrset``, none when ``zone`` has no keys."""
        signers = self._signers.get(zone.name)
        if not signers:
            return ()
        is_of_keys = rrset.rtype in _SIGNED_BY_ALL and rrset.owner == zone.name
        rrset = (
            replace(rrset, weights=()) if rrset.weights else rrset
        )  # they change its order, not what is signed
        cache_key = (zone.name, rrset)  # which zone a name lies in, /skydns/config can change
        data = self._signatures.get(cache_key)
        if data is None:
            if is_of_keys:
                signers = [key.key for key in self._keys[zone.name]]
            data = tuple(self._signature(rrset, zone.name, key) for key in signers)
            self.signed += len(data)
            if is_kept:
                self._keep(cache_key, data)
        else:
            self.reused += len(data)
        return (RRset(rrset.owner, Type.RRSIG, rrset.ttl_s, data),)

    def _signature(self, rrset: RRset, zone: Name, key: SigningKey) -> bytes:
        assert self._period >= 0, "set_time comes first"
        limits = self._limits
        begin_s = self._period * limits.period_s
        return rrsig_data(
            rrset,
            zone=zone,
            key=key,
            inception_s=begin_s - limits.backdate_s,
            expiration_s=begin_s + limits.period_s + limits.validity_s,
        )

    def _keep(self, cache_key: _CacheKey, data: tuple[bytes, ...]) -> None:
        if len(self._signatures) >= self._limits.signatures_max:
            self._signatures.popitem(last=False)
        self._signatures[cache_key] = data


_SIGNED_BY_ALL: Final = frozenset({int(Type.DNSKEY), int(Type.CDS), int(Type.CDNSKEY)})


def _key_data(zone: Name, keys: Keys, *, now_s: float, limits: SigningLimits) -> dict[int, tuple[bytes, ...]]:
    """Return what the apex of a zone with ``keys`` says of them, and its parent, if that is ours too."""
    wanted = rollover.wanted_by_parent(keys, now_s=now_s, limits=limits)
    return {
        Type.DNSKEY: tuple(key.key.dnskey for key in keys),
        Type.CDS: (wanted.ds(zone),),
        Type.CDNSKEY: (wanted.dnskey,),
        Type.DS: tuple(key.key.ds(zone) for key in keys),
    }
