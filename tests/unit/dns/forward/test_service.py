"""What is forwarded, what is refused, and how answers of ours that lead elsewhere are completed."""

import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import dns.edns
import dns.flags
import dns.message
import pytest
from tests.unit.dns.forward.liar import Liar
from tests.unit.dns.site import Asker, Site, flags, rcode, rdatas, records, until

from fairlead.agent import Address, ConfigError
from fairlead.dns import COREDNS, names
from fairlead.dns.client import LATER
from fairlead.dns.forward import (
    LOOP_OPTION,
    Forwarder,
    Forwarding,
    ForwardLimits,
    ForwardSettings,
    parse_nameservers,
    with_key,
)
from fairlead.dns.zone import ForwardSettings as KeySettings

TOKEN = b"ourselves"[:8]


class Front:
    """A site with a forwarder behind it."""

    def __init__(self, site: Site, settings: ForwardSettings) -> None:
        self.site = site
        self.told: dict[str, str] = {}
        self.forwarder = Forwarder(settings.limits, rng=random.SystemRandom(), token=TOKEN)
        self.forwarding = Forwarding(self.forwarder, settings, zones=site.model.zones, report=self)
        hooks = site.responder.hooks
        hooks.complete = self.forwarding.complete
        hooks.before = self.forwarding.before
        hooks.forward = self.forwarding.forward
        self.follow()

    def problem(self, key: str, text: str, /) -> None:
        self.told[key] = text

    def follow(self) -> None:
        if self.forwarding.follow(self.site.model.tree):
            self.site.model.table.clear()

    def put(self, fields: Mapping[str, object]) -> None:
        self.site.put(fields)
        self.follow()

    async def ask(self, name: str, rtype: str = "A", **options: object) -> dns.message.Message:
        query = dns.message.make_query(name, rtype, **options)  # type: ignore[arg-type]
        return await self.exchange(query)

    async def exchange(self, query: dns.message.Message) -> dns.message.Message:
        asker = Asker()
        response = self.site.responder.from_table(query.to_wire())
        response = response or self.site.responder.respond(query.to_wire(), asker)
        if response == LATER:
            await until(lambda: asker.sent)
            response = asker.sent.pop()
        assert response is not None
        answer = dns.message.from_wire(response)
        assert query.is_response(answer)
        return answer


LIMITS = ForwardLimits(patience_s=0.05)


def impatient(front: Front) -> None:
    """Let questions be given up soon, for tests in which nobody answers."""
    front.forwarder.limits = replace(front.forwarder.limits, deadline_s=0.3)


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    async with Liar() as running:
        yield running


@pytest.fixture
async def front(liar: Liar) -> AsyncIterator[Front]:
    made = Front(Site(), ForwardSettings(nameservers=(liar.address,), limits=LIMITS))
    yield made
    await made.forwarder.close()


def loop_option(data: bytes) -> dns.edns.GenericOption:
    return dns.edns.GenericOption(dns.edns.OptionType(LOOP_OPTION), data)


def ede_of(message: dns.message.Message) -> list[int]:
    return [int(option.code) for option in message.options if isinstance(option, dns.edns.EDEOption)]


async def test_a_name_outside_is_forwarded_and_its_ttl_runs(front: Front, liar: Liar) -> None:
    answer = await front.ask("WWW.example.com")
    assert records(answer.answer) == ["WWW.example.com. 60 IN A 192.0.2.1"]
    assert flags(answer) == "QR RD RA"
    await front.ask("www.example.COM")
    assert len(liar.asked) == 1


async def test_without_rd_only_the_cache_answers(front: Front, liar: Liar) -> None:
    no_rd = dns.message.make_query("www.example.com", "A", flags=0)
    assert rcode(await front.exchange(no_rd)) == "REFUSED"
    assert liar.asked == []
    await front.ask("www.example.com")
    answer = await front.exchange(dns.message.make_query("www.example.com", "A", flags=0))
    assert rdatas(answer, "A") == ["192.0.2.1"]


async def test_names_of_few_labels_and_no_rec_are_refused(front: Front, liar: Liar) -> None:
    assert rcode(await front.ask("server1")) == "REFUSED"
    front.forwarding.renew(ForwardSettings(nameservers=(liar.address,), no_rec=True))
    assert rcode(await front.ask("www.example.com")) == "REFUSED"
    front.forwarding.renew(ForwardSettings(nameservers=(liar.address,)))
    front.site.apply({b"/skydns/config": b'{"ndot": 4}'})
    assert rcode(await front.ask("www.example.com")) == "REFUSED"
    assert liar.asked == []


@pytest.mark.parametrize(
    ("name", "rtype", "expected"),
    [
        ("localhost", "A", (["127.0.0.1"], "NOERROR")),
        ("a.localhost", "AAAA", (["::1"], "NOERROR")),
        ("localhost", "TXT", ([], "NOERROR")),
        ("a.invalid", "A", ([], "NXDOMAIN")),
        ("hidden.onion", "A", ([], "NXDOMAIN")),
    ],
)
async def test_some_names_leave_this_host_never(
    front: Front, liar: Liar, name: str, rtype: str, expected: object
) -> None:
    answer = await front.ask(name, rtype)
    assert (rdatas(answer, rtype), rcode(answer)) == expected
    assert liar.asked == []


async def test_nobody_answers_is_servfail_with_the_reason(front: Front, liar: Liar) -> None:
    liar.behave = lambda _: None
    impatient(front)
    answer = await front.ask("www.example.com", use_edns=0)
    assert rcode(answer) == "SERVFAIL"
    assert ede_of(answer) == [22]


async def test_a_stale_answer_says_so(front: Front, liar: Liar) -> None:
    await front.ask("www.example.com", use_edns=0)
    for entry in front.forwarder.cache._entries.values():
        entry.expires_s = entry.stored_s
    liar.behave = lambda _: None
    impatient(front)
    answer = await front.ask("www.example.com", use_edns=0)
    assert records(answer.answer) == ["www.example.com. 30 IN A 192.0.2.1"]
    assert ede_of(answer) == [3]


async def test_a_question_that_comes_back_is_a_loop(front: Front, liar: Liar) -> None:
    option = loop_option(b"stranger" + TOKEN)
    answer = await front.ask("www.example.com", use_edns=0, options=[option])
    assert rcode(answer) == "SERVFAIL"
    assert liar.asked == []
    assert "--nameservers" in front.told["forwarding loop"]


async def test_a_server_that_forwards_to_itself_answers_within_the_deadline(front: Front, liar: Liar) -> None:
    """Even when the way round loses what says that it is a loop."""
    seen: list[dns.message.Message] = []
    impatient(front)

    def back(query: dns.message.Message) -> None:
        seen.append(query)
        again = dns.message.make_query(query.question[0].name, "A")
        front.site.responder.respond(again.to_wire(), Asker())

    liar.behave = back
    assert rcode(await front.ask("www.example.com")) == "SERVFAIL"
    assert len(seen) <= LIMITS.attempts_max


async def test_who_forwarded_before_us_is_handed_on(front: Front, liar: Liar) -> None:
    seen: list[bytes] = []

    def look(query: dns.message.Message) -> bytes | None:
        seen.extend(option.to_wire() or b"" for option in query.options)
        return liar.answer(query)

    liar.behave = look
    await front.ask("www.example.com", options=[loop_option(b"stranger")])
    assert seen == [b"stranger" + TOKEN]


async def test_a_cname_out_of_the_zone_is_followed(front: Front, liar: Liar) -> None:
    front.put({"www.skydns.test": {"host": "cdn.example.com"}})
    liar.addresses["cdn.example.com."] = "192.0.2.7"
    for _ in range(2):
        answer = await front.ask("www.skydns.test")
        assert records(answer.answer) == [
            "cdn.example.com. 60 IN A 192.0.2.7",
            "www.skydns.test. 60 IN CNAME cdn.example.com.",
        ]
        assert "AA" in flags(answer).split()
    assert len(liar.asked) == 1


async def test_a_cname_to_what_does_not_exist_is_nxdomain(front: Front, liar: Liar) -> None:
    front.put({"www.skydns.test": {"host": "gone.example.com"}})
    liar.behave = liar.failing("NXDOMAIN")
    answer = await front.ask("www.skydns.test")
    assert rcode(answer) == "NXDOMAIN"
    assert rdatas(answer, "CNAME") == ["gone.example.com."]


async def test_a_cname_out_of_the_zone_with_upstreams_down_is_a_failure(front: Front, liar: Liar) -> None:
    front.put({"www.skydns.test": {"host": "cdn.example.com"}})
    liar.behave = lambda _: None
    impatient(front)
    answer = await front.ask("www.skydns.test", use_edns=0)
    assert (rcode(answer), ede_of(answer)) == ("SERVFAIL", [22])


async def test_a_service_outside_gets_its_addresses_and_answers_without_them_too(
    front: Front, liar: Liar
) -> None:
    front.put({"db.skydns.test": {"host": "db.example.com", "port": 5432}})
    answer = await front.ask("db.skydns.test", "SRV")
    assert rdatas(answer, "SRV") == ["10 100 5432 db.example.com."]
    assert "db.example.com. 60 IN A 192.0.2.1" in records(answer.additional)
    front.forwarder.cache.clear()
    liar.behave = lambda _: None
    impatient(front)
    answer = await front.ask("db.skydns.test", "SRV")
    assert rdatas(answer, "SRV") == ["10 100 5432 db.example.com."]
    assert answer.additional == []


async def test_what_is_asked_for_one_answer_is_bounded(front: Front, liar: Liar) -> None:
    front.put({f"n{n}.db.skydns.test": {"host": f"db{n}.example.com", "port": 1} for n in range(100)})
    answer = await front.ask("db.skydns.test", "SRV", use_edns=0, payload=4096)
    assert rcode(answer) == "NOERROR"
    assert len(liar.asked) == 16


async def test_nothing_is_completed_for_who_does_not_ask_for_recursion(front: Front, liar: Liar) -> None:
    front.put({"www.skydns.test": {"host": "cdn.example.com"}})
    query = dns.message.make_query("www.skydns.test", "A", flags=0)
    assert rdatas(await front.exchange(query), "CNAME") == ["cdn.example.com."]
    assert liar.asked == []


async def test_stub_zones_come_and_go_with_their_keys_and_count_before_our_own_data(front: Front) -> None:
    async with Liar() as stub:
        stub.addresses["www.sub.skydns.test."] = "192.0.2.99"
        front.put({"www.sub.skydns.test": {"host": "10.0.0.1"}})
        assert rdatas(await front.ask("www.sub.skydns.test"), "A") == ["10.0.0.1"]
        key = "x.sub.skydns.test.stub.dns.skydns.test"
        front.put({key: {"host": "127.0.0.1", "port": stub.port}})
        assert rdatas(await front.ask("www.sub.skydns.test"), "A") == ["192.0.2.99"]
        front.site.delete(key)
        front.follow()
        assert rdatas(await front.ask("www.sub.skydns.test"), "A") == ["10.0.0.1"]


async def test_the_longest_stub_zone_counts_and_names_are_no_servers(front: Front, liar: Liar) -> None:
    async with Liar() as outer, Liar() as inner:
        front.put(
            {
                "a.example.com.stub.dns.skydns.test": {"host": "127.0.0.1", "port": outer.port},
                "a.corp.example.com.stub.dns.skydns.test": {"host": "127.0.0.1", "port": inner.port},
                "b.example.com.stub.dns.skydns.test": {"host": "ns.example.net"},
            }
        )
        for name in ("x.example.com", "x.corp.example.com", "x.example.net"):
            await front.ask(name)
        assert [len(server.asked) for server in (outer, inner, liar)] == [1, 1, 1]
        known = front.forwarding.routes.stub_of(names.from_text("x.example.com"))
        front.site.delete("a.corp.example.com.stub.dns.skydns.test")
        front.follow()
        assert front.forwarding.routes.stub_of(names.from_text("x.corp.example.com")) is known, (
            "and still known"
        )


async def test_a_stub_zone_serves_cnames_too_when_nothing_else_is_forwarded(liar: Liar) -> None:
    site = Site(dialect=COREDNS)
    front = Front(site, ForwardSettings(limits=LIMITS))
    front.put(
        {
            "a.example.com.stub.dns.skydns.test": {"host": "127.0.0.1", "port": liar.port},
            "www.skydns.test": {"host": "cdn.example.com"},
        }
    )
    assert rdatas(await front.ask("www.skydns.test"), "A") == ["192.0.2.1"]
    assert rcode(await front.ask("www.example.net")) == "REFUSED"
    await front.forwarder.close()


async def test_dnssec_is_handed_through(front: Front, liar: Liar) -> None:
    seen: list[int] = []

    def look(query: dns.message.Message) -> bytes | None:
        seen.append(query.ednsflags & dns.flags.DO)
        return liar.answer(query)

    liar.behave = look
    await front.ask("www.example.com", want_dnssec=True)
    await front.ask("www.example.com")
    assert seen == [dns.flags.DO, 0]


def test_addresses_of_upstreams_are_read_in_every_spelling() -> None:
    texts = ["192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353", "[2001:db8::2]"]
    assert parse_nameservers(texts) == (
        Address(host="192.0.2.1", port=53),
        Address(host="192.0.2.1", port=5353),
        Address(host="2001:db8::1", port=53),
        Address(host="2001:db8::1", port=5353),
        Address(host="2001:db8::2", port=53),
    )


def test_the_config_key_comes_before_the_flags() -> None:
    flags_said = ForwardSettings(nameservers=parse_nameservers(["192.0.2.1"]), no_rec=True)
    said = KeySettings(nameservers=("192.0.2.2:54",), no_rec=False, ns_rotate=False, read_timeout_s=2.0)
    both = with_key(flags_said, said)
    assert both.nameservers == (Address(host="192.0.2.2", port=54),)
    assert both.offers_recursion
    assert both.in_order
    assert both.limits.deadline_s == 2.0
    assert with_key(flags_said, KeySettings()) == flags_said
    with pytest.raises(ConfigError, match="is no address"):
        with_key(flags_said, KeySettings(nameservers=("ns.example",)))
