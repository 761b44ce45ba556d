"""What is wrong with keys, found before anybody asks in vain."""

import pytest
from tests.unit.dns.site import ZONE, key_of, value_of

from fairlead.agent import Address
from fairlead.dns import SKYDNS, DnsConfig, Model, names
from fairlead.dns.explain import Reports, Severity, lint, worst


def findings(values: dict[bytes, bytes]) -> list[tuple[str, Severity, str]]:
    config = DnsConfig(
        listen=(Address(host="127.0.0.1", port=0),),
        zones=(names.from_text(ZONE),),
        path_prefix="skydns",
        dialect=SKYDNS,
    )
    reports = Reports()
    model = Model(config, report=reports)
    model.apply(1, values)
    return [(one.key, one.severity, one.text) for one in lint(model, reports, values)]


def one(name: str, fields: object, **others: object) -> list[tuple[str, Severity, str]]:
    """Findings about the record of ``name``; ``others`` are records of ``web`` by label."""
    values = {key_of(name): value_of(fields)}
    values |= {key_of(f"{label}.web.skydns.test"): value_of(more) for label, more in others.items()}
    return [found for found in findings(values) if found[0].encode() == key_of(name)]


def test_a_sound_zone_has_no_findings() -> None:
    assert findings({key_of("web.skydns.test"): b'{"host": "10.0.0.1", "port": 80, "ttl": 60}'}) == []
    assert worst([]) == 0


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (b"/skydns/test/skydns/Web", b'{"host": "10.0.0.1"}', "upper-case"),
        (b"/skydns/test/skydns/web", b"{", "not JSON"),
        (b"/skydns/test/skydns/web", b'{"host": "10.0.0"}', "neither an address nor a name"),
        (b"/skydns/test/skydns//web", b'{"host": "10.0.0.1"}', "'//'"),
        (b"/skydns/test/skydns/" + b"x" * 64, b'{"host": "10.0.0.1"}', "63 bytes"),
        (b"/skydns/test/skydns/web", b'{"host": "10.0.0.1", "check": {}}', "check"),
    ],
)
def test_a_key_that_is_not_served_is_an_error(key: bytes, value: bytes, text: str) -> None:
    [(name, severity, said)] = findings({key: value})
    assert (name, severity) == (key.decode(), Severity.ERROR)
    assert text in said


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        (
            "web.skydns.test",
            {"host": "10.0.0.1", "weight": 70000},
            "weight 70000 is out of range and is taken as 65535",
        ),
        ("web.skydns.test", {"host": "10.0.0.1", "prot": 80}, "prot is no field"),
        ("any.skydns.test", {"host": "10.0.0.1"}, "the label any stands for every label"),
        ("a.ns.dns.skydns.test", {"host": "ns.example.com"}, "host must be an address here"),
        ("a.example.com.stub.dns.skydns.test", {"host": "ns.example.com"}, "host must be an address here"),
        ("web.skydns.test", {"text": '"quoted"'}, "with its quotes"),
        ("skydns.web.test", {"host": "10.0.0.1"}, "lies in none of the zones"),
        ("test.skydns.web", {"host": "10.0.0.1"}, "the labels of a key are reversed"),
        ("web.skydns.test", {"host": "web.skydns.test"}, "leads to itself"),
        (
            "web.skydns.test",
            {"host": "gone.skydns.test"},
            "gone.skydns.test., which lies in a zone of ours and does not exist",
        ),
        ("web.skydns.test", {"host": "example.com", "text": "x"}, "a CNAME beside data of its own"),
        (
            "web.skydns.test",
            {"host": "10.0.0.1", "check": {"tcp": True}},
            "the check needs an address in host, and a port",
        ),
    ],
)
def test_what_is_hardly_meant_is_a_warning(name: str, fields: object, text: str) -> None:
    found = one(name, fields)
    assert any(text in said and severity is Severity.WARNING for _, severity, said in found), found


def test_a_cname_above_other_records_is_a_warning() -> None:
    [(_, _, said)] = one("web.skydns.test", {"host": "example.com"}, a={"host": "10.0.0.1"})
    assert "there are records below it" in said


def test_what_lies_below_a_delegation_is_a_warning() -> None:
    values = {
        key_of("sub.skydns.test"): value_of({"ns": "ns.example.com."}),
        key_of("www.sub.skydns.test"): value_of({"host": "10.0.0.1"}),
    }
    [(key, _, said)] = findings(values)
    assert key.encode() == key_of("www.sub.skydns.test")
    assert "is delegated" in said
