"""What deployers do through the store: drain, replace, discover; on Fairlead and on etcd."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.e2e.proxy.loading import FastServer, loaded
from tests.e2e.proxy.running import WITHIN_S, Echo, RunningProxy, frontend, server, upstreams
from tests.support.store import StoreServer
from tests.unit.proxy.harness import OK, Peer, Upstream

from fairlead.client import op_put

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def until(claim: Callable[[], Awaitable[bool]]) -> None:
    """Return once ``claim()`` is true."""
    async with asyncio.timeout(WITHIN_S):
        while not await claim():  # noqa: ASYNC110  only asking can tell
            await asyncio.sleep(0.02)


async def until_drained(proxy: RunningProxy, name: str, *rows: dict[str, object]) -> None:
    """Wait until the keys about a server say ``rows``."""

    async def say_so() -> bool:
        found = await proxy.client.get(f"/vulcand/status/backends/b/servers/{name}/", prefix=True)
        return [json.loads(kv.value) for kv in found.kvs] == list(rows)

    await until(say_so)


async def until_answers(proxy: RunningProxy, *wanted: bytes) -> None:
    """Wait until exactly the servers ``wanted`` answer."""

    async def only_they_do() -> bool:
        return {(await proxy.get("/"))[1] for _ in range(2 * len(wanted))} == set(wanted)

    await until(only_they_do)


async def test_a_server_drains_and_the_store_says_when_it_is_empty(proxy: RunningProxy) -> None:
    """Traefik's oldest wish (#41): say when no client is left."""
    gate, arrived = asyncio.Event(), asyncio.Event()

    async def hold(peer: Peer) -> None:
        await peer.head()
        arrived.set()
        await gate.wait()
        await peer.send(OK)

    slow, other = Upstream(hold), Echo("other")
    async with upstreams(slow, other):
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/other": server(other)})
        await until_answers(proxy, b"other")
        await proxy.put({"backends/b/servers/slow": server(slow)})
        client = await proxy.connect()
        async with asyncio.timeout(WITHIN_S):
            while not arrived.is_set():
                await client.send(GET)
                waiting = asyncio.create_task(client.response())
                arriving = asyncio.create_task(arrived.wait())
                await asyncio.wait({waiting, arriving}, return_when=asyncio.FIRST_COMPLETED)
                arriving.cancel()
        await proxy.put({"backends/b/servers/slow": {**server(slow), "State": "drain"}})
        await until_drained(proxy, "slow", {"State": "drain", "InFlight": 1})
        await until_answers(proxy, b"other")
        gate.set()
        assert (await waiting)[1] == b"ok", "what was under way is finished"
        await until_drained(proxy, "slow", {"State": "drain", "InFlight": 0})
        await proxy.put({}, delete=["backends/b/servers/slow"])
        await until_drained(proxy, "slow")
        client.close()


@pytest.mark.peer("wrk", "nginx")
async def test_all_upstreams_are_replaced_by_drain_and_no_request_fails(
    proxy: RunningProxy, tmp_path: Path
) -> None:
    """A rolling deploy at full speed: drain, wait for 0, end the old one, start its successor, next."""
    with contextlib.ExitStack() as stack:
        old = [stack.enter_context(FastServer(tmp_path / f"old{n}", f"old{n}")) for n in range(3)]
        servers = {f"backends/b/servers/s{n}": each.key for n, each in enumerate(old)}
        await proxy.put({"frontends/f/frontend": frontend("/"), **servers})
        await until_answers(proxy, b"old0", b"old1", b"old2")
        async with loaded(proxy) as load:
            for number, before in enumerate(old):
                key = f"backends/b/servers/s{number}"
                await proxy.put({key: {**before.key, "State": "drain"}})
                await until_drained(proxy, f"s{number}", {"State": "drain", "InFlight": 0})
                before.stop()
                after = stack.enter_context(FastServer(tmp_path / f"new{number}", f"new{number}"))
                await proxy.put({key: after.key})
            await until_answers(proxy, b"new0", b"new1", b"new2")
        assert load.failures == ""
        assert load.requests > 1000, "a load that deserves the name"


async def test_a_thousand_heartbeats_rebuild_nothing(proxy: RunningProxy) -> None:
    """Servers on leases that are kept alive, and written again as they are (8.10; vulcand #282)."""
    echo = Echo()
    async with upstreams(echo):
        values = {f"/vulcand/backends/b{n % 50}/servers/s{n}": json.dumps(server(echo)) for n in range(1000)}
        leases = [(await proxy.client.grant(60))[0] for _ in range(10)]

        async def beat() -> None:
            for number, lease in enumerate(leases):
                mine = list(values.items())[number * 100 : number * 100 + 100]
                await proxy.client.txn([], [op_put(key, value, lease=lease) for key, value in mine])

        await beat()
        await proxy.put({"frontends/f/frontend": frontend("/", backend="b0")})
        await proxy.until("/", 200)
        before = metric(proxy, "fairlead_proxy_switches_total")
        assert before > 1
        for _ in range(3):
            await beat()
            for lease in leases * 10:
                await proxy.client.keep_alive(lease)
        revision = await proxy.put({"frontends/g/frontend": frontend("/last", backend="b0")})
        await proxy.until("/last", 200)
        assert metric(proxy, "fairlead_agent_applied_revision") >= revision
        assert metric(proxy, "fairlead_proxy_switches_total") == before + 1, "the new route, and nothing else"


def metric(proxy: RunningProxy, name: str) -> float:
    lines = proxy.page("/metrics")[1].splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))


async def test_a_backend_that_is_a_dns_name_follows_the_records(proxy: RunningProxy) -> None:
    one, two = Echo("one"), Echo("two")
    async with upstreams(one, two):
        key = "/skydns/local/skydns/svc/web"
        await proxy.client.put(f"{key}/1", json.dumps({"host": "127.0.0.1", "port": one.port}))
        await proxy.put({"frontends/f/frontend": frontend("/", backend="dns:web.svc")})
        await until_answers(proxy, b"one")
        await proxy.client.put(f"{key}/2", json.dumps({"host": "127.0.0.1", "port": two.port}))
        await until_answers(proxy, b"one", b"two")
        await proxy.client.delete(f"{key}/1")
        await until_answers(proxy, b"two")
        proxy.program.stop()
        proxy.start()
        assert (await proxy.get("/"))[1] == b"two", "and it is there before the first client"


async def test_traefiks_keys_are_served(store: StoreServer, tmp_path: Path) -> None:
    upstream = Echo("hello")
    async with upstreams(upstream):
        proxy = RunningProxy(store, tmp_path / "proxy", flags=["--layout", "traefik"])
        proxy.start()
        try:
            keys = {
                "http/routers/r/rule": "PathPrefix(`/api`)",
                "http/routers/r/service": "s",
                "http/routers/r/middlewares/0": "strip",
                "http/middlewares/strip/stripPrefix/prefixes/0": "/api",
                "http/services/s/loadBalancer/servers/0/url": f"http://127.0.0.1:{upstream.port}",
            }
            await proxy.client.txn([], [op_put(f"traefik/{key}", value) for key, value in keys.items()])
            await proxy.until("/api/x", 200)
            assert upstream.heads[-1].startswith(b"GET /x HTTP/1.1\r\n")
            await proxy.client.delete("traefik/http/routers/r/", prefix=True)
            await proxy.until("/api/x", 404)
        finally:
            proxy.program.stop()
            await proxy.client.close()
