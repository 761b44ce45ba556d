"""The circuit breaker: its states, its conditions, its fallbacks, and that a change does not close it."""

import asyncio
from typing import Any

import pytest
from tests.unit.proxy.middleware.harness import Told, answer_of, call_of, ended, made, rows, value

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.cbreaker import Breaker, CircuitBreaker, Look, Settings, State, parse_condition
from fairlead.proxy.rolling import Rolling

SPEC: dict[str, Any] = {
    "Condition": "NetworkErrorRatio() > 0.5",
    "Fallback": {"Type": "response", "Action": {"StatusCode": 400, "Body": "Come back later"}},
    "FallbackDuration": 10_000_000_000,
    "RecoveryDuration": 10_000_000_000,
    "CheckPeriod": 100_000_000,
}


def breaker() -> Breaker:
    return Breaker(Settings(condition=parse_condition(SPEC["Condition"])))


def state_of(it: Breaker) -> str:
    return it.state.value


def tripped(at_s: float = 0.0) -> Breaker:
    found = breaker()
    found.record(502, 0, now_s=at_s)
    assert found.state is State.TRIPPED
    return found


@pytest.mark.parametrize("row", rows("conditions"), ids=lambda row: row["condition"])
def test_conditions_mean_what_oxys_mean(row: dict[str, Any]) -> None:
    window = Rolling()
    for status, count in row.get("answers", {200: 1}).items():
        for _ in range(count):
            window.record(status, row.get("latency_ms", 0) * 1000, now_s=100)
    assert parse_condition(row["condition"])(Look(window, 100)) is row["holds"]


def test_a_condition_cannot_be_nested_without_end() -> None:
    with pytest.raises(KeyProblem, match="too many parentheses"):
        parse_condition("(" * 3000 + "NetworkErrorRatio() > 1")
    with pytest.raises(KeyProblem, match="characters"):
        parse_condition("NetworkErrorRatio() > 1 || " * 500 + "NetworkErrorRatio() > 1")
    with pytest.raises(KeyProblem, match="too many parentheses"):
        parse_condition("!" * 4000 + "NetworkErrorRatio() > 1")


def test_the_window_counts_as_oxys_does() -> None:
    window = Rolling()
    for status, latency_s in ((200, 1), (502, 2), (200, 1), (200, 1)):
        window.record(status, latency_s * 1_000_000, now_s=5)
    assert (window.network_errors(5), window.total(5)) == (1, 4)
    assert window.statuses(5) == {502: 1, 200: 3}
    assert window.network_error_ratio(5) == 0.25
    assert window.code_ratio(range(500, 503), range(200, 300), now_s=5) == 1 / 3
    assert window.latency_us(100, now_s=5) // 1_000_000 == 2
    window.reset()
    assert (window.total(5), window.network_error_ratio(5), window.latency_us(100, now_s=5)) == (0, 0, 0)
    assert window.code_ratio(range(500, 503), range(200, 300), now_s=5) == 0


def test_the_window_forgets_and_stays_small() -> None:
    window = Rolling()
    for second in range(1000):
        window.record(200, 50, now_s=second)
    assert window.total(999) == 10
    assert window.total(1008) == 1
    assert window.total(1009) == 0
    assert len(window._counts) == 10
    assert len(window._latencies) == 6


@pytest.mark.parametrize("latency_us", [0, 1, 77, 128, 12_345, 987_654, 3_600_000_000])
def test_a_latency_is_kept_to_about_a_percent(latency_us: int) -> None:
    window = Rolling()
    window.record(200, latency_us, now_s=0)
    assert latency_us <= window.latency_us(50, now_s=0) <= latency_us * 1.016 + 1


def test_the_breaker_goes_round_once() -> None:
    """oxy's TestFullCycle."""
    it = breaker()
    assert it.admits(0)
    it.record(200, 0, now_s=0)
    for _ in range(3):
        it.record(504, 0, now_s=0.05)
    assert it.trips == 0  # it looks every 100 ms
    it.record(200, 0, now_s=0.101)
    assert state_of(it) == "tripped"
    assert not it.admits(9.1)
    assert state_of(it) == "tripped"
    assert not it.admits(10.2)
    assert state_of(it) == "recovering"
    admitted = sum(it.admits(15.2) for _ in range(100))
    assert 0 < admitted < 50
    assert it.admits(20.3)
    assert state_of(it) == "standby"


def test_it_trips_again_while_it_recovers() -> None:
    it = tripped()
    assert not it.admits(10.1)
    assert any(it.admits(15.1) for _ in range(100))
    it.record(502, 0, now_s=15.2)
    assert it.state is State.TRIPPED
    assert not it.admits(25.1)
    assert it.trips == 2


def test_what_it_lets_through_grows_with_the_time() -> None:
    """oxy's ratio controller: at every moment of the recovery the part is 0.5 * elapsed / duration."""
    it = tripped()
    it.admits(10.0)
    allowed = denied = 0
    for step in range(10_000):
        now_s = 10.0 + step / 1000
        allowed, denied = (allowed + 1, denied) if it.admits(now_s) else (allowed, denied + 1)
        assert abs(0.5 * (step / 1000) / 10 - allowed / (allowed + denied)) < 0.05


def test_fallbacks_answer_in_the_servers_place() -> None:
    middleware = made("cbreaker", SPEC)
    assert answer_of(middleware, call_of()) is None
    ended(middleware, call_of(), 502)
    answer = answer_of(middleware, call_of(now_s=1))
    assert answer is not None
    assert (answer.status, answer.body, answer.flag) == (400, b"Come back later", "CB")
    redirecting = made(
        "cbreaker", SPEC | {"Fallback": {"Type": "redirect", "Action": {"URL": "http://localhost:5000"}}}
    )
    ended(redirecting, call_of(), 502)
    answer = answer_of(redirecting, call_of("/somePath", now_s=1))
    assert answer is not None
    assert (answer.status, value(answer.fields, "Location")) == (302, b"http://localhost:5000")
    action = {"URL": "http://localhost:6000/", "PreservePath": True}
    keeping = made("cbreaker", SPEC | {"Fallback": {"Type": "redirect", "Action": action}})
    ended(keeping, call_of(), 502)
    answer = answer_of(keeping, call_of("/some/path?q=1", now_s=1))
    assert answer is not None
    assert value(answer.fields, "Location") == b"http://localhost:6000/some/path"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Come back later", b"Come back later"),
        ("Q29tZSBiYWNr", b"Come back"),
        ({"a": 1}, b'{"a": 1}'),
        (None, b""),
    ],
)
def test_a_body_is_base64_or_text_or_an_object(body: object, expected: bytes) -> None:
    action = {"StatusCode": 503, "Body": body, "ContentType": "text/plain"}
    middleware = made("cbreaker", SPEC | {"Fallback": {"Type": "response", "Action": action}})
    ended(middleware, call_of(), 502)
    answer = answer_of(middleware, call_of(now_s=1))
    assert answer is not None
    assert (answer.body, value(answer.fields, "Content-Type")) == (expected, b"text/plain")


def test_a_fallback_may_come_as_a_string() -> None:
    text = '{"Type": "response", "Action": {"StatusCode": 418}}'
    middleware = made("cbreaker", SPEC | {"Fallback": text, "OnTripped": "", "OnStandby": ""})
    ended(middleware, call_of(), 504)
    answer = answer_of(middleware, call_of(now_s=1))
    assert answer is not None
    assert answer.status == 418


async def test_webhooks_are_told_of_both_ends() -> None:
    """oxy's TestSideEffects."""
    world = Told()
    post = {
        "URL": "http://one/post.json",
        "Method": "POST",
        "Headers": {"Content-Type": ["application/json"]},
    }
    form = {"URL": "http://two/post", "Method": "POST", "Form": {"key": ["val1", "val2"]}}
    middleware = made(
        "cbreaker",
        SPEC
        | {
            "OnTripped": {"Type": "webhook", "Action": post | {"Body": {"Key": ["val1", "val2"]}}},
            "OnStandby": {"Type": "webhook", "Action": form},
        },
        world=world,
    )
    ended(middleware, call_of(), 502)
    for now_s in (10.1, 20.2):
        middleware.on_request(call_of(now_s=now_s))
    await asyncio.gather(*world.tasks)
    assert world.asked == [
        (
            "POST",
            "http://one/post.json",
            [(b"Content-Type", b"application/json")],
            b'{"Key": ["val1", "val2"]}',
        ),
        (
            "POST",
            "http://two/post",
            [(b"Content-Type", b"application/x-www-form-urlencoded")],
            b"key=val1&key=val2",
        ),
    ]


def test_a_client_that_leaves_is_nobodys_fault() -> None:
    middleware = made("cbreaker", SPEC | {"Condition": "ResponseCodeRatio(400, 500, 0, 600) > 0.5"})
    ended(middleware, call_of(), 499)
    assert answer_of(middleware, call_of(now_s=1)) is None


def test_a_tripped_breaker_stays_tripped_whatever_changes() -> None:
    """Section 8, item 4."""
    old = made("cbreaker", SPEC)
    ended(old, call_of(), 502)
    new = made("cbreaker", SPEC | {"Condition": "NetworkErrorRatio() > 0.9"}, previous=old)
    assert isinstance(new, CircuitBreaker)
    assert new.breaker.state is State.TRIPPED
    assert answer_of(new, call_of(now_s=9.9)) is not None
    longer = made("cbreaker", SPEC | {"FallbackDuration": 20_000_000_000}, previous=new)
    assert answer_of(longer, call_of(now_s=19)) is not None


def test_defaults_are_vulcands() -> None:
    middleware = made("cbreaker", {"Condition": SPEC["Condition"], "Fallback": SPEC["Fallback"]})
    assert isinstance(middleware, CircuitBreaker)
    settings = middleware.breaker.settings
    assert (settings.fallback_s, settings.recovery_s, settings.check_s) == (10.0, 10.0, 0.1)
