"""Middlewares in the running data path: keys in, bytes through, and what a change must not take away."""

import asyncio
import base64
import gzip
import importlib.metadata
import json
import socket
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from tests.unit.proxy.harness import Peer, Proxy, Upstream, fields_of, running, status_of

from fairlead.agent import Networks
from fairlead.proxy.forwarding import Forwarding
from fairlead.proxy.middleware import Answer, Call, Middleware, types
from fairlead.proxy.middleware.making import SyslogAddress, Tools
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.middleware.web import Asker
from fairlead.proxy.middleware.world import World


def middleware(kind: str, settings: object, *, priority: int = 0) -> dict[str, object]:
    return {"Type": kind, "Priority": priority, "Middleware": settings}


def put(proxy: Proxy, **middlewares: object) -> None:
    proxy.put({f"frontends/f/middlewares/{name}": value for name, value in middlewares.items()})


LIMIT = {"Requests": 10, "PeriodSeconds": 60, "Burst": 10, "Variable": "client.ip"}
BREAKER = {
    "Condition": "NetworkErrorRatio() > 0.5",
    "Fallback": {"Type": "response", "Action": {"StatusCode": 418, "Body": "later"}},
}


def answering(head: bytes, body: bytes = b"") -> Upstream:
    """An upstream that answers everything with the same."""

    async def serve(peer: Peer) -> None:
        while True:
            upstream.heads.append(await peer.head())
            await peer.send(head + body)

    upstream = Upstream(serve)
    return upstream


async def test_scaling_a_backend_under_a_limit_lets_not_one_request_more_pass() -> None:
    """Section 8, item 3, and 1.6, fault 1: vulcand's limiter begins anew with each server."""
    upstream = Upstream()
    async with running(upstream) as proxy:
        put(proxy, limit=middleware("ratelimit", LIMIT))
        statuses = []
        for number in range(50):
            proxy.put({f"backends/b/servers/x{number}": {"URL": f"http://127.0.0.1:{upstream.port}"}})
            statuses.append(status_of((await proxy.get())[0]))
            if number % 2:
                proxy.put({}, delete=(f"backends/b/servers/x{number}",))
        put(proxy, other=middleware("requestid", {}))
        put(proxy, limit=middleware("ratelimit", LIMIT, priority=3))
        proxy.serve(upstream, settings={"PassHostHeader": True})
        statuses.append(status_of((await proxy.get())[0]))
    assert statuses == [200] * 10 + [429] * 41


@pytest.mark.parametrize(
    ("strategy", "came", "passes"),
    [
        ({"Depth": 3}, "10.0.0.4,10.0.0.3, 10.0.0.2,10.0.0.1", True),
        ({"Depth": 2}, "10.0.0.4,10.0.0.3, 10.0.0.2,10.0.0.1", False),
        ({"Depth": 2}, "10.0.0.3", False),
        ({"ExcludedIPs": ["10.0.0.1", "10.0.0.2"]}, "10.0.0.4,10.0.0.3,10.0.0.2,10.0.0.1", True),
        ({"ExcludedIPs": ["10.0.0.0/24"]}, "10.0.0.3,10.0.0.2", False),
        ({"ExcludedIPs": ["10.0.0.0/24"]}, "", False),
    ],
)
async def test_an_address_may_be_taken_from_a_place_among_the_proxies(
    strategy: dict[str, object],
    came: str,
    passes: bool,  # noqa: FBT001
) -> None:
    """Traefik's ipStrategy; of strangers nothing is believed, whatever the place."""
    upstream = Upstream()
    settings = {"SourceRange": ["10.0.0.3"], **strategy}
    for trusted in ("127.0.0.0/8", "192.0.2.0/24"):
        async with running(upstream, forwarding=Forwarding(proxies=Networks([trusted]))) as proxy:
            put(proxy, gate=middleware("ipallow", settings))
            status = status_of((await proxy.get(extra=f"X-Forwarded-For: {came}\r\n"))[0])
        assert status == (200 if passes and trusted.startswith("127") else 403)


async def test_host_and_forwarding_fields_may_be_set_for_the_server() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        proxy.serve(upstream, settings={"PassHostHeader": True})
        fields = {"Host": "inner.example:81", "X-Forwarded-Proto": "https", "X-Env": "prod"}
        put(proxy, edits=middleware("headers", {"Request": {"Set": fields}}))
        await proxy.get(extra="X-Forwarded-Proto: spoofed\r\n")
        put(proxy, edits=middleware("headers", {"Scheme": "https", "Request": {"Set": fields}}))
        await proxy.get()
    first, second = map(fields_of, upstream.heads)
    assert (first["host"], first["x-forwarded-proto"]) == (["inner.example:81"], ["https"])
    assert (first["x-forwarded-host"], first["x-env"]) == (["a.example"], ["prod"])
    assert (second["host"], second["x-forwarded-proto"]) == (["a.example"], ["http"])


async def test_a_deleted_limit_is_a_new_one_when_it_comes_again() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        once = {"Requests": 1, "PeriodSeconds": 60, "Burst": 1}
        put(proxy, limit=middleware("ratelimit", once))
        statuses = [status_of((await proxy.get())[0]) for _ in range(2)]
        proxy.put({}, delete=("frontends/f/middlewares/limit",))
        statuses.append(status_of((await proxy.get())[0]))
        put(proxy, limit=middleware("ratelimit", once))
        statuses += [status_of((await proxy.get())[0]) for _ in range(2)]
    assert statuses == [200, 429, 200, 200, 429]


async def test_a_tripped_breaker_stays_so_when_a_server_is_added() -> None:
    """Section 8, item 4."""

    async def hang_up(peer: Peer) -> None:
        await peer.head()

    failing, healthy = Upstream(hang_up), Upstream()
    await healthy.start()
    async with running(failing) as proxy:
        put(proxy, breaker=middleware("cbreaker", BREAKER))
        assert status_of((await proxy.get())[0]) == 502
        assert await proxy.get() == (await proxy.get())
        proxy.put({"backends/b/servers/new": {"URL": f"http://127.0.0.1:{healthy.port}"}})
        head, body = await proxy.get()
        assert (status_of(head), body) == (418, b"later")
        put(proxy, breaker=middleware("cbreaker", BREAKER | {"CheckPeriod": 200_000_000}))
        assert status_of((await proxy.get())[0]) == 418
    await healthy.stop()
    assert healthy.heads == []


async def test_requests_pass_by_priority_and_answers_the_other_way_round() -> None:
    upstream = Upstream()
    steps = {
        "z": middleware(
            "headers", {"Request": {"Add": {"X": "z"}}, "Response": {"Add": {"X": "z"}}}, priority=1
        ),
        "a": middleware(
            "headers", {"Request": {"Add": {"X": "a"}}, "Response": {"Add": {"X": "a"}}}, priority=2
        ),
        "b": middleware(
            "headers", {"Request": {"Add": {"X": "b"}}, "Response": {"Add": {"X": "b"}}}, priority=1
        ),
    }
    async with running(upstream) as proxy:
        put(proxy, **steps)
        head, _ = await proxy.get()
        put(proxy, a=steps["a"] | {"Priority": 0})
        await proxy.get()
    assert fields_of(upstream.heads[0])["x"] == ["b", "z", "a"]
    assert fields_of(head)["x"] == ["a", "z", "b"]
    assert fields_of(upstream.heads[1])["x"] == ["a", "b", "z"]


async def test_who_answers_keeps_the_request_from_those_behind() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        put(
            proxy,
            page=middleware("errorpages", {"Pages": {"403": "no entry"}}, priority=1),
            gate=middleware("ipallow", {"SourceRange": ["10.0.0.0/8"]}, priority=2),
            limit=middleware("ratelimit", {"Requests": 1, "PeriodSeconds": 60, "Burst": 1}, priority=3),
        )
        answers = [await proxy.get() for _ in range(3)]
        proxy.put({}, delete=("frontends/f/middlewares/gate",))
        answers.append(await proxy.get())
    assert [(status_of(head), body) for head, body in answers] == [(403, b"no entry")] * 3 + [(200, b"ok")]
    assert len(upstream.heads) == 1


async def test_a_bad_value_costs_only_itself_and_the_last_good_one_stays() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        put(proxy, respond=middleware("respond", {"StatusCode": 410}), other=middleware("requestid", {}))
        assert status_of((await proxy.get())[0]) == 410
        put(proxy, respond=middleware("respond", {"StatusCode": 9999}))
        assert status_of((await proxy.get())[0]) == 410
        problem = proxy.board.problems[b"/vulcand/frontends/f/middlewares/respond"]
        assert "StatusCode" in problem
        assert "the last good value stays in force" in problem
        put(proxy, respond=middleware("respond", {"StatusCode": 411}))
        assert status_of((await proxy.get())[0]) == 411
        assert proxy.board.problems == {}
        put(proxy, nonsense="{")
        assert list(proxy.board.problems) == [b"/vulcand/frontends/f/middlewares/nonsense"]
        assert status_of((await proxy.get())[0]) == 411


@pytest.mark.parametrize("kind", ["basicauth", "forwardauth", "ipallow"])
async def test_a_guard_that_cannot_be_read_lets_nobody_in(kind: str) -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        put(proxy, guard=middleware(kind, {"SourceRange": ["nonsense"]}))
        assert status_of((await proxy.get())[0]) == 503
        assert "answers 503" in proxy.board.problems[b"/vulcand/frontends/f/middlewares/guard"]
        put(proxy, guard=middleware(kind, {"SourceRange": ["more nonsense"]}))
        assert "answers 503" in proxy.board.problems[b"/vulcand/frontends/f/middlewares/guard"]
        put(proxy, guard=middleware("ipallow", {"SourceRange": ["127.0.0.1"]}))
        assert status_of((await proxy.get())[0]) == 200
        put(proxy, guard=middleware(kind, {"SourceRange": ["nonsense"]}))
        assert "last good" in proxy.board.problems[b"/vulcand/frontends/f/middlewares/guard"]
        assert status_of((await proxy.get())[0]) == 200
        proxy.put({}, delete=("frontends/f/middlewares/guard",))
        assert proxy.board.problems == {}
    assert len(upstream.heads) == 2


async def test_a_password_is_checked_beside_the_loop() -> None:
    upstream = Upstream()
    hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    right = base64.b64encode(b"alice:sesame").decode()
    async with running(upstream) as proxy:
        put(proxy, gate=middleware("basicauth", {"Users": [f"alice:{hashed}"]}))
        client = await proxy.connect()
        statuses = []
        for login in ("x", right, right):
            head, _ = await client.ask(
                f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {login}\r\n\r\n".encode()
            )
            statuses.append(status_of(head))
    assert statuses == [401, 200, 200]
    assert all("authorization" not in fields_of(head) for head in upstream.heads)


async def test_a_client_that_leaves_while_the_gate_is_asked_costs_nothing() -> None:
    upstream, gate = Upstream(), asyncio.Event()

    async def decide(peer: Peer) -> None:
        await peer.head()
        await gate.wait()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    auth = Upstream(decide)
    await auth.start()
    async with running(upstream) as proxy:
        put(proxy, gate=middleware("forwardauth", {"Address": f"http://127.0.0.1:{auth.port}/"}))
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(10):
            while not auth.connections:  # noqa: ASYNC110  only a counter tells
                await asyncio.sleep(0.005)
        client.close()
        gate.set()
        other = await proxy.get()
        assert status_of(other[0]) == 200
    await auth.stop()
    assert len(upstream.heads) == 1


async def test_a_body_waits_until_the_gate_has_spoken() -> None:
    bodies = []

    async def take(peer: Peer) -> None:
        await peer.head()
        bodies.append(await peer.exactly(5))
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    upstream, auth = (
        Upstream(take),
        answering(b"HTTP/1.1 200 OK\r\nX-User: alice\r\nContent-Length: 0\r\n\r\n"),
    )
    await auth.start()
    async with running(upstream) as proxy:
        put(
            proxy,
            gate=middleware(
                "forwardauth",
                {"Address": f"http://127.0.0.1:{auth.port}/x", "AuthResponseHeaders": ["X-User"]},
            ),
        )
        client = await proxy.connect()
        head, _ = await client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        assert status_of(head) == 200
    await auth.stop()
    assert bodies == [b"hello"]
    assert auth.heads[0].startswith(b"GET /x HTTP/1.1\r\n")
    assert b"Content-Length" not in auth.heads[0]


async def test_a_compressed_answer_is_whole_whatever_its_framing() -> None:
    body = b"all the same " * 1000
    chunks = (
        b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:77], body[77:])) + b"0\r\n\r\n"
    )
    for head, sent in (
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body), body),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n", chunks),
    ):
        upstream = answering(head, sent)
        async with running(upstream) as proxy:
            put(proxy, gzip=middleware("compress", {}))
            client = await proxy.connect()
            await client.send(
                b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
            )
            got, _, rest = (await client.rest()).partition(b"\r\n\r\n")
        fields = fields_of(got + b"\r\n\r\n")
        assert fields["content-encoding"] == ["gzip"]
        plain = rest
        if "transfer-encoding" in fields:
            plain = b""
            while rest:
                size, _, rest = rest.partition(b"\r\n")
                plain, rest = plain + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        else:
            assert fields["content-length"] == [str(len(rest))]
        assert gzip.decompress(plain) == body


async def test_an_error_page_replaces_what_nobody_could_answer() -> None:
    async with running() as proxy:
        put(proxy, page=middleware("errorpages", {"Pages": {"500-599": "<h1>{status}</h1>"}}))
        head, body = await proxy.get()
        assert (status_of(head), body) == (503, b"<h1>503</h1>")
        assert fields_of(head)["content-type"] == ["text/html; charset=utf-8"]
        assert fields_of(head)["retry-after"] == ["1"]
        client = await proxy.connect()
        await client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await client.rest()).endswith(b"\r\n\r\n")


async def test_a_buffered_request_reaches_the_server_in_one_piece() -> None:
    seen = asyncio.Event()

    async def take(peer: Peer) -> None:
        await peer.head()
        seen.set()
        await peer.until(b"0\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    upstream = Upstream(take)
    async with running(upstream) as proxy:
        put(proxy, buffer=middleware("buffer", {"MaxBodyBytes": 10}))
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        assert not seen.is_set()
        head, _ = await client.ask(b"0\r\n\r\n")
        assert status_of(head) == 200
        client = await proxy.connect()
        head, _ = await client.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n"
        )
        assert status_of(head) == 413


async def test_a_body_in_chunks_is_as_limited_as_one_that_says_its_length() -> None:
    async def take(peer: Peer) -> None:
        await peer.head()
        await peer.until(b"0\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with running(Upstream(take)) as proxy:
        put(proxy, limit=middleware("bodylimit", {"MaxBodyBytes": 10}))
        for body, status in ((b"a\r\n0123456789\r\n0\r\n\r\n", 200), (b"b\r\n0123456789a\r\n0\r\n\r\n", 413)):
            client = await proxy.connect()
            head, _ = await client.ask(
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
            )
            assert status_of(head) == status


async def test_connections_under_way_are_counted_until_their_end() -> None:
    gate = asyncio.Event()

    async def wait(peer: Peer) -> None:
        while True:
            await peer.head()
            await gate.wait()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    upstream = Upstream(wait)
    async with running(upstream) as proxy:
        put(proxy, limit=middleware("connlimit", {"Connections": 2}))
        clients = [await proxy.connect() for _ in range(2)]
        for client in clients:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(10):
            while upstream.connections < 2:  # noqa: ASYNC110  only a counter tells
                await asyncio.sleep(0.005)
        assert status_of((await proxy.get())[0]) == 429
        put(proxy, limit=middleware("connlimit", {"Connections": 1}))
        clients[0].close()
        gate.set()
        assert status_of((await clients[1].response())[0]) == 200
        async with asyncio.timeout(10):
            while status_of((await proxy.get())[0]) != 200:  # noqa: ASYNC110  only asking can tell
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("named", ["X-Request-Id", "X-User", "X-Forwarded-For", "Host", "Cookie"])
async def test_connection_takes_nothing_off_that_a_middleware_has_put_there(named: str) -> None:
    """Section 8, item 17: a client cannot have our fields dropped as hop-by-hop."""
    upstream = Upstream()
    async with running(upstream) as proxy:
        put(
            proxy,
            id=middleware("requestid", {}),
            headers=middleware("headers", {"Request": {"Set": {"X-User": "alice", "Cookie": "ours"}}}),
        )
        head, _ = await proxy.get(extra=f"Connection: close, {named}\r\nX-User: root\r\n")
        assert status_of(head) == 200
    fields = fields_of(upstream.heads[0])
    assert named.lower() in fields
    assert (fields["x-user"], fields["cookie"]) == (["alice"], ["ours"])


async def test_what_a_client_writes_into_forwarding_fields_moves_no_limit_and_no_gate() -> None:
    """Section 8, item 17."""
    upstream = Upstream()
    async with running(upstream) as proxy:
        put(proxy, limit=middleware("ratelimit", {"Requests": 1, "PeriodSeconds": 60, "Burst": 1}))
        statuses = [
            status_of((await proxy.get(extra=f"X-Forwarded-For: 10.0.0.{n}\r\nX-Real-IP: 10.0.0.{n}\r\n"))[0])
            for n in range(3)
        ]
    assert statuses == [200, 429, 429]


async def test_a_third_party_adds_a_type_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = importlib.metadata.EntryPoint("greet", f"{__name__}:make_greeting", types.GROUP)
    broken = importlib.metadata.EntryPoint("broken", "no_such_module:make", types.GROUP)
    monkeypatch.setattr(types, "_installed", lambda: {"greet": entry, "broken": broken})
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", _load)
    upstream = Upstream()
    async with running(upstream) as proxy:
        put(proxy, greet=middleware("greet", {"Text": "hi"}), broken=middleware("broken", {}))
        assert (await proxy.get())[1] == b"hi"
        assert "no_such_module" in proxy.board.problems[b"/vulcand/frontends/f/middlewares/broken"]
        put(proxy, greet=middleware("greet", {}))
        assert "KeyError" in proxy.board.problems[b"/vulcand/frontends/f/middlewares/greet"]
        assert (await proxy.get())[1] == b"hi"


def _load(entry: importlib.metadata.EntryPoint) -> Any:
    if entry.name == "broken":
        raise ModuleNotFoundError("No module named 'no_such_module'")
    return make_greeting


class Greeting(Middleware):
    """Somebody else's."""

    def __init__(self, text: str) -> None:
        self._text = text

    def on_request(self, call: Call) -> Answer:
        return Answer(200, self._text.encode(), flag="HI")


def make_greeting(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Greeting:
    return Greeting(spec.values["Text"])


async def test_asking_keeps_a_connection_and_begins_anew_when_it_is_gone() -> None:
    upstream = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n0\r\n\r\n")
    await upstream.start()
    asker = Asker()
    url = f"http://127.0.0.1:{upstream.port}/a?b"
    for _ in range(3):
        assert await asker.ask("GET", url, fields=[(b"X", b"y")], timeout_s=5) == (200, [], b"ok")
    assert upstream.connections == 1
    for peer in upstream._peers:
        peer.close()
    assert (await asker.ask("GET", url, fields=[], timeout_s=5))[2] == b"ok"
    assert upstream.heads[0].startswith(
        f"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:{upstream.port}\r\nX: y".encode()
    )
    asker.close()
    await upstream.stop()


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (2 * 1024 * 1024),
    ],
    ids=["no HTTP", "cut short", "bad chunks", "nothing", "endless"],
)
async def test_what_is_no_answer_is_an_error_of_the_network(answer: bytes) -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)

    upstream = Upstream(serve)
    await upstream.start()
    asker = Asker()
    with pytest.raises(OSError, match=r"."):
        await asker.ask("GET", f"http://127.0.0.1:{upstream.port}/", fields=[], timeout_s=5)
    asker.close()
    await upstream.stop()


async def test_lines_reach_a_syslog(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(path))
        log.settimeout(5)
        world = World()
        world.tools.syslog(SyslogAddress("", 0, str(path), 22, "@json:"), json.dumps({"a": 1}))
        line = log.recv(1000).decode()
        assert line.startswith("<22>")
        assert line.split("]: ")[1] == '{"a": 1}\n'
        world.tools.syslog(SyslogAddress("", 0, str(tmp_path / "nowhere"), 22, "t"), "lost, and nobody minds")
        await world.close()


async def test_work_beside_the_requests_is_bounded_and_what_fails_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()

    async def fail() -> None:
        raise ConnectionRefusedError("refused")

    for _ in range(70):
        world.spawn(fail())
    await asyncio.sleep(0)
    await world.close()
    assert "one is dropped" in caplog.text
    assert "could not be called: refused" in caplog.text
