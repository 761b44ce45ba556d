"""The cache: how long, how much, and what for when nobody answers."""

from tests.unit.dns.forward.upstream_words import SOA, parsed, question

from fairlead.dns.forward.cache import Cache
from fairlead.dns.forward.limits import ForwardLimits

ADDRESS = "www.example. 100 IN A 192.0.2.1"
LIMITS = ForwardLimits()


def filled(*, limits: ForwardLimits = LIMITS, now_s: float = 0.0) -> Cache:
    cache = Cache(limits)
    cache.put(question(), parsed(question(), ADDRESS), now_s=now_s)
    return cache


def test_an_answer_is_kept_for_its_ttl_and_no_longer() -> None:
    cache = filled()
    assert cache.fresh(question(), now_s=99.9) is not None
    assert cache.fresh(question(), now_s=100.0) is None


def test_questions_with_and_without_dnssec_are_two() -> None:
    assert filled().fresh(question(dnssec_ok=True), now_s=1) is None


def test_ttls_are_capped() -> None:
    cache = filled(limits=ForwardLimits(ttl_s_max=10))
    assert cache.fresh(question(), now_s=10) is None
    cache = Cache(ForwardLimits(negative_ttl_s_max=5))
    cache.put(question(), parsed(question(), rcode="NXDOMAIN", authority=[SOA]), now_s=0)
    assert cache.fresh(question(), now_s=4.9) is not None
    assert cache.fresh(question(), now_s=5) is None


def test_an_answer_without_ttl_is_not_kept() -> None:
    cache = filled()
    cache.put(question(), parsed(question(), ADDRESS.replace("100", "0")), now_s=1)
    assert len(cache) == 0
    assert cache.bytes_used == 0


def test_a_failure_is_kept_for_seconds_and_never_as_stale() -> None:
    cache = Cache(LIMITS)
    cache.put(question(), parsed(question(), rcode="SERVFAIL"), now_s=0)
    assert cache.fresh(question(), now_s=4.9) is not None
    assert cache.fresh(question(), now_s=5) is None
    assert cache.stale(question(), now_s=6) is None


def test_a_failure_does_not_take_the_place_of_an_answer() -> None:
    cache = filled()
    cache.put(question(), parsed(question(), rcode="SERVFAIL"), now_s=150)
    stale = cache.stale(question(), now_s=151)
    assert stale is not None
    assert stale.response.rcode == 0


def test_refusals_are_not_kept() -> None:
    cache = Cache(LIMITS)
    cache.put(question(), parsed(question(), rcode="REFUSED"), now_s=0)
    assert len(cache) == 0


def test_an_answer_may_be_stale_for_so_long_and_no_longer() -> None:
    cache = filled(limits=ForwardLimits(stale_s_max=50))
    assert cache.stale(question(), now_s=149.9) is not None
    assert cache.stale(question(), now_s=150) is None


def test_after_a_failed_refresh_upstreams_are_left_alone() -> None:
    cache = filled()
    cache.failed(question(), now_s=200)
    stale = cache.stale(question(), now_s=201)
    assert stale is not None
    assert stale.quiet_until_s == 230


def test_what_is_popular_is_fetched_before_its_end_once() -> None:
    cache = filled()
    for _ in range(LIMITS.prefetch_hits_min):
        entry = cache.fresh(question(), now_s=80)
    assert entry is not None
    assert not cache.wants_prefetch(entry, now_s=80)
    assert cache.wants_prefetch(entry, now_s=95)
    entry.is_refreshing = True
    assert not cache.wants_prefetch(entry, now_s=95)


def test_what_is_not_popular_is_not_fetched() -> None:
    cache = filled()
    entry = cache.fresh(question(), now_s=95)
    assert entry is not None
    assert not cache.wants_prefetch(entry, now_s=95)


def test_it_is_bounded_in_bytes_and_forgets_what_nobody_asks_for() -> None:
    cache = Cache(ForwardLimits(cache_bytes_max=20_000))
    questions = [question(f"n{number}.example.") for number in range(100)]
    for asked in questions:
        cache.put(asked, parsed(asked, f"{ADDRESS.replace('www', 'n')}"), now_s=0)
        assert cache.fresh(questions[0], now_s=0) is not None, "asked for all the time"
        assert cache.bytes_used <= 20_000
    assert 10 < len(cache) < 100
    assert cache.evictions == 100 - len(cache)
    cache.clear()
    assert (len(cache), cache.bytes_used) == (0, 0)
