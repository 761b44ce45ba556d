"""One question among upstreams that are slow, silent, broken or forged; time is a number."""

from random import Random

import dns.flags
import dns.message
from tests.unit.dns.forward.upstream_words import question, said

from fairlead.agent import Address
from fairlead.dns.forward.exchange import Attempt, Exchange
from fairlead.dns.forward.limits import ForwardLimits
from fairlead.dns.forward.packet import Question
from fairlead.dns.forward.upstream import FAILS_MAX, LAZY_MAX, Pool, Upstream

GOOD = "www.example. 60 IN A 192.0.2.1"
LIMITS = ForwardLimits()


def pool_of(count: int) -> Pool:
    return Pool([Address(host=f"192.0.2.{number}", port=53) for number in range(1, count + 1)])


def begun(pool: Pool, *, now_s: float = 0.0, asked: Question | None = None) -> tuple[Exchange, list[Attempt]]:
    exchange = Exchange(asked or question(), pool, limits=LIMITS, rng=Random(1), token=b"", now_s=now_s)
    return exchange, exchange.start(now_s=now_s)


def answer(
    exchange: Exchange, attempt: Attempt, *lines: str, now_s: float, **options: object
) -> list[Attempt]:
    packet = said(attempt.packet, *(lines or (GOOD,)), **options)  # type: ignore[arg-type]
    return exchange.take(attempt, packet, now_s=now_s)


def failure(exchange: Exchange, attempt: Attempt, rcode: str, *, now_s: float) -> list[Attempt]:
    return exchange.take(attempt, said(attempt.packet, rcode=rcode), now_s=now_s)


def silent(exchange: Exchange) -> list[Attempt]:
    """Let time go on to when the exchange wants to know."""
    return exchange.tick(now_s=exchange.next_s)


def know(pool: Pool, *rtts_s: float) -> list[Upstream]:
    for upstream, rtt_s in zip(pool.upstreams, rtts_s, strict=True):
        upstream.took(rtt_s)
    return list(pool.upstreams)


def test_one_answer_ends_it() -> None:
    exchange, [first] = begun(pool_of(1))
    assert answer(exchange, first, now_s=0.02) == []
    assert exchange.is_done
    assert exchange.response is not None
    assert exchange.response.counts == (1, 0, 0)
    assert first.upstream.rtt_s == 0.02


def test_ids_and_spellings_differ_from_question_to_question() -> None:
    rng = Random(3)
    pool = pool_of(1)
    seen = set()
    for _ in range(50):
        exchange = Exchange(question(), pool, limits=LIMITS, rng=rng, token=b"", now_s=0)
        [attempt] = exchange.start(now_s=0)
        seen.add((attempt.ident, attempt.asked))
    assert len({ident for ident, _ in seen}) > 45
    assert len({asked for _, asked in seen}) > 30


def test_the_fastest_is_asked_first_and_the_next_when_it_is_slower_than_usual() -> None:
    pool = pool_of(2)
    slow, fast = know(pool, 0.2, 0.05)
    exchange, [first] = begun(pool)
    assert first.upstream is fast
    assert exchange.next_s < 0.2
    [second] = silent(exchange)
    assert second.upstream is slow
    assert answer(exchange, second, now_s=0.3) == []
    assert exchange.is_done


def test_upstreams_may_be_asked_in_their_order() -> None:
    pool = Pool([Address(host=f"192.0.2.{n}", port=53) for n in (1, 2)], in_order=True)
    slow, fast = know(pool, 0.2, 0.05)
    assert pool.order(now_s=0) == ([slow, fast], None)
    for _ in range(FAILS_MAX):
        slow.lost(now_s=0, rng=Random(1))
    assert pool.order(now_s=0.01) == ([fast, slow], None)


def test_the_slow_one_may_still_win() -> None:
    exchange, [first] = begun(pool_of(2))
    silent(exchange)
    answer(exchange, first, now_s=0.4)
    assert exchange.is_done


def test_silence_is_asked_again_and_then_given_up() -> None:
    exchange, attempts = begun(pool_of(1))
    times = [0.0]
    while not exchange.is_done:
        times.append(exchange.next_s)
        attempts += silent(exchange)
    assert len(attempts) == LIMITS.attempts_max
    assert times == sorted(times)
    assert times[-1] == LIMITS.deadline_s
    assert exchange.response is None
    assert attempts[0].upstream.failed == LIMITS.attempts_max


def test_an_answer_that_comes_late_still_counts() -> None:
    exchange, [first] = begun(pool_of(1))
    silent(exchange)
    answer(exchange, first, now_s=3.0)
    assert exchange.is_done
    assert exchange.response is not None


def test_a_closed_port_sends_it_to_the_next_at_once() -> None:
    exchange, [first] = begun(pool_of(2))
    [second] = exchange.lost(first, now_s=0.001)
    assert second.upstream is not first.upstream
    assert first.upstream.failures == 1


def test_when_all_ports_are_closed_it_ends_at_once() -> None:
    exchange, pending = begun(pool_of(2))
    while pending:
        pending += exchange.lost(pending.pop(), now_s=0.001)
    assert exchange.is_done
    assert exchange.response is None


def test_a_truncated_answer_is_fetched_over_tcp() -> None:
    exchange, [first] = begun(pool_of(1))
    [again] = answer(exchange, first, now_s=0.01, flags=dns.flags.TC)
    assert again.over_tcp
    assert again.upstream is first.upstream
    answer(exchange, again, now_s=0.02, flags=dns.flags.TC)
    assert exchange.is_done, "over TCP, that is all there is"


def test_a_failure_is_asked_of_the_next_and_believed_when_all_say_so() -> None:
    exchange, [first] = begun(pool_of(2))
    [second] = failure(exchange, first, "SERVFAIL", now_s=0.01)
    assert second.upstream is not first.upstream
    assert failure(exchange, second, "SERVFAIL", now_s=0.02) == []
    assert exchange.is_done
    assert exchange.response is not None
    assert exchange.response.rcode == 2
    assert first.upstream.failures == 0, "a name may be broken, and its servers well"


def test_who_refuses_what_others_answer_is_not_asked_for_a_while() -> None:
    pool = pool_of(2)
    know(pool, 0.001, 0.1)
    for _ in range(FAILS_MAX):
        exchange, [first] = begun(pool)
        assert first.upstream is pool.upstreams[0]
        [second] = failure(exchange, first, "REFUSED", now_s=0.01)
        answer(exchange, second, now_s=0.1)
    assert pool.upstreams[0].is_down


def test_nxdomain_is_an_answer() -> None:
    exchange, [first] = begun(pool_of(2))
    assert failure(exchange, first, "NXDOMAIN", now_s=0.01) == []
    assert exchange.is_done


def test_who_knows_no_edns_is_asked_without_from_then_on() -> None:
    pool = pool_of(1)
    exchange, [first] = begun(pool)
    [again] = exchange.take(first, said(first.packet, rcode="FORMERR", edns=False), now_s=0.01)
    assert dns.message.from_wire(again.packet).edns == -1
    answer(exchange, again, now_s=0.02)
    assert exchange.response is not None
    _, [later] = begun(pool, now_s=1)
    assert dns.message.from_wire(later.packet).edns == -1


def test_forged_answers_are_ignored_and_the_true_one_is_taken() -> None:
    exchange, [first] = begun(pool_of(1))
    forged = bytes([first.packet[0] ^ 1]) + said(first.packet, "www.example. 60 IN A 192.0.2.66")[1:]
    assert exchange.take(first, forged, now_s=0.01) == []
    answer(exchange, first, now_s=0.02)
    assert exchange.bogus == 1
    assert exchange.response is not None
    assert b"\xc0\0\2\1" in exchange.response.body


def test_a_flood_of_forged_answers_moves_the_question_to_tcp() -> None:
    exchange, [first] = begun(pool_of(1))
    moved: list[Attempt] = []
    for _ in range(LIMITS.bogus_max):
        moved += exchange.take(first, bytes(30), now_s=0.01)
    assert [attempt.over_tcp for attempt in moved] == [True]
    assert answer(exchange, first, now_s=0.02) == []
    assert not exchange.is_done, "an answer over UDP does not count any more"


def test_an_upstream_that_changes_case_is_proved_over_tcp_and_believed_after_some_times() -> None:
    pool = pool_of(1)
    rng = Random(8)
    for turn in range(LAZY_MAX):
        exchange = Exchange(question(), pool, limits=LIMITS, rng=rng, token=b"", now_s=turn)
        [first] = exchange.start(now_s=turn)
        lower = said(first.packet, GOOD)
        lower = lower[:12] + first.asked.lower() + lower[12 + len(first.asked) :]
        [again] = exchange.take(first, lower, now_s=turn)
        assert again.over_tcp
        answer(exchange, again, now_s=turn)
        assert exchange.response is not None
    assert not pool.upstreams[0].keeps_case
    _, [later] = begun(pool, now_s=9)
    assert later.asked == later.asked.lower()


def test_an_upstream_that_changes_case_over_tcp_too_is_believed_at_once() -> None:
    exchange, [first] = begun(pool_of(1))

    def lowered(attempt: Attempt) -> bytes:
        packet = said(attempt.packet, GOOD)
        return packet[:12] + attempt.asked.lower() + packet[12 + len(attempt.asked) :]

    [over_tcp] = exchange.take(first, lowered(first), now_s=0.01)
    [again] = exchange.take(over_tcp, lowered(over_tcp), now_s=0.02)
    exchange.take(again, lowered(again), now_s=0.03)
    assert exchange.is_done
    assert exchange.response is not None


def test_who_fails_in_a_row_is_left_alone_and_tried_beside_another_when_its_time_is_over() -> None:
    pool = pool_of(2)
    bad, good = know(pool, 0.01, 0.05)
    for _ in range(FAILS_MAX):
        bad.lost(now_s=0, rng=Random(1))
    _, attempts = begun(pool, now_s=0.1)
    assert [attempt.upstream for attempt in attempts] == [good]
    exchange, attempts = begun(pool, now_s=bad.down_until_s)
    assert [attempt.upstream for attempt in attempts] == [good, bad]
    answer(exchange, attempts[1], now_s=bad.down_until_s)
    assert not bad.is_down


def test_who_is_on_trial_is_asked_once() -> None:
    pool = pool_of(3)
    know(pool, 0.01, 0.05, 0.05)
    for _ in range(FAILS_MAX):
        pool.upstreams[0].lost(now_s=0, rng=Random(1))
    order, trial = pool.order(now_s=100)
    assert trial is pool.upstreams[0]
    assert trial not in order
    again, other = pool.order(now_s=100)
    assert other is None, "one trial is under way at a time"
    assert again[-1] is trial


def test_the_pause_grows_to_a_bound() -> None:
    [upstream] = pool_of(1).upstreams
    for _ in range(50):
        upstream.lost(now_s=0, rng=Random(1))
    assert 15 <= upstream.down_until_s <= 30


def test_when_all_are_down_all_are_asked() -> None:
    pool = pool_of(2)
    for upstream in pool.upstreams:
        for _ in range(5):
            upstream.lost(now_s=0, rng=Random(1))
    exchange, [first] = begun(pool, now_s=0.1)
    [second] = exchange.lost(first, now_s=0.1)
    assert {first.upstream, second.upstream} == set(pool.upstreams)


def test_who_is_slow_is_asked_again_some_day() -> None:
    pool = pool_of(2)
    slow, _fast = know(pool, 0.5, 0.02)
    for turn in range(1000):
        exchange, [first, *_] = begun(pool, now_s=turn)
        if first.upstream is slow:
            return
        answer(exchange, first, now_s=turn + 0.02)
    raise AssertionError("never")


def test_queries_are_bounded_whatever_the_upstreams_do() -> None:
    rng = Random(11)
    for _ in range(300):
        exchange, attempts = begun(pool_of(rng.randint(1, 3)))
        now_s = 0.0
        for _ in range(200):
            if exchange.is_done:
                break
            now_s += rng.choice([0, 0.01, 0.5])
            attempt = rng.choice(attempts)
            match rng.randrange(6):
                case 0:
                    attempts += exchange.lost(attempt, now_s=now_s)
                case 1:
                    attempts += failure(
                        exchange, attempt, rng.choice(["SERVFAIL", "FORMERR", "REFUSED"]), now_s=now_s
                    )
                case 2:
                    attempts += exchange.take(attempt, bytes(20), now_s=now_s)
                case 3:
                    attempts += exchange.take(attempt, said(attempt.packet, flags=dns.flags.TC), now_s=now_s)
                case _:
                    attempts += exchange.tick(now_s=now_s)
        while not exchange.is_done:
            attempts += silent(exchange)
        assert len(attempts) <= 16
