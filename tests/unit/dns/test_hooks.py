"""What other parts of the server may hook in, seen from the client's side."""

import struct
from collections.abc import Iterator

import dns.edns
import dns.message
import pytest
from tests.unit.dns.site import Asker, Site, flags, rcode, rdatas

from fairlead.dns import Limits, names
from fairlead.dns.answer import Answer, RRset
from fairlead.dns.client import LATER, Client, Origin, Transport
from fairlead.dns.edns import Ede
from fairlead.dns.errors import MessageError
from fairlead.dns.hooks import Reply
from fairlead.dns.message import Opcode, Query, Rcode, Type
from fairlead.dns.table import Terms

POOL = {f"{n}.web.skydns.test": {"host": f"10.0.0.{n}"} for n in range(1, 5)}


class Elsewhere:
    """A forwarder that answers when it is told to."""

    def __init__(self, site: Site) -> None:
        self.asked: list[tuple[Query, Reply]] = []
        site.responder.hooks.forward = self.forward

    def forward(self, query: Query, client: Client, reply: Reply) -> None:
        del client
        self.asked.append((query, reply))

    def answer(self, text: str = "192.0.2.1", *, records: int = 1) -> None:
        query, reply = self.asked.pop(0)
        message = dns.message.make_response(dns.message.from_wire(query.packet))
        message.use_edns(edns=False)
        message.id = 0
        for number in range(records):
            owner = message.question[0].name
            message.answer.append(dns.rrset.from_text(owner, 60, "IN", "TXT", f'"{text} {number}"'))
        reply(message.to_wire())


def ask(
    site: Site, asker: Asker, name: str = "example.com", **options: object
) -> tuple[dns.message.Message, bytes | None]:
    query = dns.message.make_query(name, "TXT", **options)  # type: ignore[arg-type]
    return query, site.responder.respond(query.to_wire(), asker)


def test_a_question_outside_is_answered_later_through_the_same_client() -> None:
    site, asker = Site(), Asker()
    elsewhere = Elsewhere(site)
    query, response = ask(site, asker, "ExAmPle.com", use_edns=0)
    assert (response, asker.sent) == (LATER, [])
    elsewhere.answer("hello")
    answer = dns.message.from_wire(asker.sent[0])
    assert query.is_response(answer)
    assert answer.question[0].to_text() == "ExAmPle.com. IN TXT"
    assert rdatas(answer, "TXT") == ['"hello 0"']
    assert answer.edns == 0


def test_an_answer_from_elsewhere_that_does_not_fit_is_cut_over_udp_only() -> None:
    site = Site()
    elsewhere = Elsewhere(site)
    for transport, is_cut in ((Transport.UDP, True), (Transport.TCP, False)):
        asker = Asker(transport)
        ask(site, asker, use_edns=0, payload=4096)
        elsewhere.answer("x" * 200, records=20)
        answer = dns.message.from_wire(asker.sent[0])
        assert ("TC" in flags(answer).split()) is is_cut
        assert len(rdatas(answer, "TXT")) == (0 if is_cut else 20)
        assert answer.edns == 0


def test_nobody_elsewhere_answers_is_servfail_with_the_reason() -> None:
    site, asker = Site(), Asker()
    elsewhere = Elsewhere(site)
    ask(site, asker, use_edns=0)
    reply = elsewhere.asked[0][1]
    reply(None, Ede(23, "no upstream"))
    reply(None)
    (sent,) = asker.sent
    answer = dns.message.from_wire(sent)
    assert rcode(answer) == "SERVFAIL"
    assert answer.options == (dns.edns.EDEOption(dns.edns.EDECode(23), "no upstream"),)
    assert site.responder.forwarding == 0


def test_questions_waiting_elsewhere_are_bounded() -> None:
    site = Site(limits=Limits(forwarding_max=2))
    elsewhere = Elsewhere(site)
    asker = Asker()
    responses = [ask(site, asker)[1] for _ in range(3)]
    assert responses[:2] == [LATER, LATER]
    assert rcode(dns.message.from_wire(responses[2] or b"")) == "REFUSED"
    elsewhere.answer()
    assert ask(site, asker)[1] == LATER


def test_names_of_ours_are_never_asked_elsewhere() -> None:
    site = Site(POOL)
    elsewhere = Elsewhere(site)
    site.ask("web.skydns.test")
    site.ask("nothing.skydns.test")
    assert elsewhere.asked == []


def test_terms_hold_for_all_answers_at_once_and_until_they_change() -> None:
    site = Site(POOL)
    assert site.ask("web.skydns.test").answer[0].ttl == 3600
    site.responder.set_terms(Terms(ttl_s_max=30, edes=(Ede(3),), recursion_available=True))
    for name in ("web.skydns.test", "nothing.skydns.test"):
        answer = site.ask(name, use_edns=0)
        assert {rrset.ttl for rrset in answer.answer + answer.authority} == {30}
        assert answer.options == (dns.edns.EDEOption(dns.edns.EDECode(3)),)
        assert "RA" in flags(answer).split()
        assert site.ask(name).edns == -1, "who sends no OPT gets none"
    site.responder.set_terms(Terms())
    answer = site.ask("web.skydns.test", use_edns=0)
    assert (answer.answer[0].ttl, answer.options) == (3600, ())


def test_an_answer_may_depend_on_who_asks() -> None:
    site = Site(POOL)
    zone = site.model.zones.of(names.from_text("near.skydns.test"))
    owner = names.from_text("near.skydns.test")
    variants = tuple(
        Answer(zone=zone, answer=(RRset(owner, Type.A, 60, (bytes((10, 0, 0, n)),)),)) for n in (1, 2)
    )

    def choose(origin: Origin) -> int:
        return int(origin.address[0] == 192)

    answer = Answer(zone=zone, choose=choose, variants=variants, depends_on=frozenset({owner}))
    key = owner + b"\0\1\0\1"
    site.model.table.add(key, site.model.table.compile(owner, answer), answer.depends_on)
    for ip, subnet, expected in (
        ("127.0.0.1", None, "10.0.0.1"),
        ("192.0.2.7", None, "10.0.0.2"),
        ("127.0.0.1", dns.edns.ECSOption("192.0.2.0", 24), "10.0.0.2"),
    ):
        query = dns.message.make_query("near.skydns.test", "A", options=[subnet] if subnet else None)
        assert site.responder.from_table(query.to_wire()) is None
        response = site.responder.respond(query.to_wire(), Asker(ip=ip))
        assert rdatas(dns.message.from_wire(response or b""), "A") == [expected]


def test_another_opcode_goes_to_its_handler() -> None:
    site = Site()
    site.responder.hooks.opcodes[Opcode.NOTIFY] = lambda packet, client: packet[:2] + client.ip.encode()
    packet = struct.pack("!HHHHHH", 7, 4 << 11, 0, 0, 0, 0)
    assert site.send(packet) == b"\x00\x07127.0.0.1"
    update = site.send(struct.pack("!HHHHHH", 7, 5 << 11, 0, 0, 0, 0))
    assert update is not None
    assert update[3] == Rcode.NOTIMP


def test_what_is_not_implemented_comes_back_with_its_question() -> None:
    """Id, opcode, RD, CD and question tell a client whose answer it is; a question that is not sound stays away."""
    site = Site()
    question = b"\x03WEB\x06skydns\x04test\x00\x00\x06\x00\x01"
    head = struct.pack("!HHHHHH", 7, 5 << 11 | 0x0110, 1, 0, 0, 0)
    assert site.send(head + question) == struct.pack("!HHHHHH", 7, 0xA914, 1, 0, 0, 0) + question
    for broken in (question[:-1], b"\x40" + question, b""):
        assert site.send(head + broken) == struct.pack("!HHHHHH", 7, 0xA914, 0, 0, 0, 0)


def test_a_transfer_is_a_stream_of_messages_over_tcp_alone() -> None:
    site = Site()

    def transfer(query: Query, client: Client) -> Iterator[bytes]:
        if client.ip != "127.0.0.1":
            raise MessageError(Rcode.REFUSED, "not on the list")
        return iter([query.packet[:2] + b"one", query.packet[:2] + b"two"])

    site.responder.hooks.transfer = transfer
    wire = dns.message.make_query("skydns.test", "AXFR", id=7).to_wire()
    friend, stranger = Asker(Transport.TCP), Asker(Transport.TCP, ip="192.0.2.1")
    assert site.responder.respond(wire, friend) == LATER
    assert friend.sent == [b"\x00\x07one", b"\x00\x07two"]
    for asker, code in ((stranger, Rcode.REFUSED), (Asker(Transport.UDP), Rcode.NOTIMP)):
        assert (site.responder.respond(wire, asker) or b"")[3] & 0xF == code


def test_answers_with_and_without_signatures_are_kept_apart() -> None:
    site = Site(POOL)
    site.ask("web.skydns.test", use_edns=0)
    site.ask("web.skydns.test", want_dnssec=True)
    assert len(site.model.table.entries) == 2


@pytest.mark.parametrize(
    "option", [b"", b"\0\1\x18", b"\0\1\x18\1\xc0\0\2", b"\0\3\0\0", b"\0\1\x17\0\xc0\0\3"]
)
def test_a_malformed_client_subnet_is_no_origin(option: bytes) -> None:
    with pytest.raises(ValueError, match="client subnet"):
        Origin.of_subnet(option)


def test_a_fault_in_a_hook_costs_one_answer_and_is_told() -> None:
    site = Site(POOL)
    told: list[Exception] = []

    def fail(query: Query, client: Client, reply: Reply) -> None:
        raise ZeroDivisionError(query.name, client, reply)

    site.responder.hooks.forward = fail
    site.responder.hooks.failed = lambda error, _: told.append(error)
    _, response = ask(site, Asker())
    assert (response or b"")[3] & 0xF == Rcode.SERVFAIL
    assert site.responder.faults == 1
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert len(rdatas(site.ask("web.skydns.test"), "A")) == 4
