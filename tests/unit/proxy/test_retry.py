"""Another server after a failure: vulcand's predicates, where it is safe, and what a storm may cost."""

import asyncio
from random import Random

import pytest
from tests.unit.proxy.balance.asking import plan_of
from tests.unit.proxy.harness import OK, Peer, Proxy, Upstream, running, status_of
from tests.unit.proxy.test_balancing import Named
from tests.unit.proxy.test_routes import Configured

from fairlead.proxy.balance import LOST, REFUSED, TIMEOUT, Attempt, Failure
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.failover import Failed, parse_failover
from fairlead.proxy.plan import Plan
from fairlead.proxy.retry import Budget, Repeating

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    ("text", "failed", "holds"),
    [
        ("IsNetworkError()", Failed(502, 1, "GET"), True),
        ("IsNetworkError()", Failed(504, 1, "GET"), True),
        ("IsNetworkError()", Failed(503, 1, "GET"), False),
        ("!IsNetworkError()", Failed(503, 1, "GET"), True),
        ("Attempts() < 2", Failed(502, 1, "GET"), True),
        ("Attempts() < 2", Failed(502, 2, "GET"), False),
        ("Attempts() <= 2", Failed(502, 2, "GET"), True),
        ("Attempts() > 2", Failed(502, 2, "GET"), False),
        ("Attempts() >= 2", Failed(502, 2, "GET"), True),
        ("Attempts() != 2", Failed(502, 2, "GET"), False),
        ("ResponseCode() == 503", Failed(503, 1, "GET"), True),
        ("ResponseCode() == 503", Failed(500, 1, "GET"), False),
        ('RequestMethod() == "GET"', Failed(502, 1, "GET"), True),
        ('RequestMethod() == "GET"', Failed(502, 1, "POST"), False),
        ('IsNetworkError() && RequestMethod() == "GET" && Attempts() < 20', Failed(502, 19, "GET"), True),
        ("(ResponseCode() == 500 || IsNetworkError()) && Attempts() <= 2", Failed(500, 2, "PUT"), True),
    ],
)
def test_predicates_mean_what_vulcands_mean(text: str, failed: Failed, *, holds: bool) -> None:
    assert parse_failover(text)(failed) is holds


@pytest.mark.parametrize(
    "text", ["Attempts()", "IsNetworkError() == 1", "Foo()", 'RequestMethod() < "a" &&', "1"]
)
def test_what_is_no_predicate_costs_its_frontend_alone(text: str) -> None:
    with pytest.raises(KeyProblem):
        parse_failover(text)
    config = Configured()
    route = {"BackendId": "b", "Route": 'Path("/")', "Settings": {"FailoverPredicate": text}}
    config.put({"/vulcand/frontends/f/frontend": route, "/vulcand/backends/b/backend": {}})
    assert "Settings.FailoverPredicate: " in config.board.problems[b"/vulcand/frontends/f/frontend"]


def asked(failure: Failure | None, status: int = 502, *, sent: bool = True, attempts: int = 1) -> Attempt:
    return Attempt(failure, status, sent, is_repeatable=True, attempts=attempts, retry_after=b"")


def policy(servers: int = 3, *, method: str = "GET", **fields: object) -> tuple[Repeating, Plan]:
    config = Configured()
    config.put({f"/vulcand/backends/b/servers/s{n}": {"URL": f"http://h{n}"} for n in range(servers)})
    config.put({"/vulcand/frontends/f/frontend": {"BackendId": "b", "Route": 'Path("/")', **fields}})
    frontend = config.routes.catalog.frontends["f"]
    plan = plan_of(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n", config.now)
    plan.forward(frontend, b"")
    return Repeating(frontend, Budget(), rng=Random(1)), plan


@pytest.mark.parametrize(
    ("method", "attempt", "repeats"),
    [
        ("GET", asked(LOST), True),
        ("GET", asked(TIMEOUT), True),
        ("POST", asked(LOST), False),
        ("POST", asked(REFUSED, sent=False), True),
        ("GET", asked(None, 500), False),
        ("GET", asked(LOST)._replace(is_repeatable=False), False),
        ("GET", asked(LOST, attempts=3), False),
        ("GET", asked(LOST)._replace(retry_after=b"5"), False),
    ],
)
def test_without_a_predicate_failures_are_repeated_where_that_is_safe(
    method: str, attempt: Attempt, *, repeats: bool
) -> None:
    repeating, plan = policy(method=method)
    assert (repeating.delay_s(plan, attempt, 0.0) is not None) is repeats
    assert not repeating.sees_answers


def test_a_predicate_that_names_methods_decides_about_them() -> None:
    named, plan = policy(method="POST", Settings={"FailoverPredicate": 'RequestMethod() == "POST"'})
    assert named.delay_s(plan, asked(LOST), 0.0) == 0.0
    unnamed, plan = policy(method="POST", Settings={"FailoverPredicate": "IsNetworkError()"})
    assert unnamed.delay_s(plan, asked(LOST), 0.0) is None
    assert unnamed.delay_s(plan, asked(REFUSED, sent=False), 0.0) == 0.0


def test_an_attempt_that_nobody_is_left_for_is_not_made() -> None:
    repeating, plan = policy(servers=1)
    assert repeating.delay_s(plan, asked(LOST), 0.0) is None


def test_no_predicate_goes_beyond_ten_attempts() -> None:
    repeating, plan = policy(servers=30, Settings={"FailoverPredicate": "Attempts() < 100"})
    assert repeating.delay_s(plan, asked(LOST, attempts=9), 0.0) is not None
    assert repeating.delay_s(plan, asked(LOST, attempts=10), 0.0) is None
    fewer, plan = policy(servers=30, Retry={"Attempts": 2})
    assert fewer.delay_s(plan, asked(LOST, attempts=2), 0.0) is None


def test_later_attempts_wait_longer() -> None:
    repeating, plan = policy(servers=30)
    waits = [repeating.delay_s(plan, asked(LOST, attempts=n), float(n)) or 0.0 for n in range(1, 9)]
    assert waits[0] == 0.0
    assert all(0 < wait <= 0.25 for wait in waits[1:])
    assert waits[2] > waits[1]


def test_the_budget_is_a_fifth_of_the_requests_and_three_a_second() -> None:
    budget = Budget()
    requests = granted = 0
    for _ in range(10_000):
        requests += 1
        if budget.take(0.2, requests=requests, now_s=0.0):
            granted += 1
            requests += 1
    assert 1_950 < granted < 2_050
    quiet = Budget()
    assert sum(quiet.take(0.2, requests=0, now_s=n / 100) for n in range(1000)) == pytest.approx(40, abs=2)


def test_a_repeat_costs_nothing_when_nobody_was_reached_or_when_it_helped() -> None:
    """Half of the servers may be ill for long, and no request has to suffer; a storm still gets no more than its budget."""
    predicate = {"FailoverPredicate": "(ResponseCode() == 502 || ResponseCode() == 500) && Attempts() < 3"}
    repeating, plan = policy(Settings=predicate)
    for _ in range(100):
        assert repeating.delay_s(plan, asked(None, 500), 0.0) is not None
        assert repeating.delay_s(plan, asked(REFUSED, sent=False, attempts=2), 0.0) is not None
        assert repeating.delay_s(plan, asked(None, 200, attempts=3), 0.0) is None
    storm, plan = policy(Settings=predicate)
    granted = 0
    for _ in range(100):
        granted += storm.delay_s(plan, asked(None, 500), 0.0) is not None
        assert storm.delay_s(plan, asked(None, 500, attempts=3), 0.0) is None
    assert granted == 10


async def test_a_predicate_finds_the_one_server_of_three_that_is_well() -> None:
    """vulcand's users run with it: one server answers 500, one is not there, and clients see neither."""

    async def ill(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nill")

    async with running(Upstream(), Upstream(ill)) as proxy:
        predicate = "(ResponseCode() == 502 && Attempts() < 20) || (ResponseCode() == 500 && Attempts() < 3)"
        route = {"BackendId": "b", "Route": 'Path("/")', "Settings": {"FailoverPredicate": predicate}}
        proxy.put({"frontends/f/frontend": route, "backends/b/servers/gone": {"URL": "http://127.0.0.1:1"}})
        assert {status_of((await proxy.get())[0]) for _ in range(40)} == {200}


async def _refuse(peer: Peer) -> None:
    peer.writer.transport.abort()


async def test_a_request_that_one_server_drops_is_answered_by_another() -> None:
    good = Named("good")
    async with running(Upstream(_refuse), good) as proxy:
        client = await proxy.connect()
        assert {(await client.ask(GET))[1] for _ in range(4)} == {b"good"}
        statuses = [status_of((await client.ask(POST))[0]) for _ in range(2)]
        assert sorted(statuses) == [200, 502], "what may have been done is not done again"


@pytest.mark.parametrize(("kept", "expected"), [(0, {200, 502}), (4_000_000, {200}), (1_000_000, {200, 502})])
async def test_a_body_is_kept_for_another_attempt_as_far_as_its_frontend_says(
    kept: int, expected: set[int]
) -> None:
    """vulcand's MaxMemBodyBytes; beyond it vulcand writes to a disk, and here a request has one attempt."""
    body, taken = b"x" * 3_000_000, []

    async def drop(peer: Peer) -> None:
        await peer.head()
        await peer.exactly(len(body))
        peer.writer.transport.abort()

    async def take(peer: Peer) -> None:
        while True:
            await peer.head()
            taken.append(await peer.exactly(len(body)))
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    upstreams = (Upstream(drop), Upstream(take))
    async with running(*upstreams) as proxy:
        proxy.serve(*upstreams, settings={"Limits": {"MaxMemBodyBytes": kept}})
        statuses = set()
        for _ in range(2):
            client = await proxy.connect()
            await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + body)
            statuses.add(status_of(await client.head()))
    assert statuses == expected
    assert set(taken) == {body}


async def test_nothing_was_sent_to_a_server_that_refuses_and_so_everything_is_repeated() -> None:
    good = Named("good")
    gone = Upstream()
    async with running(good) as proxy:
        await gone.start()
        await gone.stop()
        proxy.put({"backends/b/servers/s9": {"URL": f"http://127.0.0.1:{gone.port}"}})
        client = await proxy.connect()
        assert {(await client.ask(POST))[1] for _ in range(4)} == {b"good"}


async def test_a_server_that_is_slow_is_left_for_another_after_its_part_of_the_time() -> None:
    async def hang(peer: Peer) -> None:
        await peer.head()
        await asyncio.Event().wait()

    async with running(Upstream(hang), Named("good")) as proxy:
        route = {"BackendId": "b", "Route": 'PathRegexp("/.*")'}
        proxy.put({"frontends/f/frontend": {**route, "Retry": {"PerTryTimeout": "100ms"}}})
        client = await proxy.connect()
        assert [(await client.ask(GET))[1] for _ in range(2)] == [b"good", b"good"]


async def test_the_time_for_all_of_a_request_ends_it_wherever_it_is() -> None:
    async def begin(peer: Peer) -> None:
        if b"/started" in await peer.head():
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome")
        await asyncio.Event().wait()

    async with running(Upstream(begin)) as proxy:
        route = {"BackendId": "b", "Route": 'PathRegexp("/.*")', "Timeouts": {"Total": "200ms"}}
        proxy.put({"frontends/f/frontend": route})
        client = await proxy.connect()
        assert status_of((await client.ask(GET))[0]) == 504
        await client.send(GET.replace(b"/ ", b"/started "))
        assert status_of(await client.head()) == 200
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.exactly(9)
        proxy.put(
            {
                "backends/b/backend": {"MaxConns": 1, "Queue": {"Size": 9, "Timeout": "60s"}},
                "frontends/f/frontend": {**route, "Timeouts": {"Total": "300ms"}},
            }
        )
        first, second = await proxy.connect(), await proxy.connect()
        await first.send(GET)
        assert status_of((await second.ask(GET))[0]) == 504, "in a queue too"


async def test_a_storm_of_failures_is_not_multiplied() -> None:
    """Acceptance check 8.24: everybody says 503, and the servers get a fifth more than was asked, not ten times."""
    seen = 0

    async def busy(peer: Peer) -> None:
        nonlocal seen
        while True:
            await peer.head()
            seen += 1
            await peer.send(b"HTTP/1.1 503 busy\r\nContent-Length: 4\r\n\r\nbusy")

    async with running(*(Upstream(busy) for _ in range(5))) as proxy:
        await _storm(proxy)
        assert 300 < seen < 300 * 1.2 + 30


async def _storm(proxy: Proxy) -> None:
    route = {"BackendId": "b", "Route": 'PathRegexp("/.*")'}
    proxy.put({"frontends/f/frontend": {**route, "Settings": {"FailoverPredicate": "ResponseCode() == 503"}}})
    client = await proxy.connect()
    for _ in range(300):
        head, body = await client.ask(GET)
        assert (status_of(head), body) == (503, b"busy")


async def test_a_predicate_sees_what_servers_answer() -> None:
    async def fail(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n")

    async with running(Upstream(fail), Upstream()) as proxy:
        route = {"BackendId": "b", "Route": 'PathRegexp("/.*")'}
        client = await proxy.connect()
        assert {status_of((await client.ask(GET))[0]) for _ in range(4)} == {200, 500}
        settings = {"FailoverPredicate": "ResponseCode() == 500 && Attempts() < 3"}
        proxy.put({"frontends/f/frontend": {**route, "Settings": settings}})
        assert {(await client.ask(GET))[1] for _ in range(6)} == {OK[-2:]}
