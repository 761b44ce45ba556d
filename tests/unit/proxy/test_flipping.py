"""Every settings field is flipped live, and the next request of the same connection shows it (8.2; 1.6, fault 2)."""

import asyncio
from typing import Any

import pytest
from tests.unit.proxy.harness import OK, Peer, Proxy, Upstream, fields_of, running, status_of
from tests.unit.proxy.test_balancing import Named
from tests.unit.proxy.test_routes import Configured, frontend, server

from fairlead.proxy.keys import Kind

GET = b"GET / HTTP/1.1\r\nHost: asked\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n"
ROUTE = {"Type": "http", "BackendId": "b", "Route": 'PathRegexp("/.*")'}


def seen(server: Upstream) -> dict[str, list[str]]:
    return fields_of(server.heads[-1])


async def flipped(proxy: Proxy, client: Peer, upstream: Upstream, **settings: Any) -> dict[str, list[str]]:
    proxy.put({"frontends/f/frontend": {**ROUTE, "Settings": settings}})
    await client.ask(GET)
    return seen(upstream)


async def test_settings_of_a_frontend() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        client = await proxy.connect()
        address = f"127.0.0.1:{upstream.port}"
        for passes, host in ((True, "asked"), (False, address), (True, "asked")):
            assert (await flipped(proxy, client, upstream, PassHostHeader=passes))["host"] == [host]
        for trusts, chain in (
            (True, "9.9.9.9, 127.0.0.1"),
            (False, "127.0.0.1"),
            (True, "9.9.9.9, 127.0.0.1"),
        ):
            found = await flipped(proxy, client, upstream, TrustForwardHeader=trusts)
            assert found["x-forwarded-for"] == [chain]
        for name in ("one", "two", ""):
            found = await flipped(proxy, client, upstream, Hostname=name)
            assert found.get("x-forwarded-server", [""]) == [name]


async def test_the_limit_of_a_body() -> None:
    async def read(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.exactly(9)
            await peer.send(OK)

    async with running(Upstream(read)) as proxy:
        for limit, status in ((9, 200), (8, 413), (0, 200), (8, 413)):
            proxy.put({"frontends/f/frontend": {**ROUTE, "Settings": {"Limits": {"MaxBodyBytes": limit}}}})
            client = await proxy.connect()
            head, _ = await client.ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789")
            assert status_of(head) == status


async def test_error_pages_of_a_frontend() -> None:
    async def lose(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(b"HTTP/1.1 404 no\r\nContent-Length: 4\r\n\r\ngone")

    async with running(Upstream(lose)) as proxy:
        client = await proxy.connect()
        for pages, body in (
            ({}, b"gone"),
            ({"404": "lost"}, b"lost"),
            ({"400-499": "oh"}, b"oh"),
            ({}, b"gone"),
        ):
            proxy.put({"frontends/f/frontend": {**ROUTE, "ErrorPages": pages}})
            assert (await client.ask(GET))[1] == body
        proxy.put({"frontends/f/frontend": {**ROUTE, "ErrorPages": {"4xx": "oh"}}})
        assert "Pages must have names" in proxy.board.problems[b"/vulcand/frontends/f/frontend"]


async def test_route_priority_backend_and_entry_points() -> None:
    one, two = Named("one"), Named("two")
    async with running(one) as proxy:
        await two.start()
        proxy.put(
            {
                "backends/c/servers/s": {"URL": f"http://127.0.0.1:{two.port}"},
                "frontends/g/frontend": {"BackendId": "c", "Route": 'PathRegexp("/")'},
            }
        )
        client = await proxy.connect()

        async def answered(**fields: object) -> bytes:
            proxy.put({"frontends/g/frontend": {"BackendId": "c", "Route": 'PathRegexp("/")', **fields}})
            return (await client.ask(GET))[1]

        assert await answered() == b"one", "its text sorts before"
        assert await answered(Priority=1) == b"two"
        assert await answered(Priority=1, BackendId="b") == b"one"
        assert await answered(Priority=1, Entrypoints=["internal"]) == b"one"
        assert await answered(Priority=1, Entrypoints=["internal", "web"]) == b"two"
        assert await answered(Priority=1, Route='Path("/other")') == b"one"
        await two.stop()


async def test_times_of_a_backend_and_of_a_frontend() -> None:
    async def hang(peer: Peer) -> None:
        while True:
            await peer.head()
            await asyncio.Event().wait()

    async with running(Upstream(hang)) as proxy:
        for backend, front in (
            ({"Settings": {"Timeouts": {"Read": "100ms"}}}, {}),
            ({}, {"Timeouts": {"Read": "100ms"}}),
            ({}, {"Timeouts": {"Total": "100ms"}}),
            ({}, {"Retry": {"PerTryTimeout": "100ms"}}),
        ):
            proxy.put({"backends/b/backend": backend, "frontends/f/frontend": {**ROUTE, **front}})
            client = await proxy.connect()
            assert status_of((await client.ask(GET))[0]) == 504


def test_what_is_kept_of_a_server_follows_its_backend() -> None:
    config = Configured()
    config.put({"/vulcand/backends/b/servers/s": server(1)})
    state = config.now.groups["b"].servers[0]
    timeouts = {"Dial": "1s", "Read": "2s", "TLSHandshake": "3s"}
    settings = {"Timeouts": timeouts, "KeepAlive": {"Period": "4s", "MaxIdleConnsPerHost": 5}}
    config.put({"/vulcand/backends/b/backend": {"Settings": settings}})
    group = config.now.groups["b"]
    assert group.servers == (state,)
    assert (group.dial_s, group.read_s) == (1.0, 2.0)
    assert (state.handshake_s, state.keep_alive_s, state.pool.idle_max) == (3.0, 4.0, 5)
    config.put(
        {"/vulcand/backends/b/backend": {"Settings": {**settings, "TLS": {"InsecureSkipVerify": True}}}}
    )
    assert state.pool.is_retired, "connections that were trusted for other reasons are not used again"
    assert config.now.groups["b"].servers[0].tls is not None


KEYS = {
    Kind.FRONTEND: ("frontends/f/frontend", frontend("/")),
    Kind.BACKEND: ("backends/b/backend", {"Balance": "p2c"}),
    Kind.SERVER: ("backends/b/servers/s", server(1)),
    Kind.MIDDLEWARE: ("frontends/f/middlewares/m", {"Type": "compress", "Middleware": {}}),
    Kind.HOST: ("hosts/a.example/host", {"Settings": {"Default": True}}),
    Kind.LISTENER: ("listeners/l", {"Address": {"Address": "127.0.0.1:1"}}),
}


@pytest.mark.parametrize(
    "nonsense", ["{", "[]", "null", "1", '"', "{}x", "[" * 5000, '{"Settings":1,"Type":2}']
)
@pytest.mark.parametrize("kind", list(KEYS))
def test_nonsense_costs_only_its_own_object_of_whatever_kind(kind: Kind, nonsense: str) -> None:
    """Acceptance check 8.9."""
    config = Configured()
    config.put({f"/vulcand/{key}": value for key, value in KEYS.values()})
    assert config.board.problems == {}

    def in_force() -> tuple[object, ...]:
        catalog = config.routes.catalog
        return (
            dict(catalog.frontends), dict(catalog.backends), dict(catalog.servers), dict(catalog.middlewares),
            dict(catalog.hosts), dict(catalog.listeners),
        )  # fmt: skip

    before = in_force()
    key = f"/vulcand/{KEYS[kind][0]}"
    config.put({key: nonsense})
    assert in_force() == before
    assert list(config.board.problems) == [key.encode()]
    config.put({key: KEYS[kind][1]})
    assert config.board.problems == {}
    config.put({f"/vulcand/{each}": nonsense for each, _ in KEYS.values()})
    assert in_force() == before
    assert len(config.board.problems) == len(KEYS)
