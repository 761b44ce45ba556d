"""Queries to upstreams, and what is taken for an answer; dnspython reads the one and writes the other."""

import contextlib
import random

import dns.flags
import dns.message
import pytest
from tests.unit.dns.forward.upstream_words import SOA, parsed, question, said

from fairlead.dns import names
from fairlead.dns.forward.errors import BadResponseError, WrongCaseError
from fairlead.dns.forward.packet import (
    LOOP_OPTION,
    Question,
    chain,
    parse_response,
    query_packet,
    question_bytes,
    scramble,
)

ASKED = question_bytes(question())
QUERY = query_packet(question(), ASKED, ident=7, udp_bytes_max=1232, token=b"who")


def body_of(asked: Question, *answer: str) -> bytes:
    """A message as our server would send it from what the cache keeps, 10 s later."""
    response = parsed(asked, *answer)
    counts = b"".join(count.to_bytes(2, "big") for count in response.counts)
    header = b"\0\1\x81\x80\0\1" + counts
    return header + question_bytes(asked) + response.aged(10, ttl_s_max=100)


def test_a_query_asks_for_recursion_and_says_who_forwards() -> None:
    query = dns.message.from_wire(QUERY)
    assert query.id == 7
    assert query.flags == dns.flags.RD
    assert query.question[0].to_text() == "www.example. IN A"
    assert query.payload == 1232
    assert [(option.otype, option.to_wire()) for option in query.options] == [(LOOP_OPTION, b"who")]


def test_do_and_cd_are_handed_on() -> None:
    asked = Question(name=names.from_text("a."), qtype=1, dnssec_ok=True, checking_disabled=True)
    query = dns.message.from_wire(
        query_packet(asked, question_bytes(asked), ident=1, udp_bytes_max=1232, token=b"")
    )
    assert query.flags == dns.flags.RD | dns.flags.CD
    assert query.ednsflags == dns.flags.DO


def test_letters_are_spelled_at_random_and_nothing_else_is_touched() -> None:
    name = names.from_text("a1-b_c.example")
    spellings = {scramble(name, random.Random(seed).getrandbits(200)) for seed in range(50)}
    assert len(spellings) > 20
    assert {spelling.lower() for spelling in spellings} == {name}


def test_an_answer_in_another_spelling_is_doubted() -> None:
    asked = question_bytes(question(), case_bits=0b101)
    query = query_packet(question(), asked, ident=7, udp_bytes_max=1232, token=b"")
    with pytest.raises(WrongCaseError):
        parse_response(said(QUERY, "www.example. 60 IN A 192.0.2.1"), asked=asked, ident=7)
    assert parse_response(said(query, "www.example. 60 IN A 192.0.2.1"), asked=asked, ident=7).ttl_s == 60


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda packet: b"\xff" + packet[1:], id="another id"),
        pytest.param(lambda packet: packet[:2] + b"\x01" + packet[3:], id="a query"),
        pytest.param(lambda packet: packet[:2] + b"\xa1" + packet[3:], id="another opcode"),
        pytest.param(lambda packet: packet[:4] + b"\0\2" + packet[6:], id="two questions"),
        pytest.param(lambda packet: packet.replace(b"\3www", b"\3wwx", 1), id="another name"),
        pytest.param(lambda packet: packet[: len(QUERY)][:-20], id="cut short"),
        pytest.param(lambda packet: packet[:11], id="no header"),
        pytest.param(lambda packet: packet[:6] + b"\0\x09" + packet[8:], id="fewer records than promised"),
    ],
)
def test_what_is_no_answer_to_our_question_is_none(wrong: object) -> None:
    packet = wrong(said(QUERY, "www.example. 60 IN A 192.0.2.1"))  # type: ignore[operator]
    with pytest.raises(BadResponseError):
        parse_response(packet, asked=ASKED, ident=7)


def test_an_answer_is_sent_on_with_the_time_that_is_left_and_without_opt() -> None:
    message = dns.message.from_wire(
        body_of(question(), "www.example. 60 IN CNAME web.example.", "web.example. 300 IN A 192.0.2.1")
    )
    assert [rrset.to_text() for rrset in message.answer] == [
        "www.example. 50 IN CNAME web.example.",
        "web.example. 100 IN A 192.0.2.1",
    ], "the one has aged, the other is capped"
    assert message.edns == -1


def test_a_ttl_never_goes_below_zero() -> None:
    message = dns.message.from_wire(body_of(question(), "www.example. 3 IN A 192.0.2.1"))
    assert message.answer[0].ttl == 0


@pytest.mark.parametrize(
    ("answer", "options", "ttl_s"),
    [
        (["www.example. 60 IN CNAME a.example.", "a.example. 30 IN A 192.0.2.1"], {}, 30),
        ([], {"rcode": "NXDOMAIN", "authority": [SOA]}, 60),
        ([], {"authority": [SOA]}, 60),
        ([], {"authority": [SOA.replace("900", "20")]}, 20),
        ([], {"rcode": "NXDOMAIN"}, 0),
        ([], {"authority": ["example. 900 IN NS ns.example."]}, 0),
        (["www.example. 10 IN CNAME a.example."], {"rcode": "NXDOMAIN", "authority": [SOA]}, 10),
        ([], {"rcode": "SERVFAIL"}, 0),
        (["www.example. 2147483648 IN A 192.0.2.1"], {}, 0),
    ],
    ids=["least", "nxdomain", "nodata", "soa ttl", "no soa", "referral", "cname", "failure", "rfc2181"],
)
def test_how_long_an_answer_may_be_kept(answer: list[str], options: dict[str, object], ttl_s: int) -> None:
    if "2147483648" in "".join(answer):  # which dnspython does not write
        packet = said(QUERY, answer[0].replace("2147483648", "5"))
        packet = packet.replace(b"\0\1\0\1\0\0\0\5", b"\0\1\0\1\x80\0\0\5")
        assert parse_response(packet, asked=ASKED, ident=7).ttl_s == ttl_s
    else:
        assert parsed(question(), *answer, **options).ttl_s == ttl_s


def test_the_upper_bits_of_the_rcode_are_in_opt() -> None:
    assert parsed(question(), rcode="BADVERS").rcode == 16


def test_a_chain_is_followed_and_strangers_are_left_out() -> None:
    response = parsed(
        question(),
        "www.example. 60 IN CNAME Web.example.",
        "web.example. 30 IN A 192.0.2.1",
        "web.example. 30 IN A 192.0.2.2",
        "victim.example. 9999 IN A 192.0.2.66",
    )
    www, web = names.from_text("www.example"), names.from_text("web.example")
    assert chain(response, question()) == [
        (www, 5, 60, web),
        (web, 1, 30, b"\xc0\0\2\1"),
        (web, 1, 30, b"\xc0\0\2\2"),
    ]


def test_a_circle_of_cnames_ends() -> None:
    response = parsed(
        question(), "www.example. 60 IN CNAME a.example.", "a.example. 60 IN CNAME www.example."
    )
    assert len(chain(response, question())) == 2


@pytest.mark.parametrize("pointer", [41, 43, 0, 200], ids=["itself", "forward", "the header", "beyond"])
def test_a_name_that_leads_nowhere_is_none(pointer: int) -> None:
    """The answer is at 29, and its data, a name, at 41."""
    header = QUERY[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
    assert len(header + ASKED) == 29
    record = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4" + (0xC000 | pointer).to_bytes(2, "big") + b"\xc0\x29"
    with pytest.raises(BadResponseError):
        chain(parse_response(header + ASKED + record, asked=ASKED, ident=7), question())


def test_no_bytes_make_it_raise_anything_else() -> None:
    rng = random.Random(5)
    good = said(
        QUERY, "www.example. 60 IN CNAME web.example.", "web.example. 30 IN A 192.0.2.1", authority=[SOA]
    )
    for _ in range(20_000):
        packet = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            packet[rng.randrange(len(ASKED) + 12, len(packet))] = rng.getrandbits(8)
        with contextlib.suppress(BadResponseError):
            chain(
                parse_response(bytes(packet[: rng.randint(12, len(packet))]), asked=ASKED, ident=7),
                question(),
            )
