"""Why an answer is as it is: every decision has its sentence."""

from collections.abc import Mapping

import dns.message
import pytest
from tests.unit.dns.site import Asker, Site, key_of, rcode

from fairlead.dns import COREDNS, names
from fairlead.dns.explain import Explainer, Explanation
from fairlead.dns.explain.chaos import ChaosExplain
from fairlead.dns.message import Type

POOL: dict[str, object] = {
    "1.web.skydns.test": {"host": "10.0.0.1", "port": 80},
    "2.web.skydns.test": {"host": "10.0.0.2", "port": 80},
}


def explained(
    site: Site,
    name: str,
    qtype: int = Type.A,
    *,
    ip: str = "127.0.0.1",
    ill: Mapping[bytes, str] | None = None,
) -> Explanation:
    return explainer_of(site, ill).explain(names.from_text(name), qtype, ip=ip)


def explainer_of(site: Site, ill: Mapping[bytes, str] | None = None) -> Explainer:
    return Explainer(
        model=site.model,
        responder=site.responder,
        forwarding=None,
        kv_of=lambda _: None,
        problems=lambda: {key.decode(): text for key, text in site.complaints.open.items()},
        ill=lambda: ill or {},
    )


def verdicts(told: Explanation) -> dict[str, str]:
    return {line.key.removeprefix("/skydns/test/skydns/"): line.verdict for line in told.keys}


def test_an_answer_is_told_with_the_keys_that_made_it() -> None:
    told = explained(Site(POOL), "web.skydns.test")
    assert told.steps == ["zone skydns.test., dialect skydns, with the records below a name"]
    assert verdicts(told) == {"web/1": "answers", "web/2": "answers"}
    assert told.keys[0].says == "address 10.0.0.1, port 80, ttl 3600"
    assert told.rcode == "NOERROR"
    assert sorted(told.answer) == [f"web.skydns.test. 3600 IN A 10.0.0.{n}" for n in (1, 2)]
    text = told.as_text()
    assert "/skydns/test/skydns/web/1" in text
    assert "web.skydns.test. A, asked by 127.0.0.1" in text


@pytest.mark.parametrize(
    ("site", "name", "expected"),
    [
        (Site(POOL), "wbe.skydns.test", "did you mean web.skydns.test.?"),
        (Site(POOL), "3.web.skydns.test", "the closest name that exists is web.skydns.test."),
        (
            Site({"test.skydns.api": {"host": "10.0.0.1"}}),
            "api.skydns.test",
            "the labels of a key are reversed",
        ),
        (Site(POOL), "example.com", "no --nameservers are given: REFUSED"),
        (
            Site({"*.apps.skydns.test": {"host": "10.0.0.1"}}),
            "x.apps.skydns.test",
            "the wildcard *.apps.skydns.test. answers",
        ),
        (Site(POOL), "test", "it lies in none of our zones"),
        (
            Site(POOL, exact=("skydns.test",)),
            "any.web.skydns.test",
            "the closest name that exists is web.skydns.test.",
        ),
        (Site(POOL), "localhost", "it is answered here (RFC 6761, RFC 6303)"),
        (
            Site({"a.skydns.test": {"host": "10.0.0.1"}}, local="a.skydns.test"),
            "local.dns.skydns.test",
            "--local",
        ),
        (Site(POOL, allowed=("10.0.0.0/8",)), "web.skydns.test", "--allow does not name who asks: REFUSED"),
    ],
    ids=["typo", "closest", "reversed", "outside", "wildcard", "above", "exact", "localhost", "local", "acl"],
)
def test_what_is_not_there_is_said_why(site: Site, name: str, expected: str) -> None:
    assert any(expected in step for step in explained(site, name).steps)


def test_a_key_that_cannot_be_used_is_named_where_it_is_missed() -> None:
    site = Site(POOL)
    site.apply({key_of("api.skydns.test"): b"{"})
    steps = explained(site, "api.skydns.test").steps
    assert any("/skydns/test/skydns/api cannot be used: the value is not JSON" in step for step in steps)


def test_each_record_that_is_left_out_is_said_why() -> None:
    site = Site(
        {
            **POOL,
            "3.web.skydns.test": {"host": "10.0.0.3", "priority": 20},
            "6.web.skydns.test": {"host": "2001:db8::1"},
        }
    )
    ill = names.from_text("1.web.skydns.test")
    site.model.tree.conditions.down.add(ill)
    site.model.tree.conditions.is_tiered = True
    site.model.tree.conditions.shares[names.from_text("2.web.skydns.test")] = 0.5
    assert verdicts(explained(site, "web.skydns.test", ill={ill: "status 503"})) == {
        "web/1": "left out: it is ill (status 503)",
        "web/2": "answers, starting slowly, with 50% of its weight",
        "web/3": "left out: a tier of less priority lives",
        "web/6": "nothing of this type",
    }


def test_a_group_and_a_fail_open_are_said() -> None:
    site = Site(
        {
            "web.skydns.test": {"host": "10.0.0.9", "group": "a"},
            "1.web.skydns.test": {"host": "10.0.0.1", "group": "b"},
        }
    )
    site.model.tree.conditions.down.update([names.from_text("web.skydns.test")])
    told = verdicts(explained(site, "web.skydns.test"))
    assert told["web/1"] == "left out: another group is chosen"
    assert told["web"].startswith("answers, although it is ill")


def test_nodata_is_told_from_nxdomain() -> None:
    told = explained(Site(POOL), "web.skydns.test", Type.TXT)
    assert told.rcode == "NOERROR"
    assert "no record of that type: NODATA" in told.steps
    assert explained(Site(POOL), "no.skydns.test").rcode == "NXDOMAIN"


def test_a_delegation_is_said() -> None:
    site = Site({"sub.skydns.test": {"ns": "ns.sub.skydns.test."}}, dialect=COREDNS)
    assert any("is delegated by its key" in step for step in explained(site, "www.sub.skydns.test").steps)


def test_a_large_pool_is_told_in_part() -> None:
    site = Site({f"n{n}.web.skydns.test": {"host": f"10.0.{n // 200}.{n % 200}"} for n in range(300)})
    told = explained(site, "web.skydns.test")
    assert len(told.keys) == 200
    assert any("more than 200 keys" in step for step in told.steps)


def test_dig_explains_to_who_asks_from_this_host() -> None:
    site = Site(POOL)
    site.responder.hooks.chaos = ChaosExplain(explainer_of(site))

    def asked(name: str, rtype: str = "TXT", *, ip: str = "127.0.0.1") -> dns.message.Message:
        query = dns.message.make_query(name, rtype, rdclass="CH")
        return dns.message.from_wire(site.responder.respond(query.to_wire(), Asker(ip=ip)) or b"")

    [text] = [rdata.to_text() for rrset in asked("_EXPLAIN.web.skydns.test").answer for rdata in rrset]
    assert "/skydns/test/skydns/web/1 (0) answers" in text
    assert rcode(asked("_explain.web.skydns.test", ip="192.0.2.1")) == "REFUSED"
    assert rcode(asked("_explain.web.skydns.test", "A")) == "REFUSED"
    assert rcode(asked("_explain")) == "REFUSED"
    assert rcode(asked("other.bind")) == "REFUSED"


@pytest.mark.parametrize(
    ("rtype", "keys", "step"),
    [
        (Type.SOA, {}, "its serial is the store's revision"),
        (Type.ANY, {}, "ANY is answered by one record"),
        (Type.NS, {"dns/ns/x": "answers"}, "with the records below a name"),
        (Type.CNAME, {}, "no record of that type: NODATA"),
        (Type.AXFR, {}, "a whole zone is no answer"),
        (Type.TSIG, {}, "nobody may ask for this type"),
    ],
)
def test_of_a_zone_itself_only_what_answers_is_told(rtype: Type, keys: dict[str, str], step: str) -> None:
    told = explained(Site({**POOL, "x.ns.dns.skydns.test": {"host": "10.0.0.53"}}), "skydns.test", rtype)
    assert verdicts(told) == keys
    assert any(step in one for one in told.steps)


def test_what_an_answer_leads_to_is_told_with_it_and_nobody_is_asked_for_the_rest() -> None:
    site = Site(
        {**POOL, "www.skydns.test": {"host": "web.skydns.test"}, "ext.skydns.test": {"host": "a.example.com"}}
    )
    site.responder.hooks.complete = lambda *_: pytest.fail("asked")
    assert verdicts(explained(site, "www.skydns.test")) == {
        "www": "answers",
        "web/1": "answers",
        "web/2": "answers",
    }
    assert (
        "it leads out of our zones; what is there, --nameservers are asked"
        in explained(site, "ext.skydns.test").steps
    )


def test_a_record_that_leads_nowhere_or_is_far_away_does_not_answer() -> None:
    site = Site(
        {
            "1.web.skydns.test": {"host": "10.0.0.1", "cidr": "127.0.0.0/8"},
            "2.web.skydns.test": {"host": "10.0.0.2", "zone": "b"},
            "3.web.skydns.test": {"host": "no.skydns.test"},
        }
    )
    assert verdicts(explained(site, "web.skydns.test")) == {
        "web/1": "answers, to clients near zone -, region - first",
        "web/2": "left out: others are nearer to who asks",
        "web/3": "left out: it leads to nothing of this type",
    }
