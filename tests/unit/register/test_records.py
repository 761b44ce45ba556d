"""What a service says of itself, and which names it may have."""

import json

import pytest

from fairlead.agent import Address
from fairlead.register import BadNameError, Places, make_service, records
from fairlead.register.records import make_places, owner_of

HERE = Address(host="10.0.0.7", port=8080)


def said(places: Places | None = None, **more: object) -> dict[str, object]:
    service = make_service(str(more.pop("name", "web")), HERE, **more)  # type: ignore[arg-type]
    made = records(service, places or Places(), owner="host-1 pid 7")
    return {key: json.loads(value) for key, value in made.items()}


def test_one_service_is_three_records() -> None:
    assert said(weight=5, tags=("v2", "blue"), ttl_s=10) == {
        "/services/web/10-0-0-7-8080": {
            "name": "web",
            "address": "10.0.0.7:8080",
            "host": "10.0.0.7",
            "port": 8080,
            "weight": 5,
            "tags": ["v2", "blue"],
            "owner": "host-1 pid 7",
        },
        "/skydns/local/skydns/web/v2/10-0-0-7-8080": {
            "host": "10.0.0.7",
            "port": 8080,
            "weight": 5,
            "ttl": 10,
        },
        "/vulcand/backends/web/servers/10-0-0-7-8080": {"URL": "http://10.0.0.7:8080", "Weight": 5},
    }


def test_without_a_weight_each_reader_has_its_own_default() -> None:
    made = said()
    assert made["/skydns/local/skydns/web/10-0-0-7-8080"] == {"host": "10.0.0.7", "port": 8080, "ttl": 10}
    assert made["/vulcand/backends/web/servers/10-0-0-7-8080"] == {"URL": "http://10.0.0.7:8080"}


def test_a_name_of_several_labels_is_a_path_from_its_end() -> None:
    assert "/skydns/local/skydns/shop/api/10-0-0-7-8080" in said(name="api.shop")


def test_places_can_be_elsewhere_or_nowhere() -> None:
    places = Places(dns="/dns/", domain="corp.example.", proxy="", services="/svc/")
    assert set(said(places)) == {"/dns/example/corp/web/10-0-0-7-8080", "/svc/web/10-0-0-7-8080"}


def test_an_ipv6_address_makes_an_id_and_a_url() -> None:
    service = make_service("web", Address(host="fd00::7", port=80), scheme="https")
    made = records(service, Places(), owner="x")
    assert service.instance == "fd00-7-80"
    assert json.loads(made["/vulcand/backends/web/servers/fd00-7-80"])["URL"] == "https://[fd00::7]:80"


@pytest.mark.parametrize(
    "name", ["", "Web", "we b", "-web", "web-", "a" * 64, "web/x", "web..x", ".web", "wéb", "a\n"]
)
def test_what_no_dns_label_allows_is_refused(name: str) -> None:
    with pytest.raises(BadNameError, match="is no DNS label; use 1 to 63 of a-z"):
        make_service(name, HERE)


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"tags": ("V2",)}, "tag 'V2': 'V2' is no DNS label"),
        ({"tags": ("a.b",)}, "tag 'a.b'"),
        ({"instance": "a.b"}, "id 'a.b' is no DNS label; give one with --id"),
        ({"weight": -1}, "a weight of -1 cannot be"),
        ({"weight": 70_000}, "a weight of 70000 cannot be"),
    ],
)
def test_what_cannot_be_is_refused(more: dict[str, object], refusal: str) -> None:
    with pytest.raises(BadNameError, match=refusal):
        make_service("web", HERE, **more)  # type: ignore[arg-type]


def test_a_domain_may_end_with_a_dot() -> None:
    places = make_places(dns="skydns", domain="shop.example.", proxy="", services="/services")
    made = records(make_service("web", HERE), places, owner="x")
    assert any(key.startswith("/skydns/example/shop/web/") for key in made)


@pytest.mark.parametrize(
    "domain", ["", ".", "shop..example", "shop example", "-shop.example", "shop/example"]
)
def test_a_domain_that_cannot_be_is_refused(domain: str) -> None:
    with pytest.raises(BadNameError, match=r"domain .* is no DNS label"):
        make_places(dns="skydns", domain=domain, proxy="", services="/services")


def test_without_dns_no_domain_is_asked_for_but_the_plain_record_always_has_a_place() -> None:
    assert make_places(dns="", domain="", proxy="", services="/services").dns == ""
    with pytest.raises(BadNameError, match="--services-key is empty"):
        make_places(dns="", domain="", proxy="/vulcand", services="/")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_cannot_reach_is_refused(host: str) -> None:
    with pytest.raises(BadNameError, match="no address that others can reach"):
        make_service("web", Address(host=host, port=80))


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b'{"owner": 5}', b'{"owner": ""}'])
def test_a_record_without_an_owner_is_somebodys(value: bytes) -> None:
    assert owner_of(value) == "somebody"
