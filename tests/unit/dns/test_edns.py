"""The options of EDNS, with dnspython as the client."""

import struct

import dns.edns
import dns.message
import pytest
from dns.edns import GenericOption, OptionType
from tests.unit.dns.site import Asker, Site, rcode, rdatas

from fairlead.dns import Limits
from fairlead.dns.client import Transport
from fairlead.dns.cookies import Cookies

NAME = "web.skydns.test"
POOL = {f"{n}.{NAME}": {"host": f"10.0.0.{n}"} for n in range(1, 5)}
CLIENT = b"8 bytes."


def query(*options: dns.edns.Option, name: str = NAME, **more: object) -> dns.message.Message:
    return dns.message.make_query(name, "A", use_edns=0, options=list(options), **more)  # type: ignore[arg-type]


def option(response: dns.message.Message, kind: OptionType) -> bytes | None:
    found = [one.to_wire() for one in response.options if one.otype == kind]
    return found[0] if found else None


def raw(kind: int, data: bytes = b"") -> GenericOption:
    return GenericOption(OptionType.make(kind), data)


# NSID


def test_nsid_is_told_when_asked_and_only_then() -> None:
    """RFC 5001."""
    site = Site(POOL)
    assert option(site.ask_as(Asker(), query(raw(3))), OptionType.NSID) == b"site-1"
    assert option(site.ask_as(Asker(), query()), OptionType.NSID) is None
    assert option(site.ask_as(Asker(), query(raw(3), name="nothing.skydns.test")), OptionType.NSID)


# Cookies


def test_a_client_cookie_comes_back_with_one_of_ours_that_is_then_valid() -> None:
    """RFC 7873, section 5.2.3; RFC 9018, section 4: a server cookie of 16 bytes, version 1."""
    site = Site(POOL)
    cookie = option(site.ask_as(Asker(), query(raw(10, CLIENT))), OptionType.COOKIE)
    assert cookie is not None
    assert (cookie[:8], len(cookie), cookie[8:12]) == (CLIENT, 24, b"\x01\x00\x00\x00")
    cookies = Cookies(bytes(16))
    assert cookies.is_valid(cookie, "127.0.0.1", site.now_s)
    assert len(rdatas(site.ask_as(Asker(), query(raw(10, cookie))), "A")) == 4


def test_a_cookie_is_of_one_client_one_address_one_secret_and_one_hour() -> None:
    cookies, now_s = Cookies(bytes(16)), 1e6
    cookie = cookies.answer(CLIENT, "127.0.0.1", now_s)
    assert cookies.is_valid(cookie, "127.0.0.1", now_s + 3600)
    assert cookies.is_valid(cookie, "127.0.0.1", now_s - 300)
    assert not cookies.is_valid(cookie, "127.0.0.1", now_s + 3601)
    assert not cookies.is_valid(cookie, "127.0.0.1", now_s - 301)
    assert not cookies.is_valid(cookie, "127.0.0.2", now_s)
    assert not cookies.is_valid(b"other..." + cookie[8:], "127.0.0.1", now_s)
    assert not Cookies(b"another secret..").is_valid(cookie, "127.0.0.1", now_s)
    assert not cookies.is_valid(CLIENT, "127.0.0.1", now_s)
    for at in range(8, 24):
        broken = bytearray(cookie)
        broken[at] ^= 1
        assert not cookies.is_valid(bytes(broken), "127.0.0.1", now_s)


@pytest.mark.parametrize("size", [0, 1, 7, 9, 15, 41, 100])
def test_a_cookie_of_an_impossible_length_is_a_format_error(size: int) -> None:
    """RFC 7873, section 5.2.2."""
    response = Site(POOL).send(query(raw(10, bytes(size))).to_wire())
    assert response is not None
    assert response[3] & 0xF == 1


@pytest.mark.parametrize("size", [8, 16, 40])
def test_a_cookie_that_is_not_ours_is_answered_with_one_that_is(size: int) -> None:
    response = Site(POOL).ask_as(Asker(), query(raw(10, bytes(size))))
    assert len(rdatas(response, "A")) == 4
    assert len(option(response, OptionType.COOKIE) or b"") == 24


# Keepalive and padding


@pytest.mark.parametrize(
    ("transport", "tenths"), [("TCP", 125), ("TLS", 125), ("UDP", None), ("HTTPS", None)]
)
def test_the_idle_time_is_told_on_streams_that_ask(transport: str, tenths: int | None) -> None:
    """RFC 7828, section 3.2: over UDP it is ignored."""
    site = Site(POOL, limits=Limits(tcp_idle_s=12.5))
    told = option(site.ask_as(Asker(Transport[transport]), query(raw(11))), OptionType.make(11))
    assert told == (None if tenths is None else struct.pack("!H", tenths))
    assert option(site.ask_as(Asker(Transport[transport]), query()), OptionType.make(11)) is None


@pytest.mark.parametrize("name", [NAME, "nothing.skydns.test", "example.com", "*.skydns.test"])
def test_responses_over_tls_are_padded_when_the_query_is(name: str) -> None:
    """RFC 8467, section 4.1; in the clear it would be a waste."""
    site = Site(POOL)
    for transport in Transport:
        for asked in (True, False):
            wire = site.responder.respond(
                query(*[raw(12, bytes(20))] * asked, name=name).to_wire(), Asker(transport)
            )
            assert wire
            is_padded = asked and transport in {Transport.TLS, Transport.HTTPS}
            assert (len(wire) % 468 == 0) is is_padded
            assert (option(dns.message.from_wire(wire), OptionType.make(12)) is not None) is is_padded


def test_a_padded_error_keeps_its_extended_code() -> None:
    asked = dns.message.make_query(NAME, "A", use_edns=1, options=[raw(12)])
    assert rcode(Site(POOL).ask_as(Asker(Transport.TLS), asked)) == "BADVERS"


# Client subnet


@pytest.mark.parametrize("subnet", [("192.0.2.0", 24), ("2001:db8::", 56), ("0.0.0.0", 0)])
def test_a_client_subnet_that_was_not_used_comes_back_with_scope_0(subnet: tuple[str, int]) -> None:
    """RFC 7871, section 7.2.1."""
    sent = dns.edns.ECSOption(*subnet)
    response = Site(POOL).ask_as(Asker(), query(sent))
    assert [one for one in response.options if one.otype == OptionType.ECS] == [sent]


@pytest.mark.parametrize(
    "data", [b"", b"\0\1\x18", b"\0\1\x18\1\xc0\0\2", b"\0\3\0\0", b"\0\1\x17\0\xc0\0\3"]
)
def test_a_malformed_client_subnet_is_a_format_error(data: bytes) -> None:
    response = Site(POOL).send(query(raw(8, data)).to_wire())
    assert response is not None
    assert response[3] & 0xF == 1


# The form of options


@pytest.mark.parametrize("data", [b"\0", b"\0\x03\0", b"\0\x03\0\1", b"\0\x03\0\0\0\x0a\xff\xff"])
def test_options_that_are_cut_short_are_a_format_error(data: bytes) -> None:
    plain = dns.message.make_query(NAME, "A", use_edns=0).to_wire()
    response = Site(POOL).send(plain[:-2] + struct.pack("!H", len(data)) + data)
    assert response is not None
    assert response[3] & 0xF == 1


def test_unknown_flags_of_edns_are_ignored_and_not_copied() -> None:
    asked = dns.message.make_query(NAME, "A", use_edns=0, ednsflags=0x3FFF)
    response = Site(POOL).ask_as(Asker(), asked)
    assert response.ednsflags == 0
    assert len(rdatas(response, "A")) == 4


def test_everything_at_once_still_fits() -> None:
    records = {f"{n}.{NAME}": {"host": f"10.0.0.{n}"} for n in range(200)}
    asked = query(
        raw(3), raw(10, CLIENT), raw(11), raw(12, bytes(50)), dns.edns.ECSOption("192.0.2.0", 24), payload=512
    )
    wire = Site(records).responder.respond(asked.to_wire(), Asker())
    assert wire
    assert len(wire) <= 512
    assert {int(one.otype) for one in dns.message.from_wire(wire).options} == {3, 8, 10}
