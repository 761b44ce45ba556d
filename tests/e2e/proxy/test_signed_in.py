"""A proxy that signs in at the store keeps its routes, whatever becomes of its token and its password (8.8)."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from tests import peers
from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, upstreams
from tests.support.processes import clean_environment
from tests.support.store import StoreServer


def etcdctl(store: StoreServer, *words: str, user: str = "", data: str | None = None) -> None:
    signed = ["--user", user] if user else []
    subprocess.run(
        [peers.path_of("etcdctl"), "--endpoints", store.address, *signed, *words],
        check=True,
        capture_output=True,
        input=data,
        text=True,
        env=clean_environment({"ETCDCTL_API": "3"}),
    )


def put(store: StoreServer, key: str, value: object, *, user: str) -> None:
    etcdctl(store, "put", f"/vulcand/{key}", json.dumps(value), user=user)


@pytest.mark.peer("etcd", "etcdctl")
async def test_routes_outlive_the_token_and_the_password_and_follow_again_with_the_next(
    etcd: StoreServer, tmp_path: Path
) -> None:
    for words in (["user", "add", "root:one"], ["user", "grant-role", "root", "root"], ["auth", "enable"]):
        await asyncio.to_thread(etcdctl, etcd, *words)
    proxy = RunningProxy(etcd, tmp_path / "proxy", flags=["--user", "root:one"])
    echo = Echo()
    proxy.start()
    try:
        async with upstreams(echo):
            put(etcd, "backends/b/servers/s", server(echo), user="root:one")
            put(etcd, "frontends/f/frontend", frontend("/one"), user="root:one")
            await proxy.until("/one", 200)
            # Tokens live in the store's memory: after a restart the old one is unknown.
            etcd.kill()
            await asyncio.to_thread(etcd.start)
            put(etcd, "frontends/g/frontend", frontend("/two"), user="root:one")
            await proxy.until("/two", 200)
            # Another password: what was given for the old one counts no more, and the proxy has no other.
            etcdctl(etcd, "user", "passwd", "root", "--interactive=false", user="root:one", data="two\n")
            put(etcd, "frontends/h/frontend", frontend("/three"), user="root:two")
            etcd.kill()
            await asyncio.to_thread(etcd.start)
            for path in ("/one", "/two"):
                assert (await proxy.get(path))[1] == b"ok"
            etcdctl(etcd, "user", "passwd", "root", "--interactive=false", user="root:two", data="one\n")
            put(etcd, "frontends/i/frontend", frontend("/four"), user="root:one")
            await proxy.until("/four", 200)
            await proxy.until("/three", 200)
    finally:
        proxy.program.stop()
        await proxy.client.close()
    assert "Traceback" not in proxy.program.log()
