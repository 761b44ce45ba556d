"""Middlewares of the running agent, on each kind of store."""

import asyncio
from pathlib import Path

from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, upstreams
from tests.support.store import StoreServer
from tests.unit.proxy.harness import status_of


async def test_two_proxies_keep_one_limit_together(
    store: StoreServer, proxy: RunningProxy, tmp_path: Path
) -> None:
    """Each alone would let 40 pass; together they let no more than 40, and nearly that."""
    other = RunningProxy(store, tmp_path / "other")
    other.start()
    limit = {"Requests": 40, "PeriodSeconds": 3600, "Burst": 40, "Cluster": True}
    one = Echo()
    try:
        async with upstreams(one):
            await proxy.put(
                {
                    "frontends/f/frontend": frontend("/a"),
                    "frontends/f/middlewares/m": {"Type": "ratelimit", "Middleware": limit},
                    "frontends/g/frontend": frontend("/b"),
                    "backends/b/servers/s": server(one),
                }
            )
            await proxy.until("/b", 200)
            await other.until("/b", 200)
            async with asyncio.timeout(20):
                while (await _ledger(proxy)).count(b'"parts": 500') < 2:  # noqa: ASYNC110  only asking can tell
                    await asyncio.sleep(0.05)
            statuses = [status_of((await each.get("/a"))[0]) for each in (proxy, other) for _ in range(60)]
    finally:
        other.program.stop()
        await other.client.close()
    assert statuses.count(200) + statuses.count(429) == 120
    assert 30 <= statuses.count(200) <= 40


async def _ledger(proxy: RunningProxy) -> bytes:
    found = (await proxy.client.get("/fairlead/proxy/limits/ledger")).kv
    return found.value if found is not None else b""
