"""What the data path offers to middlewares, balancers and retry policies: each hook, called when it says."""

import asyncio
import dataclasses

from tests.unit.proxy.harness import OK, Peer, Proxy, Upstream, eventually, fields_of, running, status_of

from fairlead.proxy.balance import LOST, REFUSED, Attempt, Failure, Queue, RoundRobin, Turn, Waiter
from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware import Answer, BodyFilter, Call, Chain, Middleware
from fairlead.proxy.plan import Plan
from fairlead.proxy.record import Record
from fairlead.proxy.response import Response
from fairlead.proxy.state import ServerState

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"


def put_chain(proxy: Proxy, *middlewares: Middleware) -> None:
    _change_target(proxy, chain=Chain(middlewares))


def _change_target(proxy: Proxy, **changes: object) -> None:
    snapshot = proxy.service.snapshot
    targets = {name: dataclasses.replace(each, **changes) for name, each in snapshot.targets.items()}  # type: ignore[arg-type]
    proxy.service.snapshot = dataclasses.replace(snapshot, targets=targets)


class Tag(Middleware):
    """Writes its name wherever it is called."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name = name
        self.calls = calls

    def on_request(self, call: Call) -> None:
        self.calls.append(f"{self.name} request")
        call.edit().fields.append((b"X-Tag", self.name.encode()))

    def on_response(self, call: Call, response: Response) -> None:
        self.calls.append(f"{self.name} response")
        response.fields.append((b"X-Tag", self.name.encode()))

    def on_end(self, call: Call, record: Record) -> None:
        self.calls.append(f"{self.name} end {record.status}")


class Stop(Middleware):
    def __init__(self, fields: Fields | None = None) -> None:
        self.fields = fields

    def on_request(self, call: Call) -> Answer:
        return Answer(429, b"slow down", fields=self.fields, flag="RL")


async def test_heads_pass_the_chain_in_order_and_answers_pass_it_backwards() -> None:
    upstream, calls = Upstream(), list[str]()
    async with running(upstream) as proxy:
        put_chain(proxy, Tag("one", calls), Tag("two", calls))
        client = await proxy.connect()
        for _ in range(2):
            head, body = await client.ask(GET)
            assert body == b"ok"
            assert fields_of(head)["x-tag"] == ["two", "one"]
    assert [fields_of(head)["x-tag"] for head in upstream.heads] == [["one", "two"]] * 2
    once = ["one request", "two request", "two response", "one response", "one end 200", "two end 200"]
    assert calls == once * 2


async def test_an_answer_of_a_middleware_passes_only_those_before_it() -> None:
    upstream, calls = Upstream(), list[str]()
    async with running(upstream) as proxy:
        put_chain(proxy, Tag("one", calls), Stop([(b"X-Retry-In", b"1s")]), Tag("two", calls))
        head, body = await proxy.get()
        assert (status_of(head), body, fields_of(head)["x-retry-in"]) == (429, b"slow down", ["1s"])
    assert calls == ["one request", "one response", "one end 429"]
    assert upstream.heads == []


async def test_a_middleware_may_wait_and_the_body_waits_with_it() -> None:
    asked, decided, bodies = asyncio.Event(), asyncio.Event(), list[bytes]()

    class Asks(Middleware):
        async def on_request(self, call: Call) -> Answer | None:
            asked.set()
            await decided.wait()
            return None

    async def serve(peer: Peer) -> None:
        await peer.head()
        bodies.append(await peer.exactly(4))
        await peer.send(OK)

    async with running(Upstream(serve)) as proxy:
        put_chain(proxy, Asks())
        client = await proxy.connect()
        await client.send(POST[:-2])
        await asked.wait()
        await client.send(POST[-2:])
        assert bodies == []
        decided.set()
        assert (await client.response())[1] == b"ok"
    assert bodies == [b"body"]


async def test_a_client_that_leaves_ends_the_waiting() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    class Asks(Middleware):
        async def on_request(self, call: Call) -> Answer | None:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return None

    async with running(Upstream()) as proxy:
        put_chain(proxy, Asks())
        client = await proxy.connect()
        await client.send(GET)
        await asked.wait()
        client.close()
        await asyncio.wait_for(ended.wait(), 5)


class Louder:
    """Capitals, and a word at the end."""

    def feed(self, piece: bytes) -> bytes:
        return piece.upper()

    def end(self) -> bytes:
        return b"!"


class Shout(Middleware):
    """Both bodies."""

    def request_filter(self, call: Call) -> BodyFilter:
        return Louder()

    def response_filter(self, call: Call, response: Response) -> BodyFilter:
        return Louder()


async def test_filters_change_bodies_and_the_framing_follows() -> None:
    received: list[bytes] = []

    async def serve(peer: Peer) -> None:
        while True:
            received.extend([await peer.head(), await peer.until(b"0\r\n\r\n")])
            await peer.send(OK)

    async with running(Upstream(serve)) as proxy:
        put_chain(proxy, Shout())
        client = await proxy.connect()
        await client.send(POST)
        head, body = await client.response()
        assert (fields_of(head)["content-length"], body) == (["3"], b"OK!")
        assert "transfer-encoding" not in fields_of(head)
    assert fields_of(received[0])["transfer-encoding"] == ["chunked"]
    assert received[1] == b"4\r\nBODY\r\n1\r\n!\r\n0\r\n\r\n"


async def test_a_filtered_answer_that_comes_in_pieces_is_chunked() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        await peer.head()
        await peer.send(b"")

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        put_chain(proxy, Shout())
        client = await proxy.connect()
        await client.send(GET)
        head = await client.head()
        assert fields_of(head)["transfer-encoding"] == ["chunked"]
        assert await client.until(b"AB\r\n") == b"2\r\nAB\r\n"


async def test_a_body_that_is_wanted_whole_is_whole_before_a_server_is_asked() -> None:
    class Whole(Middleware):
        body_first_bytes_max = 8

    upstream = Upstream()
    async with running(upstream) as proxy:
        put_chain(proxy, Whole())
        client = await proxy.connect()
        await client.send(POST[:-1])
        await asyncio.sleep(0)
        assert proxy.service.stats.connects == 0
        await client.send(POST[-1:])
        assert (await client.response())[1] == b"ok"
        head, _ = await client.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789"
        )
        assert status_of(head) == 413
    assert len(upstream.heads) == 1


async def test_a_middleware_that_fails_is_a_500_and_costs_nobody_else() -> None:
    class Broken(Middleware):
        def on_request(self, call: Call) -> None:
            raise KeyError("no such thing")

    async with running(Upstream()) as proxy:
        put_chain(proxy, Broken())
        client = await proxy.connect()
        assert status_of((await client.ask(GET))[0]) == 500
        _change_target(proxy, chain=None)
        assert (await client.ask(GET))[1] == b"ok"


class Crowded:
    """A balancer, and the queue in which it lets one wait before it chooses; notes what it is told."""

    marks = False

    def __init__(self, servers: tuple[ServerState, ...]) -> None:
        self.fair = RoundRobin(servers, Turn())
        self.waiting: list[Waiter] = []
        self.told: list[tuple[int, Failure | None]] = []
        self.is_full = True

    def choose(self, plan: Plan, tried: tuple[ServerState, ...], now_s: float) -> ServerState | Queue | None:
        return self if self.is_full else self.fair.choose(plan, tried, now_s)

    def is_fit(self, now_s: float) -> bool:
        return self.fair.is_fit(now_s)

    def lines_for(self, plan: Plan, server: ServerState) -> bytes:
        return b""

    def ended(
        self, server: ServerState, *, status: int, failure: Failure | None, head_us: int, now_s: float
    ) -> None:
        self.told.append((status, failure))

    def join(self, waiter: Waiter) -> None:
        self.waiting.append(waiter)

    def leave(self, waiter: Waiter) -> None:
        self.waiting.remove(waiter)


def put_balancer(proxy: Proxy) -> Crowded:
    snapshot = proxy.service.snapshot
    group = snapshot.groups["b"]
    crowded = Crowded(group.servers)
    groups = {"b": dataclasses.replace(group, balancer=crowded)}
    proxy.service.snapshot = dataclasses.replace(snapshot, groups=groups)
    return crowded


async def test_a_request_waits_in_the_queue_for_its_turn() -> None:
    async with running(Upstream()) as proxy:
        crowded = put_balancer(proxy)
        client, gone, late = [await proxy.connect() for _ in range(3)]
        await client.send(GET)
        await eventually(lambda: len(crowded.waiting) == 1)
        await gone.send(GET)
        await eventually(lambda: len(crowded.waiting) == 2)
        await late.send(GET)
        await eventually(lambda: len(crowded.waiting) == 3)
        gone.close()
        await eventually(lambda: len(crowded.waiting) == 2)
        crowded.is_full = False
        crowded.waiting.pop(0).on_turn()
        assert (await client.response())[1] == b"ok"
        crowded.waiting.pop(0).on_turned_away()
        assert status_of((await late.response())[0]) == 503
    assert crowded.told == [(200, None)]


class Twice:
    """Another server after any failure, and after 500."""

    sees_answers = True

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    def delay_s(self, plan: Plan, attempt: Attempt, now_s: float) -> float | None:
        if attempt.failure is None and attempt.status != 500:
            return None
        self.attempts.append(attempt)
        return 0.0 if attempt.attempts < 3 else None


async def test_the_policy_sends_a_failed_request_to_another_server() -> None:
    async def fail(peer: Peer) -> None:
        await peer.head()
        await peer.exactly(4)
        await peer.send(OK.replace(b"200 OK", b"500 Oh"))

    async def drop(peer: Peer) -> None:
        await peer.head()
        await peer.exactly(4)

    async def serve(peer: Peer) -> None:
        await peer.head()
        assert await peer.exactly(4) == b"body"
        await peer.send(OK)

    async with running(Upstream(drop), Upstream(serve), Upstream(fail)) as proxy:
        policy, balancer = Twice(), put_balancer(proxy)
        balancer.is_full = False
        _change_target(proxy, retry=policy)
        balancer.fair._turn.position = 1
        client = await proxy.connect()
        assert (await client.ask(POST))[1] == b"ok"
        assert [(each.failure, each.status, each.attempts) for each in policy.attempts] == [
            (None, 500, 1),
            (LOST, 502, 2),
        ]
        assert all(each.is_repeatable and each.may_have_acted for each in policy.attempts)
        assert balancer.told == [(500, None), (0, LOST), (200, None)]


async def test_without_another_attempt_the_failure_is_answered() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        await upstream.stop()
        policy = Twice()
        _change_target(proxy, retry=policy)
        assert status_of((await proxy.get())[0]) == 502
        assert [each.failure for each in policy.attempts] == [REFUSED] * 3
        assert not any(each.may_have_acted for each in policy.attempts)


async def test_every_request_leaves_one_record_with_the_reason() -> None:
    records: list[tuple[int, str, str, int, int]] = []

    def observe(record: Record) -> None:
        sizes = (record.received_bytes, record.sent_bytes)
        records.append((record.status, record.flag, record.server_id, *sizes))

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.exactly(4)
        await peer.send(OK)
        await peer.head()
        await peer.rest()

    async with running(Upstream(serve)) as proxy:
        proxy.service.observers = (observe,)
        client = await proxy.connect()
        await client.ask(POST)
        await client.send(GET)
        client.close()
        await eventually(lambda: len(records) == 2)
        client = await proxy.connect()
        await client.ask(b"GET / HTTP/1.1\r\n\r\n")
        proxy.put({}, delete=("frontends/f/frontend",))
        await proxy.get()
    assert records == [
        (200, "", "s0", 4, 2),
        (499, "DC", "s0", 0, 0),
        (400, "DPE", "", 0, 0),
        (404, "NR", "", 0, 21),
    ]
