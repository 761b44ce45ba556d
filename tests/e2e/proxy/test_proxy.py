"""Keys in the store, requests through the proxy: the agent as its users meet it, on Fairlead and on etcd."""

import asyncio
import json
import socket
import sys
from pathlib import Path
from signal import SIGTERM

import pytest
import websockets
from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, upstreams
from tests.support.processes import Program
from tests.support.store import StoreServer
from tests.unit.proxy.harness import OK, Peer, Upstream, fields_of, status_of


async def test_keys_become_routes_and_go_again(proxy: RunningProxy) -> None:
    one, two = Echo("one"), Echo("two")
    async with upstreams(one, two):
        assert status_of((await proxy.get("/a"))[0]) == 404
        await proxy.put({"frontends/f1/frontend": frontend("/a"), "backends/b/servers/s1": server(one)})
        await proxy.until("/a", 200)
        await proxy.put({"frontends/f10/frontend": frontend("/b"), "backends/b/servers/s10": server(two)})
        await proxy.until("/b", 200)
        assert {(await proxy.get("/b"))[1] for _ in range(4)} == {b"one", b"two"}
        await proxy.put({}, delete=["frontends/f1/frontend", "backends/b/servers/s1"])
        await proxy.until("/a", 404)
        assert {(await proxy.get("/b"))[1] for _ in range(4)} == {b"two"}, "f10 and s10 are not f1 and s1"
        await proxy.put({}, delete=["backends/b/servers/s10"])
        await proxy.until("/b", 503)


async def test_a_setting_changes_on_a_connection_that_stays(proxy: RunningProxy) -> None:
    upstream = Echo()
    async with upstreams(upstream):
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(upstream)})
        await proxy.until("/", 200)
        client = await proxy.connect()
        request = b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n"
        for wanted in (True, False, True):
            await proxy.put({"frontends/f/frontend": frontend("/", PassHostHeader=wanted)})
            expected = "www.example" if wanted else f"127.0.0.1:{upstream.port}"
            async with asyncio.timeout(10):
                while fields_of(upstream.heads[-1])["host"] != [expected]:
                    await client.ask(request)
        client.close()


async def test_a_transaction_moves_all_servers_at_once_under_load(proxy: RunningProxy) -> None:
    """Whoever asks sees ten servers at a, or ten at b, and never a mixture (8.5)."""
    servers = [Echo(str(number)) for number in range(10)]
    async with upstreams(*servers):
        base: dict[str, object] = {
            "frontends/fa/frontend": frontend("/a", "a"),
            "frontends/fb/frontend": frontend("/b", "b"),
            "backends/a/backend": {},
            "backends/b/backend": {},
        }
        await proxy.put(base | {f"backends/a/servers/s{n}": server(each) for n, each in enumerate(servers)})
        await proxy.until("/a", 200)
        client = await proxy.connect()
        pair = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n"
        seen: list[tuple[int, int]] = []

        async def load() -> None:
            while True:
                await client.send(pair)
                seen.append(
                    (status_of((await client.response())[0]), status_of((await client.response())[0]))
                )

        loading = asyncio.create_task(load())
        for here, there in (("a", "b"), ("b", "a")) * 5:
            await proxy.put(
                {f"backends/{there}/servers/s{n}": server(each) for n, each in enumerate(servers)},
                delete=[f"backends/{here}/servers/s{n}" for n in range(10)],
            )
            await proxy.until(f"/{there}", 200)
            # The load takes turns too, so that it may take more than ten requests to meet all ten.
            answers: set[bytes] = set()
            async with asyncio.timeout(20):
                while len(answers) < 10:
                    answers.add((await proxy.get(f"/{there}"))[1])
        loading.cancel()
        client.close()
        # A pair may straddle a move (both found their servers, or neither), never fail in another way.
        assert {status for pair_seen in seen for status in pair_seen} == {200, 503}


async def test_bad_values_are_named_in_the_status_key_and_heal(proxy: RunningProxy) -> None:
    upstream = Echo()
    async with upstreams(upstream):
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(upstream)})
        await proxy.until("/", 200)
        await proxy.put(
            {
                "frontends/f/frontend": "{not json",
                "frontends/g/frontend": frontend('/") || Pat("'),
                "backends/b/backend": "[]",
                "backends/b/servers/s": {"URL": "nowhere"},
                "backends/b/servers/t": "",
            }
        )

        async def problems() -> dict[str, str]:
            found = await proxy.client.get("/fairlead/agents/proxy/", prefix=True)
            shown: dict[str, str] = json.loads(found.kvs[0].value)["problems"]
            return shown

        async with asyncio.timeout(20):
            while len(named := await problems()) != 5:  # noqa: ASYNC110  only asking can tell
                await asyncio.sleep(0.05)
        assert "character" in named["/vulcand/frontends/g/frontend"]
        assert (await proxy.get("/"))[1] == b"ok", "the last good values stay in force"
        assert proxy.page("/readyz")[0] == 200
        assert "Traceback" not in proxy.program.log()
        await proxy.put(
            {
                "frontends/f/frontend": frontend("/new"),
                "backends/b/backend": {},
                "backends/b/servers/s": server(upstream),
            },
            delete=["frontends/g/frontend", "backends/b/servers/t"],
        )
        await proxy.until("/new", 200)
        async with asyncio.timeout(20):
            while await problems():  # noqa: ASYNC110  only asking can tell
                await asyncio.sleep(0.05)


async def test_a_server_leaves_with_its_lease_and_comes_back(proxy: RunningProxy) -> None:
    upstream = Echo()
    async with upstreams(upstream):
        await proxy.put({"frontends/f/frontend": frontend("/")})
        lease_id, _ = await proxy.client.grant(2)
        await proxy.client.put("/vulcand/backends/b/servers/s", json.dumps(server(upstream)), lease=lease_id)
        client = await proxy.connect()
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        await proxy.until("/", 200)
        await proxy.until("/", 503)
        head, _ = await client.ask(request)
        assert (status_of(head), fields_of(head)["retry-after"]) == (503, ["1"])
        await proxy.put({"backends/b/servers/s": server(upstream)})
        await proxy.until("/", 200)
        assert status_of((await client.ask(request))[0]) == 200, "on the connection that got the 503"
        client.close()


async def test_a_websocket_outlives_every_change_of_the_routes(proxy: RunningProxy) -> None:
    """Caddy and others close them on reload; here a route is only the way in (8.11)."""

    async def echo(socket_: websockets.ServerConnection) -> None:
        async for message in socket_:
            await socket_.send(message)

    async with websockets.serve(echo, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        await proxy.put(
            {
                "frontends/f/frontend": frontend("/ws"),
                "backends/b/servers/s": {"URL": f"http://127.0.0.1:{port}"},
            }
        )
        await proxy.until("/ws", 426)
        async with websockets.connect(f"ws://127.0.0.1:{proxy.port}/ws") as client:
            for number in range(500):
                await proxy.put({f"frontends/x{number % 7}/frontend": frontend(f"/{number}")})
                await client.send(f"message {number}")
                assert await asyncio.wait_for(client.recv(), 10) == f"message {number}"
            await proxy.put({}, delete=["frontends/f/frontend", "backends/b/servers/s"])
            await proxy.until("/ws", 404)
            big = b"x" * 500_000
            await client.send(big)
            assert await asyncio.wait_for(client.recv(), 10) == big


@pytest.mark.peer("curl")
async def test_curl_gets_puts_and_uploads(proxy: RunningProxy, tmp_path: Path) -> None:
    upstream = Echo("hello")
    big = bytes(range(256)) * 12_000
    (tmp_path / "big").write_bytes(big)
    async with upstreams(upstream):
        await proxy.put({"frontends/f/frontend": frontend("/x"), "backends/b/servers/s": server(upstream)})
        await proxy.until("/x", 200)
        url = f"{proxy.url}/x"
        for argv, data, expected in (
            (["-f", url], b"", b"hello"),
            (["-f", "--http1.0", url], b"", b"hello"),
            (["-f", "--http2", url], b"", b"hello"),  # asks for h2c; nobody upgrades
            (["-f", "-T", "-", url], b"stream of unknown length", b"stream of unknown length"),
            (["-f", "-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path / 'big'}", url], b"", big),
            (["-f", url, url, url], b"", b"hello" * 3),
        ):
            assert await proxy.run("curl", "-sS", "--max-time", "15", *argv, data=data) == (0, expected), argv
        status, output = await proxy.run("curl", "-sS", "-I", url)
        assert (status, output.split(b"\r\n")[0]) == (0, b"HTTP/1.1 200 OK")


@pytest.mark.peer("wrk")
async def test_wrk_finds_no_error_while_the_routes_change(proxy: RunningProxy) -> None:
    upstream = Echo("hello")
    async with upstreams(upstream):
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(upstream)})
        await proxy.until("/", 200)
        loading = asyncio.create_task(proxy.run("wrk", "-t1", "-c16", "-d2s", proxy.url))
        for number in range(100):
            await proxy.put({f"frontends/x{number}/frontend": frontend(f"/{number}")})
        status, output = await loading
        assert status == 0
        assert b"requests in" in output
        assert b"Non-2xx" not in output
        assert b"Socket errors" not in output


async def test_it_serves_while_the_store_is_down_and_even_starts_then(
    store: StoreServer, proxy: RunningProxy
) -> None:
    """Acceptance check 8.7: the routes outlive the store, in memory and on disk."""
    upstream = Echo()
    async with upstreams(upstream):
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(upstream)})
        await proxy.until("/", 200)
        store.kill()
        for _ in range(20):
            assert (await proxy.get("/"))[1] == b"ok"
        proxy.program.stop()
        proxy.start()
        assert (await proxy.get("/"))[1] == b"ok"
        store.start()
        async with asyncio.timeout(30):
            while True:
                try:
                    await proxy.put({"frontends/f/frontend": frontend("/later")})
                    break
                except Exception:  # noqa: BLE001  whatever a store that is just starting says
                    await asyncio.sleep(0.1)
        await proxy.until("/later", 200)


async def test_a_proxy_that_was_away_over_a_compaction_has_what_there_is(proxy: RunningProxy) -> None:
    """Acceptance check 8.7: what its copy begins from is gone, and so is what changed since, one by one."""
    one, two = Echo("one"), Echo("two")
    async with upstreams(one, two):
        await proxy.put({"frontends/f/frontend": frontend("/a"), "backends/b/servers/s": server(one)})
        await proxy.put({"frontends/g/frontend": frontend("/gone")})
        await proxy.until("/gone", 200)
        proxy.program.stop()
        await proxy.put({"backends/b/servers/s": server(two)})
        revision = await proxy.put(
            {"frontends/h/frontend": frontend("/new")}, delete=["frontends/g/frontend"]
        )
        await proxy.client.compact(revision)
        proxy.start()
        await proxy.until("/gone", 404)
        assert (await proxy.get("/a"))[1] == b"two"
        assert (await proxy.get("/new"))[1] == b"two"


async def test_sigterm_finishes_what_is_under_way(proxy: RunningProxy) -> None:
    gate, arrived = asyncio.Event(), asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        arrived.set()
        await gate.wait()
        await peer.send(OK)

    upstream = Upstream(serve)
    async with upstreams(upstream):
        await proxy.put({"frontends/f/frontend": frontend("/slow"), "backends/b/servers/s": server(upstream)})
        client = await proxy.connect()
        await proxy.until("/other", 404)
        async with asyncio.timeout(10):
            while True:
                await client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
                done, _ = await asyncio.wait(
                    {(answer := asyncio.create_task(client.response())), asyncio.create_task(arrived.wait())},
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if answer not in done:
                    break
        proxy.program.signal(SIGTERM)
        async with asyncio.timeout(10):
            while True:
                try:
                    (await proxy.connect()).close()
                    await asyncio.sleep(0.01)
                except ConnectionRefusedError:
                    break
        gate.set()
        head, body = await answer
        assert (fields_of(head)["connection"], body) == (["close"], b"ok")
        assert await asyncio.to_thread(proxy.program.wait) == 0
        client.close()


async def test_metrics_count_what_passed(proxy: RunningProxy) -> None:
    upstream = Echo()
    async with upstreams(upstream):
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(upstream)})
        await proxy.until("/", 200)
        status, text = proxy.page("/metrics")
        assert status == 200
        assert 'fairlead_proxy_requests_total{code="2xx"} 1.0' in text
        assert "fairlead_proxy_request_duration_seconds_bucket" in text


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--no-such-flag"], 2, "--no-such-flag"),
        (["--listen", "nonsense"], 1, "not an address"),
        (["--etcd-key", "/"], 1, "--etcd-key is empty"),
        (["--data-dir", "/dev/null/x"], 1, "check --data-dir"),
        (["--access-log", "/nowhere/log"], 1, "check --access-log"),
        (["--workers", "0"], 2, "--workers"),
        (["--admin-listen", "0.0.0.0:0"], 1, "--admin-token-file"),
    ],
)
def test_a_wrong_command_line_is_one_line(flags: list[str], status: int, said: str, tmp_path: Path) -> None:
    program = Program([sys.executable, "-m", "fairlead.cli", "proxy", *flags], log=tmp_path / "log")
    program.start()
    assert program.wait(within_s=30) == status
    assert said in program.log()
    assert "Traceback" not in program.log()


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        program = Program(
            [sys.executable, "-m", "fairlead.cli", "proxy", "--listen", address], log=tmp_path / "log"
        )
        program.start()
        assert program.wait(within_s=30) == 1
    assert f"cannot listen on {address} (--listen): the port is in use" in program.log()
    assert "Traceback" not in program.log()


async def test_flags_say_which_proxies_before_it_are_believed(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    flags = ["--trusted-proxies", "127.0.0.0/8,10.0.0.0/8", "--trusted-header", "forwarded", "--forwarded"]
    proxy = RunningProxy(fairlead_store, tmp_path / "proxy", flags=flags)
    echo = Echo()
    proxy.start()
    try:
        async with upstreams(echo):
            await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(echo)})
            await proxy.until("/", 200)
            await proxy.get(
                extra='Forwarded: for="[2001:db8::7]", for=10.1.1.1\r\nX-Forwarded-For: 6.6.6.6\r\n'
            )
    finally:
        proxy.program.stop()
        await proxy.client.close()
    fields = fields_of(echo.heads[-1])
    assert fields["x-real-ip"] == ["2001:db8::7"]
    assert fields["x-forwarded-for"] == ["2001:db8::7, 10.1.1.1, 127.0.0.1"]
    assert fields["forwarded"][0].startswith('for="[2001:db8::7]", for=10.1.1.1, for=127.0.0.1;host=')
