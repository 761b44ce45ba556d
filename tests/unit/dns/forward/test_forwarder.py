"""The forwarder on sockets, in front of a server that lies as it is told."""

import asyncio
import errno
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import dns.flags
import dns.message
import pytest
from tests.support.ports import free_port
from tests.unit.dns.forward.liar import Liar
from tests.unit.dns.forward.upstream_words import question
from tests.unit.dns.site import until

from fairlead.agent import Address
from fairlead.dns.forward.forwarder import Forwarder, Told
from fairlead.dns.forward.limits import ForwardLimits
from fairlead.dns.forward.packet import Question
from fairlead.dns.forward.upstream import Pool


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    async with Liar() as running:
        yield running


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    made = Forwarder(ForwardLimits(patience_s=0.05), rng=random.SystemRandom(), token=b"me")
    yield made
    await made.close()


def ask(forwarder: Forwarder, pool: Pool, asked: Question | None = None) -> asyncio.Future[Told]:
    told: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
    forwarder.ask(asked or question(), pool=pool, take=told.set_result)
    return told


def impatient(forwarder: Forwarder) -> None:
    """Let questions be given up soon, for tests in which nobody answers."""
    forwarder.limits = replace(forwarder.limits, deadline_s=0.3)


def pool_of(*liars: Liar) -> Pool:
    return Pool([liar.address for liar in liars])


async def test_an_answer_comes_once_from_the_upstream_and_then_from_the_cache(
    liar: Liar, forwarder: Forwarder
) -> None:
    pool = pool_of(liar)
    first = await ask(forwarder, pool)
    second = await ask(forwarder, pool)
    assert first.response is not None
    assert first.body == second.body
    assert b"\xc0\0\2\1" in first.body
    assert len(liar.asked) == 1
    assert forwarder.at_hand(question()) is not None


async def test_ports_ids_and_letters_are_at_random(liar: Liar, forwarder: Forwarder) -> None:
    pool = pool_of(liar)
    for number in range(60):
        await ask(forwarder, pool, question(f"a-name-like-others{number}.example."))
    assert len(liar.ports) > 40
    assert len(liar.ids) > 55
    assert len({name.rstrip("0123456789.") for name in liar.asked}) > 55


async def test_many_who_ask_the_same_cost_one_question(liar: Liar, forwarder: Forwarder) -> None:
    pool = pool_of(liar)
    told = await asyncio.gather(*(ask(forwarder, pool) for _ in range(100)))
    assert len({one.body for one in told}) == 1
    assert len(liar.asked) == 1


async def test_too_many_who_wait_for_the_same_are_turned_away(forwarder: Forwarder, liar: Liar) -> None:
    liar.behave = lambda _: None
    pool = pool_of(liar)
    waiting = [ask(forwarder, pool) for _ in range(forwarder.limits.waiters_max + 1)]
    assert (await waiting[-1]).is_full
    assert not waiting[0].done()


async def test_questions_under_way_are_bounded(liar: Liar) -> None:
    forwarder = Forwarder(ForwardLimits(in_flight_max=3, deadline_s=0.3), rng=random.Random(1), token=b"")
    liar.behave = lambda _: None
    pool = pool_of(liar)
    told = [ask(forwarder, pool, question(f"n{number}.example.")) for number in range(5)]
    assert [one.done() for one in told] == [False, False, False, True, True]
    assert (await told[4]).is_full
    assert (await told[0]).response is None
    await until(lambda: forwarder.courier.in_flight == 0)
    await forwarder.close()


async def test_what_is_too_large_for_udp_comes_over_tcp(liar: Liar, forwarder: Forwarder) -> None:
    many = [f"www.example. 60 IN A 10.0.{number // 250}.{number % 250}" for number in range(500)]

    def truncated(query: dns.message.Message) -> bytes:
        response = liar.made(query)
        response.flags |= dns.flags.TC
        return response.to_wire()

    liar.behave = truncated
    liar.behave_tcp = lambda query: liar.made(query, *many).to_wire(max_size=65535)
    told = await ask(forwarder, pool_of(liar))
    assert told.response is not None
    assert told.response.counts == (500, 0, 0)


async def test_forged_answers_to_other_questions_are_ignored(liar: Liar, forwarder: Forwarder) -> None:
    impatient(forwarder)

    def forge(query: dns.message.Message) -> bytes:
        other = dns.message.make_query("evil.example.", "A", id=query.id)
        return liar.made(other, "evil.example. 60 IN A 192.0.2.66").to_wire()

    liar.behave = forge
    told = await ask(forwarder, pool_of(liar))
    assert told.response is None
    assert forwarder.courier.bogus >= 1
    assert forwarder.at_hand(question()) is None


async def test_garbage_is_ignored(liar: Liar, forwarder: Forwarder) -> None:
    impatient(forwarder)
    liar.behave = lambda query: query.id.to_bytes(2, "big") + b"\xff" * 40
    told = await ask(forwarder, pool_of(liar))
    assert told.response is None


async def test_an_upstream_that_lowers_letters_is_asked_over_tcp(liar: Liar, forwarder: Forwarder) -> None:
    def lowered(query: dns.message.Message) -> bytes:
        packet = liar.answer(query)
        assert packet is not None
        end = packet.index(b"\0", 12) + 1
        return packet[:12] + packet[12:end].lower() + packet[end:]

    liar.behave = lowered
    liar.behave_tcp = liar.answer
    told = await ask(forwarder, pool_of(liar), question("a-long-name-with-many-letters.example."))
    assert told.response is not None
    assert len(liar.asked_tcp) == 1


async def test_a_dead_upstream_costs_a_client_little(liar: Liar, forwarder: Forwarder) -> None:
    pool = Pool([Address(host="127.0.0.1", port=free_port()), liar.address])
    for number in range(5):
        told = await ask(forwarder, pool, question(f"n{number}.example."))
        assert told.response is not None
    assert pool.upstreams[0].is_down or pool.upstreams[0].asked <= 1


async def test_a_failure_is_asked_of_another(liar: Liar, forwarder: Forwarder) -> None:
    async with Liar() as broken:
        broken.behave = broken.failing("SERVFAIL")
        told = await ask(forwarder, pool_of(broken, liar))
    assert told.response is not None
    assert told.response.rcode == 0


async def test_when_no_upstream_answers_the_last_answer_is_given(liar: Liar, forwarder: Forwarder) -> None:
    impatient(forwarder)
    pool = pool_of(liar)
    liar.ttl_s = 1
    first = await ask(forwarder, pool)
    entry = forwarder.cache.stale(question(), now_s=0)
    assert entry is not None
    entry.expires_s = asyncio.get_running_loop().time()  # its time is over
    liar.behave = lambda _: None
    told = await ask(forwarder, pool)
    assert told.is_stale
    assert told.body[-4:] == first.body[-4:]
    assert told.body != first.body, "with a TTL of its own"
    await until(lambda: not forwarder._flights)
    liar.asked.clear()
    again = ask(forwarder, pool)
    assert again.done(), "and at once, while upstreams are left alone"
    assert again.result().is_stale
    assert not liar.asked


async def test_a_failing_upstream_does_not_hide_the_last_answer(liar: Liar, forwarder: Forwarder) -> None:
    pool = pool_of(liar)
    await ask(forwarder, pool)
    entry = forwarder.cache.stale(question(), now_s=0)
    assert entry is not None
    entry.expires_s = asyncio.get_running_loop().time()
    liar.behave = liar.failing("SERVFAIL")
    told = await ask(forwarder, pool)
    assert told.is_stale


async def test_a_fresh_answer_takes_the_place_of_a_stale_one(liar: Liar, forwarder: Forwarder) -> None:
    pool = pool_of(liar)
    await ask(forwarder, pool)
    entry = forwarder.cache.stale(question(), now_s=0)
    assert entry is not None
    entry.expires_s = asyncio.get_running_loop().time()
    liar.addresses["www.example."] = "192.0.2.9"
    told = await ask(forwarder, pool)
    assert not told.is_stale
    assert b"\xc0\0\2\x09" in told.body


async def test_nothing_is_left_open(liar: Liar, forwarder: Forwarder) -> None:
    pool = pool_of(liar)
    await asyncio.gather(*(ask(forwarder, pool, question(f"n{number}.example.")) for number in range(200)))
    await until(lambda: forwarder.courier.in_flight == 0)
    assert not forwarder._flights


async def test_a_slow_upstream_is_overtaken_by_another(liar: Liar, forwarder: Forwarder) -> None:
    async with Liar() as slow:
        slow.behave = lambda _: None
        pool = pool_of(slow, liar)
        pool.upstreams[0].took(0.001)  # the fastest, up to now
        pool.upstreams[1].took(0.002)
        told = await ask(forwarder, pool)
        assert told.response is not None
        assert (len(slow.asked), len(liar.asked)) == (1, 1)


async def test_a_popular_answer_is_fetched_anew_before_its_end_and_once(
    liar: Liar, forwarder: Forwarder
) -> None:
    pool = pool_of(liar)
    await ask(forwarder, pool)
    entry = forwarder.cache.fresh(question(), now_s=0)
    assert entry is not None
    entry.expires_s = asyncio.get_running_loop().time() + 1  # of 60
    liar.addresses["www.example."] = "192.0.2.9"
    told = [await ask(forwarder, pool) for _ in range(10)]
    assert all(b"\xc0\0\2\1" in one.body for one in told), "nobody waits for it"
    await until(lambda: not forwarder._flights)
    assert len(liar.asked) == 2
    assert b"\xc0\0\2\x09" in (await ask(forwarder, pool)).body


async def test_want_of_sockets_is_not_the_upstreams_failure(
    liar: Liar, forwarder: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    pool = pool_of(liar)
    with monkeypatch.context() as patch:
        patch.setattr("fairlead.dns.forward.sockets.socket.socket", refuse)
        told = await ask(forwarder, pool)
    assert told.response is None
    assert pool.upstreams[0].failed == 0
    assert (await ask(forwarder, pool)).response is not None
