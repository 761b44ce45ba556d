"""Live reconfiguration against a model: constant load, random changes of keys, and no answer that the model cannot explain.

    python -m tests.e2e.proxy.changing --changes 1000 --seed 7 [--store etcd|fairlead]

Each change is one transaction over several keys.  Until it is live an answer may come from the state before or
after it, never from half of it.  A limiter, a sticky client and a WebSocket live through all of it.
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.proxy.running import WITHIN_S, RunningProxy, upstreams
from tests.support.store import KINDS, StoreServer
from tests.unit.proxy.harness import Peer, Upstream, fields_of, status_of

PATHS = [f"/p{n}" for n in range(6)]
BACKENDS = [f"b{n}" for n in range(4)]
SERVERS = 5
ALLOWED = 7
"""What the limiter lets pass in an hour: exactly so many, whatever changes."""


class NameAndHost(Upstream):
    """Answers with its name and the Host that it was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(self._serve)
        self.name = name

    async def _serve(self, peer: Peer) -> None:
        # Ten seconds of silence on a kept connection are nothing to complain of.
        with contextlib.suppress(TimeoutError):
            while True:
                host = fields_of(await peer.head())["host"][0]
                body = f"{self.name} {host}".encode()
                await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@dataclass
class World:
    """The keys that the run changes, as it believes them to be; values as JSON."""

    frontends: dict[str, dict[str, Any]] = field(default_factory=dict)
    servers: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {b: {} for b in BACKENDS})

    def allowed(self, path: str) -> set[str]:
        """Return the answers that this state explains for ``path``."""
        frontend = self.frontends.get(path)
        if frontend is None:
            return {"404"}
        up = [s for s in self.servers[frontend["BackendId"]].values() if s.get("State", "up") == "up"]
        up = [s for s in up if s.get("Weight", 1)]
        if not up:
            return {"503"}
        passes = frontend["Settings"].get("PassHostHeader", False)
        return {f"{s['name']} {'asked.example' if passes else s['URL'].removeprefix('http://')}" for s in up}


class Changer:
    """Makes random changes, and knows what they come to."""

    def __init__(self, rng: random.Random, servers: list[NameAndHost]) -> None:
        self.rng = rng
        self.servers = servers
        self.world = World()

    def change(self) -> tuple[dict[str, object], list[str]]:
        """Change the world; return the puts and deletes of the transaction that does the same to the store."""
        # What breaks comes first: a key that is broken and mended in one transaction is mended.
        puts, deletes = self._break() if self.rng.random() < 0.3 else ({}, set())
        for _ in range(self.rng.randint(1, 4)):
            one, gone = self.rng.choice([self._route, self._route, self._server, self._server, self._move])()
            puts |= one
            deletes |= gone
            for key in one:
                deletes.discard(key)
            for key in gone:
                puts.pop(key, None)
        return puts, sorted(deletes)

    def _route(self) -> tuple[dict[str, object], set[str]]:
        path = self.rng.choice(PATHS)
        key = f"frontends/{path[1:]}/frontend"
        if path in self.world.frontends and self.rng.random() < 0.3:
            del self.world.frontends[path]
            return {}, {key}
        value = {
            "Type": "http",
            "BackendId": self.rng.choice(BACKENDS),
            "Route": f'Path("{path}")',
            "Settings": {"PassHostHeader": self.rng.random() < 0.5},
        }
        self.world.frontends[path] = value
        return {key: value}, set()

    def _server(self) -> tuple[dict[str, object], set[str]]:
        backend_id = self.rng.choice(BACKENDS)
        server = self.rng.choice(self.servers)
        key = f"backends/{backend_id}/servers/{server.name}"
        there = self.world.servers[backend_id]
        if server.name in there and self.rng.random() < 0.4:
            del there[server.name]
            return {}, {key}
        value: dict[str, Any] = {"URL": f"http://127.0.0.1:{server.port}", "name": server.name}
        if self.rng.random() < 0.4:
            value["State"] = self.rng.choice(["up", "drain", "maintenance"])
        if self.rng.random() < 0.3:
            value["Weight"] = self.rng.choice([0, 1, 5])
        there[server.name] = value
        return {key: value}, set()

    def _move(self) -> tuple[dict[str, object], set[str]]:
        """All servers of one backend go to another: seen by everybody, or by nobody."""
        source, target = self.rng.sample(BACKENDS, 2)
        moved = dict(self.world.servers[source])
        self.world.servers[source].clear()
        self.world.servers[target] |= moved
        puts: dict[str, object] = {
            f"backends/{target}/servers/{name}": value for name, value in moved.items()
        }
        return puts, {f"backends/{source}/servers/{name}" for name in moved}

    def _break(self) -> tuple[dict[str, object], set[str]]:
        """A key turns to nonsense: what it said before stays in force."""
        if not self.world.frontends:
            return {}, set()
        path = self.rng.choice(sorted(self.world.frontends))
        return {
            f"frontends/{path[1:]}/frontend": self.rng.choice(
                ["{", "[]", '{"Route": "Pat("}', '{"BackendId": 1}']
            )
        }, set()


@dataclass
class Report:
    """What a run has seen."""

    answers: int = 0
    changes: int = 0
    live_s: list[float] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    limiter_passed: int = 0
    sticky: set[str] = field(default_factory=set)

    def quantile_ms(self, part: float) -> float:
        ordered = sorted(self.live_s)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1e3

    def __str__(self) -> str:
        return (
            f"{self.changes} changes, {self.answers} answers, {len(self.unexplained)} unexplained; from put to live"
            f" p50 {self.quantile_ms(0.5):.1f} ms, p99 {self.quantile_ms(0.99):.1f} ms; the limiter let"
            f" {self.limiter_passed} of {ALLOWED} pass; {len(self.sticky)} server for the sticky client"
        )


class Run:
    """One run: a proxy, its servers, the load, and the states that answers may come from."""

    def __init__(self, proxy: RunningProxy, changer: Changer) -> None:
        self.proxy = proxy
        self.changer = changer
        self.report = Report()
        # All states so far; those from ``_live`` on may be in force.
        self._states = [World()]
        self._live = 0
        # Not cancelled: a wait that is over in the same moment swallows that in Python 3.11.
        self._is_over = False

    async def load(self, rng: random.Random) -> None:
        """Ask for random paths on one connection, and judge each answer."""
        client = await self.proxy.connect()
        try:
            while not self._is_over:
                path = rng.choice([*PATHS, "/limited"])
                oldest = self._live
                head, body = await client.ask(f"GET {path} HTTP/1.1\r\nHost: asked.example\r\n\r\n".encode())
                self.report.answers += 1
                status = status_of(head)
                if path == "/limited":
                    self.report.limiter_passed += status == 200
                    continue
                answer = body.decode() if status == 200 else str(status)
                states = self._states[oldest:]
                if not any(answer in state.allowed(path) for state in states):
                    allowed = [sorted(state.allowed(path)) for state in states]
                    self.report.unexplained.append(
                        f"change {self.report.changes}: {path}: {answer} not in {allowed}"
                    )
                await asyncio.sleep(0.002)
        finally:
            client.close()

    async def stay(self) -> None:
        """Be the sticky client."""
        client = await self.proxy.connect()
        cookie = b""
        try:
            while not self._is_over:
                head, body = await client.ask(b"GET /sticky HTTP/1.1\r\nHost: a\r\n%b\r\n" % cookie)
                if "set-cookie" in fields_of(head):
                    cookie = b"Cookie: " + fields_of(head)["set-cookie"][0].split(";")[0].encode() + b"\r\n"
                self.report.sticky.add(body.decode().split(" ")[0])
                await asyncio.sleep(0.005)
        finally:
            client.close()

    async def change(self) -> None:
        """Make one change, and wait until it is live."""
        puts, deletes = self.changer.change()
        puts |= self._around()
        number = self.report.changes = self.report.changes + 1
        puts["frontends/probe/frontend"] = {
            "Type": "http",
            "BackendId": "none",
            "Route": f'Path("/live/{number}")',
        }
        self._states.append(deepcopy(self.changer.world))
        client = await self.proxy.connect()
        request = f"GET /live/{number} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        try:
            await self.proxy.put(puts, delete=deletes)
            written_s = time.perf_counter()
            async with asyncio.timeout(WITHIN_S):
                # A route to no backend is answered 503; no route, 404.
                while status_of((await client.ask(request))[0]) == 404:
                    pass
            self.report.live_s.append(time.perf_counter() - written_s)
        finally:
            client.close()
        self._live = len(self._states) - 1

    def end(self) -> None:
        """Let the clients leave after the answer that they wait for."""
        self._is_over = True

    def _around(self) -> dict[str, object]:
        """Scale the limited and the sticky backend up and down beside their constant server."""
        rng = self.changer.rng
        spare = rng.choice(self.changer.servers[1:])
        value = {"URL": f"http://127.0.0.1:{spare.port}", "Weight": rng.choice([0, 1, 2])}
        return {f"backends/{rng.choice(['limited', 'sticky'])}/servers/{spare.name}": value}

    async def prepare(self) -> None:
        """Write the keys that stay."""
        constant = {"URL": f"http://127.0.0.1:{self.changer.servers[0].port}"}
        limit = {"Requests": ALLOWED, "PeriodSeconds": 3600, "Burst": ALLOWED, "Variable": "request.host"}
        await self.proxy.put(
            {
                "frontends/limited/frontend": {
                    "Type": "http",
                    "BackendId": "limited",
                    "Route": 'Path("/limited")',
                },
                "frontends/limited/middlewares/m": {"Type": "ratelimit", "Middleware": limit},
                "frontends/sticky/frontend": {
                    "Type": "http",
                    "BackendId": "sticky",
                    "Route": 'Path("/sticky")',
                },
                "backends/limited/servers/s0": constant,
                "backends/sticky/servers/s0": constant,
                "backends/sticky/backend": {"Type": "http", "Sticky": {"Cookie": "sid"}},
                **{f"backends/{each}/backend": {"Type": "http"} for each in BACKENDS},
            }
        )
        await self.proxy.until("/sticky", 200)


async def change_under_load(proxy: RunningProxy, *, changes: int, seed: int, clients: int = 3) -> Report:
    """Run, and return what was seen."""
    rng = random.Random(seed)
    servers = [NameAndHost(f"s{n}") for n in range(SERVERS)]
    async with upstreams(*servers):
        run = Run(proxy, Changer(rng, servers))
        await run.prepare()
        tasks = [asyncio.create_task(run.load(random.Random(seed + 1 + n))) for n in range(clients)]
        tasks.append(asyncio.create_task(run.stay()))
        try:
            for _ in range(changes):
                await run.change()
                for task in tasks:
                    if task.done():
                        task.result()
        finally:
            run.end()
            await asyncio.gather(*tasks)
    return run.report


@contextlib.asynccontextmanager
async def proxy_on(store: StoreServer, directory: Path) -> AsyncIterator[RunningProxy]:
    """Run a proxy on ``store``."""
    proxy = RunningProxy(store, directory / "proxy")
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.program.stop()
        await proxy.client.close()


async def _main(kind: str, changes: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder, KINDS[kind](Path(folder) / "store") as store:
        async with proxy_on(store, Path(folder)) as proxy:
            report = await change_under_load(proxy, changes=changes, seed=seed)
    print(f"{kind}, seed {seed}: {report}")
    for line in report.unexplained[:20]:
        print(line)
    return int(bool(report.unexplained) or report.limiter_passed != ALLOWED or report.sticky != {"s0"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", choices=sorted(KINDS), default="fairlead")
    given = parser.parse_args()
    raise SystemExit(asyncio.run(_main(given.store, given.changes, given.seed)))
