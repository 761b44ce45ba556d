"""What is explained is what happens: random keys, and every claim put to the test."""

import random
from dataclasses import dataclass

import dns.message
import dns.rdatatype
import pytest
from tests.unit.dns.explain.test_explain import explained
from tests.unit.dns.site import Site, records

from fairlead.dns import COREDNS, SKYDNS, names
from fairlead.dns.explain import Explanation
from fairlead.dns.message import Rcode, Type
from fairlead.dns.semantics import answer_question

ZONES = ("skydns.test", "in.skydns.test", "10.in-addr.arpa")
NAMES = (
    "skydns.test", "a.skydns.test", "b.skydns.test", "a.b.skydns.test", "b.a.skydns.test", "*.b.skydns.test",
    "in.skydns.test", "a.in.skydns.test", "x.ns.dns.skydns.test", "mail.skydns.test", "1.0.0.10.in-addr.arpa",
)  # fmt: skip
ASKED = (
    *NAMES, "no.b.skydns.test", "no.no.skydns.test", "any.skydns.test", "*.skydns.test", "any.any.skydns.test",
    "local.dns.skydns.test", "dns.skydns.test", "localhost", "1.0.0.127.in-addr.arpa", "example.com",
)  # fmt: skip
TYPES = (
    Type.A, Type.AAAA, Type.SRV, Type.TXT, Type.MX, Type.CNAME, Type.PTR, Type.NS, Type.SOA, Type.ANY, Type.CAA, Type.DS,
    Type.NXNAME,
)  # fmt: skip


@dataclass(slots=True)
class World:
    """A site of random keys, each of which says something that no other says."""

    site: Site
    fields: dict[str, dict[str, object]]


def world(seed: int, *, is_plain: bool) -> World:
    rng = random.Random(seed)
    fields = {
        name: one(number, rng, is_plain=is_plain) for number, name in enumerate(NAMES) if rng.random() < 0.7
    }
    site = Site(
        fields,
        zones=ZONES,
        exact=("skydns.test",) if seed % 3 == 0 else (),
        dialect=COREDNS if seed % 2 else SKYDNS,
        local="a.skydns.test",
    )
    conditions = site.model.tree.conditions
    conditions.down = {names.from_text(name) for name in fields if rng.random() < 0.15}
    conditions.is_tiered = not is_plain and rng.random() < 0.3
    return World(site, fields)


def one(number: int, rng: random.Random, *, is_plain: bool) -> dict[str, object]:
    fields: dict[str, object] = {"ttl": 300, "port": 1000 + number}
    match rng.randrange(6):
        case 0 | 1:
            fields["host"] = f"10.0.0.{number}"
        case 2:
            fields["host"] = f"2001:db8::{number}"
        case 3:
            fields["host"] = rng.choice([*NAMES, "no.skydns.test", f"n{number}.example.com"])
        case 4:
            fields["caa"] = f'0 issue "ca{number}"'
            fields["records"] = [f"A 10.9.0.{number}", f"TXT own{number}"]
        case _:
            pass
    if rng.random() < 0.3:
        fields["text"] = f"text {number}"
    if rng.random() < 0.3:
        fields["mail"] = True
    if rng.random() < 0.3:
        fields["priority"] = rng.choice([5, 20])
    if rng.random() < 0.08:
        fields["ns"] = f"ns{number}.example.net"
    if rng.random() < 0.3:
        fields["zone"] = rng.choice("ab")
    if not is_plain and rng.random() < 0.4:
        fields["group"] = rng.choice("gh")
    return fields


def told_of(site: Site, name: str, qtype: int) -> tuple[Explanation, dns.message.Message]:
    query = dns.message.make_query(name, dns.rdatatype.RdataType.make(qtype), flags=0)
    return explained(site, name, qtype), site.exchange(query, tcp=True)


@pytest.mark.parametrize("seed", range(15))
def test_the_answer_that_is_told_is_the_one_that_is_given(seed: int) -> None:
    site = world(seed, is_plain=False).site
    for name in ASKED:
        for qtype in TYPES:
            told, given = told_of(site, name, qtype)
            assert told.rcode == dns.rcode.to_text(given.rcode()), (name, qtype)
            # Turns aside: of several CNAMEs one is sent.
            if not any(rrset.rdtype == dns.rdatatype.CNAME for rrset in given.answer):
                assert sorted(told.answer) == records(given.answer), (name, qtype)


@pytest.mark.parametrize("seed", range(100, 115))
def test_what_is_said_to_answer_does_and_what_is_said_to_be_left_out_is(seed: int) -> None:
    """Without a key that answers the answer is another; without one that does not it is the same.

    Groups and tiers hang on keys that do not answer, so there are none here; and several ways may lead to one address.
    """
    there = world(seed, is_plain=True)
    checked = 0
    for name in ASKED[:-3]:
        for qtype in TYPES[:-1]:
            if qtype == Type.SOA:
                continue
            told = explained(there.site, name, qtype)
            before = said(there.site, name, qtype)
            for line in told.keys:
                owner = ".".join(reversed(line.key.removeprefix("/skydns/").split("/")))
                after = without(there, owner, name, qtype)
                if line.verdict.startswith(("answers", "names the servers")):
                    assert is_name(there, owner) or after != before, (name, qtype, line)
                elif before[1]:
                    assert after == before, (name, qtype, line)
                checked += 1
    assert checked > 50


def said(site: Site, name: str, qtype: int) -> tuple[int, object]:
    answer = answer_question(names.from_text(name), qtype, tree=site.model.tree, zones=site.model.zones)
    # A client that is nowhere in particular: its variant is the first.
    shown = answer.variants[0] if answer.variants else answer
    # A serial is another after each change.
    authority = tuple(rrset for rrset in shown.authority if rrset.rtype != Type.SOA)
    sections = (shown.answer, authority, shown.additional)
    return (Rcode(answer.rcode), sections if answer.answer or answer.is_referral else ())


def is_name(there: World, owner: str) -> bool:
    record = there.site.model.tree.own(names.from_text(owner))
    return record is not None and record.target is not None


def without(there: World, owner: str, name: str, qtype: int) -> tuple[int, object]:
    there.site.delete(owner)
    found = said(there.site, name, qtype)
    there.site.put({owner: there.fields[owner]})
    return found
