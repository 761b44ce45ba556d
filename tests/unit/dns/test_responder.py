"""The protocol's rules, byte by byte where it matters, with dnspython as the judge."""

import random
import struct

import dns.edns
import dns.flags
import dns.message
import pytest
from tests.unit.dns.site import Site, flags, rcode, rdatas, records

from fairlead.dns import Limits
from fairlead.dns.table import Terms

POOL = {f"{n}.web.skydns.test": {"host": f"10.0.0.{n}", "port": 80} for n in range(1, 5)}
QUESTION = b"\x03web\x06skydns\x04test\x00\x00\x01\x00\x01"
OPT = b"\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"


def packet(
    tail: bytes = QUESTION, *, flags: int = 0x0100, counts: tuple[int, int, int, int] = (1, 0, 0, 0)
) -> bytes:
    return struct.pack("!HHHHHH", 0xBEEF, flags, *counts) + tail


def header(response: bytes | None) -> tuple[int, ...]:
    assert response is not None
    return struct.unpack_from("!HHHHHH", response)


# What gets no answer


@pytest.mark.parametrize("length", range(12))
def test_less_than_a_header_is_dropped(length: int) -> None:
    assert Site(POOL).send(packet()[:length]) is None


@pytest.mark.parametrize("tcp", [False, True])
def test_a_response_is_never_answered(tcp: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Two servers that answer each other's answers would never stop."""
    assert Site(POOL).send(packet(flags=0x8100), tcp=tcp) is None


# Header


def test_id_and_rd_are_copied_and_no_recursion_offered() -> None:
    site = Site(POOL)
    for _ in range(2):
        assert header(site.send(packet()))[:2] == (0xBEEF, 0x8500)
        assert header(site.send(packet(flags=0)))[:2] == (0xBEEF, 0x8400)


def test_cd_is_copied_and_ad_and_z_are_not() -> None:
    site = Site(POOL)
    for _ in range(2):
        assert header(site.send(packet(flags=0x0130)))[1] == 0x8510
        assert header(site.send(packet(flags=0x0040)))[1] == 0x8400
        assert header(site.send(packet(flags=0x0620)))[1] == 0x8400


@pytest.mark.parametrize("opcode", range(1, 16))
def test_another_opcode_is_not_implemented(opcode: int) -> None:
    response = header(Site(POOL).send(packet(flags=opcode << 11 | 0x0100)))
    assert response[1] == 0x8100 | opcode << 11 | 4


@pytest.mark.parametrize("count", [0, 2, 65535])
def test_a_query_has_one_question(count: int) -> None:
    """RFC 9619."""
    response = Site(POOL).send(packet(QUESTION * min(count, 2), counts=(count, 0, 0, 0)))
    assert header(response) == (0xBEEF, 0x8101, 0, 0, 0, 0)


# Names

MALFORMED = {
    "a label of 64": b"\x40" + b"a" * 64 + b"\x00\x00\x01\x00\x01",
    "a reserved label type": b"\x80abc\x00\x00\x01\x00\x01",
    "a pointer to itself": b"\xc0\x0c\x00\x01\x00\x01",
    "a pointer forward": b"\xc0\x20\x00\x01\x00\x01" + b"\x00" * 40,
    "a name of 256": (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\x00\x00\x01\x00\x01",
    "a name without end": b"\x03www",
    "no type": b"\x03www\x00",
    "no class": b"\x03www\x00\x00\x01",
    "half a class": b"\x03www\x00\x00\x01\x00",
    "nothing": b"",
}


@pytest.mark.parametrize("tail", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_question_is_a_format_error_with_a_header_alone(tail: bytes) -> None:
    assert Site(POOL).send(packet(tail)) == struct.pack("!HHHHHH", 0xBEEF, 0x8101, 0, 0, 0, 0)


def test_a_name_of_255_bytes_is_a_name() -> None:
    name = (b"\x3f" + b"a" * 63) * 3 + b"\x31" + b"a" * 49 + b"\x06skydns\x04test\x00"
    assert len(name) == 255
    assert header(Site(POOL).send(packet(name + b"\x00\x01\x00\x01")))[1] & 0xF == 3


def test_the_spelling_of_the_question_comes_back() -> None:
    """Case tricks ("0x20"): resolvers check that the random case of their question is in the answer."""
    site = Site(POOL)
    rng = random.Random(1)
    for _ in range(50):
        spelled = bytes(c ^ 0x20 if chr(c).isalpha() and rng.random() < 0.5 else c for c in QUESTION[:-4])
        response = site.send(packet(spelled + QUESTION[-4:]))
        assert response is not None
        assert response[12 : 12 + len(spelled)] == spelled
        message = dns.message.from_wire(response)
        assert len(rdatas(message, "A")) == 4
        assert message.answer[0].name.to_wire() == spelled
    assert sum(count for _, count in site.model.table.count()) == 49, "any spelling finds the one entry"


def test_a_zero_byte_inside_a_label_is_a_byte_like_others() -> None:
    tail = b"\x05w\x00\x00\x01b\x06skydns\x04test\x00\x00\x01\x00\x01"
    assert header(Site(POOL).send(packet(tail)))[1] & 0xF == 3


def test_labels_that_no_key_can_hold_are_not_there() -> None:
    """A slash inside a label must not be taken for two labels."""
    assert header(Site(POOL).send(packet(b"\x05web/1\x06skydns\x04test\x00\x00\x01\x00\x01")))[1] & 0xF == 3


def test_bytes_after_the_query_are_tolerated() -> None:
    site = Site(POOL)
    for _ in range(2):
        response = site.send(packet(QUESTION + b"junk"))
        assert response is not None
        assert len(rdatas(dns.message.from_wire(response), "A")) == 4


def test_other_records_in_a_query_are_skipped() -> None:
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x01\x02\x03\x04"
    response = Site(POOL).send(packet(QUESTION + record * 2 + OPT, counts=(1, 1, 1, 1)))
    assert header(response)[1:] == (0x8500, 1, 4, 0, 1)


BROKEN_RECORDS = {
    "a pointer forward": b"\xc0\x30\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00",
    "a pointer to itself": b"\xc0\x21\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00",
    "half a pointer": b"\xc0",
    "a reserved label type": b"\x41" + b"a" * 65 + b"\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00",
    "a name without end": b"\x03ab",
    "no data": b"\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04abc",
    "nothing": b"",
}


@pytest.mark.parametrize("record", BROKEN_RECORDS.values(), ids=BROKEN_RECORDS.keys())
def test_a_malformed_record_is_a_format_error(record: bytes) -> None:
    assert header(Site(POOL).send(packet(QUESTION + record, counts=(1, 1, 0, 0))))[1] == 0x8101


# EDNS


def test_opt_comes_back_iff_it_was_sent() -> None:
    site = Site(POOL)
    assert site.ask("web.skydns.test").edns == -1
    response = site.ask("web.skydns.test", use_edns=0, payload=4096)
    assert (response.edns, response.payload) == (0, 1232)
    for name in ("nothing.skydns.test", "example.com"):
        assert site.ask(name, use_edns=0).edns == 0
        assert site.ask(name).edns == -1


def test_the_do_bit_is_copied() -> None:
    site = Site(POOL)
    assert site.ask("web.skydns.test", want_dnssec=True).ednsflags == dns.flags.DO
    assert site.ask("web.skydns.test", use_edns=0).ednsflags == 0


def test_of_the_flags_of_opt_those_that_have_a_meaning_are_repeated() -> None:
    """RFC 6891, section 6.1.4: the others "SHOULD be set to zero"; RFC 9824, section 5.1: CO says that we know it."""
    for name in ("web.skydns.test", "nothing.skydns.test", "example.com"):
        assert Site(POOL).ask(name, use_edns=0, ednsflags=0xFFFF).ednsflags == 0xC000
        assert Site(POOL).ask(name, use_edns=0, ednsflags=0x4000).ednsflags == 0x4000


@pytest.mark.parametrize("is_offered", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("web.skydns.test", {}),
        ("nothing.skydns.test", {}),
        ("skydns.test", {"rdtype": "SOA"}),
        ("example.com", {}),
        ("web.skydns.test", {"rdtype": "TKEY"}),
        ("web.skydns.test", {"use_edns": 1}),
        ("web.skydns.test", {"rdclass": "HS"}),
        ("version.bind", {"rdtype": "TXT", "rdclass": "CH"}),
    ],
)
def test_every_response_says_whether_there_is_recursion(
    name: str, options: dict[str, object], *, is_offered: bool
) -> None:
    """RFC 1035, section 4.1.1: RA is the server's, and has nothing to do with the question."""
    site = Site(POOL)
    site.responder.set_terms(Terms(recursion_available=is_offered))
    query = dns.message.make_query(name, **{"rdtype": "A", **options})  # type: ignore[arg-type]
    assert ("RA" in flags(site.exchange(query)).split()) is is_offered


def test_a_version_that_is_not_ours_is_badvers() -> None:
    response = Site(POOL).ask("web.skydns.test", use_edns=1)
    assert rcode(response) == "BADVERS"
    assert response.edns == 0
    assert response.answer == []


def test_options_of_another_version_are_not_read() -> None:
    """RFC 6891, section 6.1.3: whatever is in them, the answer is BADVERS."""
    of_version_1 = b"\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x03abc"
    response = Site(POOL).send(packet(QUESTION + of_version_1, counts=(1, 0, 0, 1)))
    assert rcode(dns.message.from_wire(response or b"")) == "BADVERS"


def test_two_opt_records_are_a_format_error() -> None:
    """RFC 6891, section 6.1.1."""
    assert header(Site(POOL).send(packet(QUESTION + OPT * 2, counts=(1, 0, 0, 2))))[1] == 0x8101


def test_opt_has_the_root_for_an_owner() -> None:
    assert header(Site(POOL).send(packet(QUESTION + b"\x01a" + OPT, counts=(1, 0, 0, 1))))[1] == 0x8101


def test_opt_that_is_cut_short_is_a_format_error() -> None:
    for length in range(1, len(OPT)):
        assert header(Site(POOL).send(packet(QUESTION + OPT[:length], counts=(1, 0, 0, 1))))[1] == 0x8101


def test_unknown_options_are_ignored() -> None:
    site = Site(POOL)
    options = [
        dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"x" * 100),
        dns.edns.GenericOption(dns.edns.OptionType.make(9), b""),
    ]
    response = site.ask("web.skydns.test", use_edns=0, options=options)
    assert response.options == ()
    assert site.model.table.ready == {}, "what has options is different each time, so no response is kept"
    assert len(rdatas(response, "A")) == 4


def test_a_header_that_promises_no_opt_gets_none() -> None:
    """What looks like an OPT record, but is not counted, is bytes after the query."""
    site = Site(POOL)
    site.send(packet(QUESTION + OPT, counts=(1, 0, 0, 1)))
    for _ in range(2):
        assert header(site.send(packet(QUESTION + OPT)))[5] == 0
        assert header(site.send(packet(QUESTION + OPT, counts=(1, 0, 0, 1))))[5] == 1
        assert header(site.send(packet(QUESTION, counts=(1, 0, 0, 1))))[1] == 0x8101


# Classes and types


@pytest.mark.parametrize(
    ("rtype", "code"),
    [("AXFR", "REFUSED"), ("IXFR", "REFUSED"), ("TYPE0", "FORMERR"), ("OPT", "FORMERR"), ("TSIG", "FORMERR"),
     ("TKEY", "NOTIMP"), ("TYPE253", "NOTIMP"), ("TYPE254", "NOTIMP")],
)  # fmt: skip
@pytest.mark.parametrize("tcp", [False, True])
def test_types_that_are_no_data_are_refused(rtype: str, code: str, tcp: bool) -> None:  # noqa: FBT001 - a parameter
    """A transfer is possible in principle over TCP alone (RFC 5936, section 4.2)."""
    if rtype in {"AXFR", "IXFR"} and not tcp:
        code = "NOTIMP"
    response = Site(POOL).send(
        packet(QUESTION[:-4] + struct.pack("!HH", int(dns.rdatatype.from_text(rtype)), 1)), tcp=tcp
    )
    assert response is not None
    assert rcode(dns.message.from_wire(response)) == code


def test_a_question_for_a_mark_of_denials_is_told_what_is_wrong_with_it() -> None:
    """RFC 9824, section 3.5: FORMERR, and the extended error 30; it is not forwarded either."""
    site = Site(POOL)
    site.responder.hooks.forward = lambda *_: pytest.fail("forwarded")
    for name in ("web.skydns.test", "nothing.skydns.test", "example.com"):
        response = site.ask(name, "TYPE128", use_edns=0)
        assert rcode(response) == "FORMERR"
        assert [one.to_text() for one in response.options] == ["EDE 30 (Invalid Query Type)"]


@pytest.mark.parametrize("name", ["version.bind", "VERSION.server"])
def test_chaos_tells_the_version(name: str) -> None:
    response = Site().ask(name, "TXT", rdclass="CH", use_edns=0)
    assert records(response.answer) == [f'{name}. 0 CH TXT "fairlead test"']


@pytest.mark.parametrize("name", ["hostname.bind", "id.server"])
def test_chaos_tells_the_host(name: str) -> None:
    assert rdatas(Site().ask(name, "TXT", rdclass="CH"), "TXT") == ['"host-a"']


@pytest.mark.parametrize(
    ("name", "rdclass"), [("web.skydns.test", "CH"), ("web.skydns.test", "HS"), ("web.skydns.test", "ANY")]
)
def test_other_classes_are_refused(name: str, rdclass: str) -> None:
    response = Site(POOL).ask(name, "A", rdclass=rdclass)
    assert rcode(response) == "REFUSED"
    assert "AA" not in flags(response).split()


def test_answers_of_ours_are_authoritative_and_refusals_are_not() -> None:
    site = Site(POOL)
    for name in ("web.skydns.test", "nothing.skydns.test", "skydns.test"):
        assert "AA" in flags(site.ask(name)).split()
    assert "AA" not in flags(site.ask("example.com")).split()


# Size


def wide(count: int, *, limits: Limits | None = None) -> Site:
    return Site(
        {f"{n}.web.skydns.test": {"host": f"10.0.{n >> 8}.{n & 255}", "port": 80} for n in range(count)},
        limits=limits,
    )


@pytest.mark.parametrize("payload", [0, 100, 512, 700, 1232, 4096, 65535])
@pytest.mark.parametrize("rtype", ["A", "SRV", "TXT"])
@pytest.mark.parametrize("count", [1, 5, 8, 20, 28, 29, 30, 70, 73, 74, 75, 76, 200])
def test_no_answer_is_larger_than_the_client_said(payload: int, rtype: str, count: int) -> None:
    """Nor than 512 without EDNS, nor than 1232 whatever was said; and what is cut is cut whole."""
    site = wide(count)
    options = {"use_edns": 0, "payload": payload} if payload else {}
    query = dns.message.make_query("web.skydns.test", rtype, **options)  # type: ignore[arg-type]
    limit = min(max(payload, 512), 1232) if payload else 512
    for _ in range(2):
        wire = site.send(query.to_wire())
        assert wire is not None
        assert len(wire) <= limit
        response = dns.message.from_wire(wire)
        found = rdatas(response, rtype)
        expected = 0 if rtype == "TXT" else count
        assert len(found) == (0 if "TC" in flags(response).split() else expected)
        assert response.edns == (0 if payload else -1)
        assert "TC" not in flags(response).split() or response.additional == []
    whole = dns.message.from_wire(site.send(query.to_wire(), tcp=True) or b"")
    assert len(rdatas(whole, rtype)) == expected
    assert "TC" not in flags(whole).split()


def test_additional_records_go_first_and_without_a_word() -> None:
    """RFC 2181, section 9: TC is for data that was required."""
    site = wide(9)
    response = site.ask("web.skydns.test", "SRV")
    assert len(rdatas(response, "SRV")) == 9
    assert "TC" not in flags(response).split()
    assert len(records(response.additional)) < 9
    assert len(records(site.ask("web.skydns.test", "SRV", use_edns=0).additional)) == 9


def test_an_answer_that_fits_exactly_is_whole() -> None:
    size = len(wide(30).send(packet(), tcp=True) or b"")
    for limit, is_cut in ((size, False), (size - 1, True)):
        site = wide(30, limits=Limits(udp_bytes_max=limit + 11))
        response = site.send(packet(QUESTION + OPT, counts=(1, 0, 0, 1)))
        assert bool(header(response)[1] & 0x0200) is is_cut


def test_more_than_64_kib_is_servfail_over_tcp_and_truncated_over_udp() -> None:
    site = Site({f"{'n' * 40}{n}.web.skydns.test": {"host": f"{'h' * 40}{n}.example"} for n in range(1000)})
    assert rcode(site.ask("web.skydns.test", "SRV", tcp=True)) == "SERVFAIL"
    assert "TC" in flags(site.ask("web.skydns.test", "SRV")).split()


# Turns


def test_addresses_take_turns_in_the_first_place() -> None:
    site = Site(POOL)
    query = dns.message.make_query("web.skydns.test", "A")
    answers = [rdatas(site.exchange(query), "A") for _ in range(8)]
    assert {answer[0] for answer in answers} == {f"10.0.0.{n}" for n in range(1, 5)}
    assert len({tuple(sorted(answer)) for answer in answers}) == 1


def test_a_chain_keeps_its_order_while_the_addresses_turn() -> None:
    site = Site(POOL | {"www.skydns.test": {"host": "web.skydns.test"}})
    query = dns.message.make_query("www.skydns.test", "A")
    for _ in range(8):
        assert [str(rrset.name) for rrset in site.exchange(query).answer] == [
            "www.skydns.test.",
            "web.skydns.test.",
        ]


# Hostile load


def test_random_names_fill_nothing() -> None:
    """A flood of names that are not there must not push out those that are, nor take memory."""
    site = Site(POOL)
    site.ask("web.skydns.test")
    before = len(site.model.table.entries)
    for n in range(5000):
        site.send(packet(b"\x06%06d" % n + QUESTION[4:]))
    assert len(site.model.table.entries) == before
    assert len(site.model.table._denials) == 1
    assert len(site.model.table._dependents) == 1


def test_the_table_is_bounded_and_the_oldest_goes() -> None:
    site = Site(POOL, limits=Limits(entries_max=10))
    for n in range(100):
        site.send(packet(QUESTION[:-4] + struct.pack("!HH", 1000 + n, 1)))
        assert len(site.model.table.entries) <= 10
    assert len(site.model.table._dependents[QUESTION[:-4]]) == 10


def test_responses_that_are_ready_are_bounded() -> None:
    site = Site(POOL)
    for n in range(5000):
        opt = b"\x00\x00\x29" + struct.pack("!HIH", n, 0, 0)
        assert header(site.send(packet(QUESTION + opt, counts=(1, 0, 0, 1))))[5] == 1
    assert len(site.model.table.ready) <= 4
    assert sum(count for _, count in site.model.table.count()) == 0
    site.send(packet())
    site.send(packet())
    assert sum(count for _, count in site.model.table.count()) == 1


def test_names_that_are_not_there_are_never_kept_ready() -> None:
    site = Site(POOL)
    for n in range(100):
        site.send(packet(b"\x06%06d" % n + QUESTION[4:]))
    assert site.model.table.ready == {}


# Large pools


@pytest.mark.parametrize("rtype", ["A", "SRV"])
@pytest.mark.parametrize("payload", [0, 1232])
def test_a_bound_of_answers_sends_a_part_by_turns_and_no_tc(rtype: str, payload: int) -> None:
    site = wide(200)
    site.responder.set_terms(Terms(answers_max=8))
    query = dns.message.make_query("web.skydns.test", rtype, use_edns=0 if payload else -1, payload=payload)
    seen: set[str] = set()
    for _ in range(100):
        response = site.exchange(query)
        found = rdatas(response, rtype)
        assert len(found) == len(set(found)) == 8
        assert "TC" not in flags(response).split()
        seen.update(found)
    assert len(seen) > 150, "everybody has a turn"
    assert len(rdatas(site.exchange(query, tcp=True), rtype)) == 200


def test_a_bound_of_answers_leaves_small_rrsets_alone() -> None:
    site = Site(POOL)
    site.responder.set_terms(Terms(answers_max=8))
    assert len(rdatas(site.ask("web.skydns.test"), "A")) == 4
