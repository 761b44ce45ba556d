"""Rate limits: the buckets, who has which, and that no change of the configuration refills one."""

import re
from typing import Any

import pytest
from tests.unit.proxy.middleware.harness import answer_of, call_of, made, rows, value

from fairlead.proxy.middleware.limits import SOURCE_BYTES_MAX
from fairlead.proxy.middleware.ratelimit import NS, Bucket, BucketSet, Rate, RateLimit, go_duration
from fairlead.proxy.middleware.sources import Bounded

SPEC = {"Requests": 1, "PeriodSeconds": 1, "Burst": 1, "Variable": "client.ip"}


def rate(period_s: float, average: int, burst: int) -> Rate:
    return Rate(round(period_s * NS), average, burst)


@pytest.mark.parametrize("row", rows("buckets"), ids=lambda row: row["name"])
def test_a_bucket_does_what_oxys_does(row: dict[str, Any]) -> None:
    bucket = BucketSet((rate(**row["rate"]),), now_ns=0)
    for step in row["steps"]:
        now_ns = round(step["at"] * NS)
        if "change" in step:
            bucket.follow((rate(**step["change"]),), now_ns=now_ns)
        else:
            count, wait_s = step["take"]
            expected = None if wait_s is None else round(wait_s * NS)
            assert bucket.take(count, now_ns=now_ns) == expected, step


@pytest.mark.parametrize("row", rows("bucket_sets"), ids=lambda row: row["name"])
def test_a_set_of_buckets_does_what_oxys_does(row: dict[str, Any]) -> None:
    buckets = BucketSet(tuple(rate(*each) for each in row["rates"]), now_ns=0)
    for step in row["steps"]:
        now_ns = step["at"] * NS
        if "take" in step:
            count, wait_s = step["take"]
            assert buckets.take(count, now_ns=now_ns) == (None if wait_s is None else wait_s * NS)
        else:
            buckets.follow(tuple(rate(*each) for each in step["change"]), now_ns=now_ns)
        if "tokens" in step:
            assert [each.tokens for each in buckets.buckets] == step["tokens"]
        assert buckets.longest_ns == step.get("longest", buckets.longest_ns // NS) * NS


def test_what_has_grown_of_a_token_is_not_lost_when_another_is_taken() -> None:
    """oxy starts anew at each refill, so that asking every 1.5 periods gets one token in two."""
    bucket = Bucket(rate(1, 1, 2), now_ns=0)
    bucket.tokens = 0
    bucket.refresh(3 * NS // 2)
    assert bucket.tokens == 1
    bucket.tokens = 0
    bucket.refresh(2 * NS)
    assert bucket.tokens == 1


def test_a_clock_that_stands_still_or_goes_back_fills_nothing() -> None:
    bucket = Bucket(rate(1, 1, 5), now_ns=NS)
    bucket.tokens = 0
    bucket.refresh(0)
    assert bucket.tokens == 0


@pytest.mark.parametrize("row", rows("rate_headers"), ids=lambda row: row["header"][:60])
def test_a_header_may_set_the_rates(row: dict[str, Any]) -> None:
    limiter = made("ratelimit", SPEC | {"RateVar": "request.header.X-Rates"})
    answers = [answer_of(limiter, call_of(headers={"X-Rates": row["header"]})) for _ in range(10)]
    assert answers.count(None) == row["passed"]
    assert {each.status for each in answers if each} <= {429}


def test_who_comes_too_early_is_told_when_to_come_again() -> None:
    limiter = made("ratelimit", SPEC | {"PeriodSeconds": 60, "Requests": 4})
    assert answer_of(limiter, call_of()) is None
    answer = answer_of(limiter, call_of())
    assert answer is not None
    assert (answer.status, answer.flag) == (429, "RL")
    assert (value(answer.fields, "Retry-After"), value(answer.fields, "X-Retry-In")) == (b"15", b"15s")
    assert answer_of(limiter, call_of(now_s=14.9)) is not None
    assert answer_of(limiter, call_of(now_s=15)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"peer": b"2001:db8::1"}, {"peer": b"2001:db8::2"}),
        ({"peer": b"192.0.2.1"}, {"peer": b"192.0.2.10"}),
    ],
)
def test_every_address_has_its_own_bucket(one: dict[str, Any], other: dict[str, Any]) -> None:
    """vulcand cuts addresses at the first colon, so that all IPv6 clients are one (1.6, fault 6)."""
    limiter = made("ratelimit", SPEC)
    assert answer_of(limiter, call_of(**one)) is None
    assert answer_of(limiter, call_of(**other)) is None
    assert answer_of(limiter, call_of(**one)) is not None


@pytest.mark.parametrize(
    ("variable", "one", "other"),
    [
        ("request.host", {"host": "a"}, {"host": "b"}),
        ("request.header.X-Key", {"headers": {"X-Key": "a"}}, {"headers": {"x-key": "b"}}),
    ],
)
def test_a_variable_says_who_is_who(variable: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    limiter = made("ratelimit", SPEC | {"Variable": variable})
    assert [answer_of(limiter, call_of(**each)) is None for each in (one, other, one, other)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_changed_limit_keeps_what_has_been_used() -> None:
    """Section 8, item 3: a change refills nothing; only the burst beyond the old one has to grow."""
    old = made("ratelimit", SPEC | {"Requests": 100, "PeriodSeconds": 60, "Burst": 100})
    assert [answer_of(old, call_of()) for _ in range(60)] == [None] * 60
    new = made("ratelimit", SPEC | {"Requests": 100, "PeriodSeconds": 60, "Burst": 90}, previous=old)
    answers = [answer_of(new, call_of()) for _ in range(60)]
    assert answers.count(None) == 40


def test_silent_clients_are_forgotten_and_the_number_of_others_is_bounded() -> None:
    clients = Bounded[int](3)
    for number in range(5):
        clients.put(b"%d" % number, number, now_s=0, keep_s=10)
    assert len(clients) == 3
    assert clients.get(b"1", now_s=1, keep_s=10) is None
    assert clients.get(b"2", now_s=1, keep_s=10) == 2
    clients.put(b"5", 5, now_s=2, keep_s=10)
    assert clients.get(b"2", now_s=3, keep_s=10) == 2  # it came later than 3
    assert clients.get(b"3", now_s=3, keep_s=10) is None
    assert clients.get(b"2", now_s=13, keep_s=10) is None
    clients.put(b"6", 6, now_s=13, keep_s=10)
    assert len(clients) == 1


def test_a_long_header_does_not_fill_the_memory() -> None:
    limiter = made("ratelimit", SPEC | {"Variable": "request.header.X"})
    assert isinstance(limiter, RateLimit)
    for tail in "ab":
        answer_of(limiter, call_of(headers={"X": "x" * SOURCE_BYTES_MAX + tail}))
    assert len(limiter.clients) == 1


def test_durations_read_as_go_prints_them() -> None:
    printed = [go_duration(each) for each in (0, 1, 1500, 250_000_000, NS, 1_500_000_000, 60 * NS, 3661 * NS)]
    assert printed == ["0s", "1ns", "1.5µs", "250ms", "1s", "1.5s", "1m0s", "1h1m1s"]
    assert all(re.fullmatch(r"[\d.a-zµ]+", each) for each in printed)
