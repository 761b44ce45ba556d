"""Balancing on the data path: what keys say about servers, seen by clients and servers."""

import asyncio
import functools
from collections import Counter
from collections.abc import Sequence

from tests.unit.proxy.harness import OK, Peer, Proxy, Upstream, eventually, fields_of, running, status_of

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Named(Upstream):
    """Answers with its name."""

    def __init__(self, name: str) -> None:
        super().__init__(self._serve)
        self.name = name.encode()

    async def _serve(self, peer: Peer) -> None:
        while True:
            self.heads.append(await peer.head())
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(self.name), self.name))


def put_backend(proxy: Proxy, **fields: object) -> None:
    proxy.put({"backends/b/backend": {"Type": "http", **fields}})


def put_server(proxy: Proxy, upstreams: Sequence[Upstream], number: int, **fields: object) -> None:
    url = f"http://127.0.0.1:{upstreams[number].port}"
    proxy.put({f"backends/b/servers/s{number}": {"URL": url, **fields}})


async def answers(proxy: Proxy, count: int) -> Counter[bytes]:
    client = await proxy.connect()
    return Counter([(await client.ask(GET))[1] for _ in range(count)])


async def test_weight_and_state_of_a_server_count_from_the_next_request_on() -> None:
    servers = [Named("a"), Named("b")]
    async with running(*servers) as proxy:
        assert await answers(proxy, 8) == {b"a": 4, b"b": 4}
        put_server(proxy, servers, 0, Weight=3)
        assert await answers(proxy, 8) == {b"a": 6, b"b": 2}
        put_server(proxy, servers, 0, State="drain")
        assert await answers(proxy, 8) == {b"b": 8}
        put_server(proxy, servers, 1, State="maintenance")
        head, _ = await (await proxy.connect()).ask(GET)
        assert status_of(head) == 503
        put_server(proxy, servers, 0)
        assert await answers(proxy, 8) == {b"a": 8}


async def test_a_sticky_client_stays() -> None:
    servers = [Named("a"), Named("b"), Named("c")]
    async with running(*servers) as proxy:
        put_backend(proxy, Sticky={"Cookie": "sid"})
        client = await proxy.connect()
        head, first = await client.ask(GET)
        (line,) = fields_of(head)["set-cookie"]
        cookie = line.split(";")[0].encode()
        asked = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: %b\r\n\r\n" % cookie
        for _ in range(5):
            head, body = await client.ask(asked)
            assert (body, "set-cookie" in fields_of(head)) == (first, False)
        lost = next(number for number, each in enumerate(servers) if each.name == first)
        proxy.put({}, delete=(f"backends/b/servers/s{lost}",))
        head, body = await client.ask(asked)
        assert body != first
        assert fields_of(head)["set-cookie"] != [line]


class Held(Upstream):
    """Answers when it is told to; counts how many ask at a time."""

    def __init__(self) -> None:
        super().__init__(self._serve)
        self.gate = asyncio.Semaphore(0)
        self.now = self.most = 0

    async def _serve(self, peer: Peer) -> None:
        while True:
            self.heads.append(await peer.head())
            self.now += 1
            self.most = max(self.most, self.now)
            await self.gate.acquire()
            self.now -= 1
            await peer.send(OK)


async def test_requests_wait_for_a_place_and_never_more_than_allowed_are_under_way() -> None:
    server = Held()
    async with running(server) as proxy:
        put_backend(proxy, MaxConns=2, Queue={"Size": 3, "Timeout": "30s"})
        clients = [await proxy.connect() for _ in range(6)]
        for count, client in enumerate(clients[:5], 1):
            await client.send(GET)
            await eventually(functools.partial(server_and_queue_have, proxy, server, count))
        head, _ = await clients[5].ask(GET)
        assert (status_of(head), fields_of(head)["retry-after"]) == (503, ["1"])
        for client in clients[:5]:
            server.gate.release()
            assert (await client.response())[1] == b"ok"
        assert (server.most, server.connections) == (2, 2)


async def test_who_waits_too_long_is_turned_away_and_who_leaves_is_forgotten() -> None:
    server = Held()
    async with running(server) as proxy:
        put_backend(proxy, MaxConns=1, Queue={"Size": 3, "Timeout": "300ms"})
        held, late, gone = [await proxy.connect() for _ in range(3)]
        await held.send(GET)
        await eventually(lambda: server.now == 1)
        await gone.send(GET)
        await late.send(GET)
        await eventually(lambda: waiting(proxy) == 2)
        gone.close()
        assert status_of((await late.response())[0]) == 503
        assert waiting(proxy) == 0
        server.gate.release()
        assert (await held.response())[1] == b"ok"


async def test_a_place_that_a_change_makes_is_taken_by_who_waits() -> None:
    full, spare = Held(), Named("spare")
    async with running(full) as proxy:
        put_backend(proxy, MaxConns=1, Queue={"Size": 3, "Timeout": "30s"})
        held, waiter = await proxy.connect(), await proxy.connect()
        await held.send(GET)
        await eventually(lambda: full.now == 1)
        await waiter.send(GET)
        await eventually(lambda: waiting(proxy) == 1)
        await spare.start()
        put_server(proxy, [full, spare], 1)
        assert (await waiter.response())[1] == b"spare"
        await spare.stop()


async def test_a_server_that_fails_is_put_out_and_its_neighbour_serves() -> None:
    async def fail(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n")

    async with running(Upstream(fail), Named("good")) as proxy:
        put_backend(proxy, Outlier={"Consecutive5xx": 2, "EjectTime": "60s"})
        client = await proxy.connect()
        statuses = [status_of((await client.ask(GET))[0]) for _ in range(12)]
        assert statuses.count(500) == 2
        assert statuses[-8:] == [200] * 8


def server_and_queue_have(proxy: Proxy, server: Held, count: int) -> bool:
    return server.now + waiting(proxy) == count


def waiting(proxy: Proxy) -> int:
    return len(proxy.routes._registry._memories["b"].queue)
