"""``python -m tests.bench.proxy [CASE ...]``: the proxy beside Debian's nginx and HAProxy, one core each.

The proxy has core 0 to itself; the load and the backend share core 1.  Within each round the contenders take turns,
and medians are compared.  On a machine that others use too, CPU per request is the figure that holds.
"""

import re
import resource
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from tests import peers
from tests.bench import propagation, proxies, quota, slow_heads
from tests.bench.contenders import OURS, Contender
from tests.bench.h2load import LoadError
from tests.bench.table import Figure, Results, heading
from tests.support.certificates import Certificates
from tests.support.store import EtcdServer, FairleadStore

RECORD = Path(__file__).with_name("RESULTS.md")
IDLE_CONNECTIONS = 10_000
SHARE = 0.15
"""Of a core, for a worker: four of them leave the load enough of two."""
_HEAD_S = 15.0
"""Ours has 10 seconds of patience with a head."""
_REQUESTS = re.compile(r"(\d+) requests in")
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_P99 = re.compile(r"99%\s+([\d.]+)(us|ms|s)")
_BAD = re.compile(r"Non-2xx.*|Socket errors.*")
_H2_COUNTS = re.compile(r"requests: .*?(\d+) done, (\d+) succeeded")
_H2_RATE = re.compile(r"finished in [\d.]+m?s, ([\d.]+) req/s")
_TO_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
_VARIED = """
local number = 0
request = function()
  number = number + 1
  return wrk.format("GET", "/p/" .. number .. "?q=" .. number, {
    ["Host"] = "r" .. (number % 1000) .. ".example", ["Cookie"] = "session=" .. number,
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", ["Accept"] = "text/html,*/*",
  })
end
"""

Load = Callable[[proxies.Running, Path, float], tuple[int, float, float]]
"""What one run counted: requests, requests per second, p99 in ms (0: not told)."""


def _wrk(*flags: str, path: str = "/", is_secure: bool = False) -> Load:
    def run(proxy: proxies.Running, folder: Path, seconds: float) -> tuple[int, float, float]:
        start = f"https://127.0.0.1:{proxy.secure}" if is_secure else f"http://127.0.0.1:{proxy.plain}"
        given = [each.format(folder=folder) for each in flags]
        output = _run("wrk", "-t1", f"-d{seconds:.0f}s", "--latency", *given, start + path, seconds=seconds)
        if found := _BAD.search(output):
            raise LoadError(f"{proxy.name}: {found[0]}")
        count, rate, p99 = _REQUESTS.search(output), _RATE.search(output), _P99.search(output)
        if count is None or rate is None or p99 is None:
            raise LoadError(f"wrk says something new:\n{output[-600:]}")
        return int(count[1]), float(rate[1]), float(p99[1]) * _TO_MS[p99[2]]

    return run


def _h2load(proxy: proxies.Running, _: Path, seconds: float) -> tuple[int, float, float]:
    output = _run(
        *("h2load", "-c16", "-m8", "-D", f"{seconds:.0f}", f"https://127.0.0.1:{proxy.secure}/"),
        seconds=seconds,
    )
    counts, rate = _H2_COUNTS.search(output), _H2_RATE.search(output)
    if counts is None or rate is None or counts[1] != counts[2]:
        raise LoadError(f"h2load on {proxy.name}:\n{output[-600:]}")
    return int(counts[1]), float(rate[1]), 0.0


def _run(program: str, *argv: str, seconds: float) -> str:
    found = peers.find(program)
    if found is None:
        raise LoadError(f"{program} is not installed; make peers")
    command = proxies.pinned(proxies.LOAD_CORE, found, *argv)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 30)
    if done.returncode:
        raise LoadError(f"{program} ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _versions() -> list[str]:
    """Return the packages of the peers, with their versions."""
    command = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", "nginx", "haproxy"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


CASES: dict[str, Load] = {
    "small": _wrk("-c64"),
    "varied": _wrk("-c64", "-s{folder}/varied.lua"),
    "1 MB": _wrk("-c16", path="/big"),
    "tls": _wrk("-c64", is_secure=True),
    "http/2": _h2load,
}
NAMES = (*CASES, "workers", "scaling", "idle", "slow", "live")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--rounds", default=3, show_default=True, help="Rounds; medians are compared.")
@click.option("--seconds", default=4.0, show_default=True, help="Length of each run.")
@click.option("--record", is_flag=True, help=f"Append the tables to {RECORD.name}.")
def main(names: tuple[str, ...], rounds: int, seconds: float, *, record: bool) -> None:
    """Measure NAMES (all, when none is given)."""
    wanted = names or NAMES
    console = Console(width=140)
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as folder:
        for results in _bench(wanted, Path(folder), rounds=rounds, seconds=seconds, console=console):
            results.show(console)
            if record:
                with RECORD.open("a") as file:
                    command = f"tests.bench.proxy --rounds {rounds} --seconds {seconds:g}"
                    file.write("\n" + heading(command, _versions()) + results.markdown())


@dataclass(frozen=True)
class Bench:
    """What all measurements of one run have in common: whom they ask, for how long, and whom they tell."""

    folder: Path
    certificates: Certificates
    backend: int
    rounds: int
    seconds: float
    say: Callable[[str], None]

    def running(self, name: str, label: str, *, workers: int = 1) -> AbstractContextManager[proxies.Running]:
        """Start one contender in a folder of its own."""
        return proxies.running(
            name, self.folder / f"{name}-{label}", self.backend, self.certificates, workers=workers
        )

    def turns(self) -> Iterator[tuple[int, str]]:
        """Yield rounds, and in each the contenders, one after another."""
        for number in range(self.rounds):
            for name in proxies.present():
                self.say(f"round {number + 1} of {self.rounds}, {name}")
                yield number, name

    def measure(
        self, results: Results, label: str, case: str, proxy: proxies.Running, seconds: float = 0.0
    ) -> None:
        """Put the load ``case`` on ``proxy``, and add what came of it under ``label``."""
        before_s = proxy.program.usage().cpu_s
        count, rate, p99_ms = CASES[case](proxy, self.folder, seconds or self.seconds)
        used_s = proxy.program.usage().cpu_s - before_s
        values = {"req/s": rate, "CPU us": used_s / count * 1e6}
        results.add(label, proxy.name, **values, **({"p99 ms": p99_ms} if p99_ms else {}))


def _bench(
    wanted: tuple[str, ...], folder: Path, *, rounds: int, seconds: float, console: Console
) -> Iterator[Results]:
    def say(what: str) -> None:
        console.print(f"[dim]==> {what}[/dim]", highlight=False)

    folder.joinpath("varied.lua").write_text(_VARIED)
    folder.joinpath("tls").mkdir()
    certificates = Certificates(folder / "tls")
    cases = [name for name in CASES if name in wanted]
    with proxies.backend(folder / "backend") as backend:
        bench = Bench(folder, certificates, backend, rounds, seconds, say)
        if cases:
            yield _loads(bench, cases)
        if "workers" in wanted:
            yield _workers(bench)
        if "scaling" in wanted and quota.is_possible():
            yield _scaling(bench)
        elif "scaling" in wanted:
            say("scaling is left out: no processor quotas (control groups) can be set here")
        if "idle" in wanted:
            yield _idle(bench)
        if "slow" in wanted:
            yield _slow(bench)
    if "live" in wanted:
        stores = [Contender(OURS, FairleadStore)]
        stores += [Contender("etcd 3.4", EtcdServer)] if peers.find("etcd") else []
        yield propagation.bench(stores, folder=folder, say=say, ways=(propagation.route,))


def _figures() -> tuple[Figure, ...]:
    return (
        Figure("req/s"),
        Figure("p99 ms", 2, more_is_better=False),
        Figure("CPU us", 1, more_is_better=False),
    )


def _loads(bench: Bench, cases: list[str]) -> Results:
    results = Results(f"Proxy: one core, {proxies.ROUTES} routes, everything on", _figures())
    for number, name in bench.turns():
        with bench.running(name, f"{number}") as proxy:
            for case in cases:
                CASES[case](proxy, bench.folder, 1.0)  # Connections, caches, branch predictors.
                bench.measure(results, case, case, proxy)
    return results


def _workers(bench: Bench) -> Results:
    results = Results("Proxy: workers; with two, both cores are shared with the load", _figures())
    for workers in (1, 2):
        for name in proxies.present():
            bench.say(f"{workers} workers, {name}")
            with bench.running(name, f"workers-{workers}", workers=workers) as proxy:
                bench.measure(results, f"{workers} workers", "small", proxy)
    return results


def _scaling(bench: Bench) -> Results:
    """As many workers as on a larger machine, each with a part of a core, so that the load has what is left."""
    results = Results(f"Proxy: {SHARE:g} of a core for each worker", _figures())
    for number, name in bench.turns():
        for workers in (1, 2, 4):
            with (
                bench.running(name, f"scaling-{workers}-{number}", workers=workers) as proxy,
                quota.bounded(quota.family(proxy.program.pid), cores=SHARE * workers),
            ):
                CASES["small"](proxy, bench.folder, 1.0)
                bench.measure(results, f"{workers} workers", "small", proxy)
    return results


def _idle(bench: Bench) -> Results:
    results = Results(
        f"Proxy: {IDLE_CONNECTIONS} idle connections", (Figure("KiB each", 2, more_is_better=False),)
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in proxies.present():
        bench.say(f"idle, {name}")
        with bench.running(name, "idle") as proxy:
            before = proxy.program.usage().peak_rss_bytes
            clients = []
            try:
                for _ in range(min(IDLE_CONNECTIONS, hard - 100, proxies.CONNECTIONS_MAX.get(name, hard))):
                    client = socket.create_connection(("127.0.0.1", proxy.plain))
                    client.sendall(b"GET / HTTP/1.1\r\nHost: r1.example\r\n\r\n")
                    client.recv(4096)
                    clients.append(client)
                grown = proxy.program.usage().peak_rss_bytes - before
            finally:
                for client in clients:
                    client.close()
            results.add("idle", name, **{"KiB each": grown / len(clients) / 1024})
    return results


def _slow(bench: Bench) -> Results:
    """What others notice of half-open heads; ``cut`` after so long, as each has its own patience."""
    results = Results(f"Proxy: {slow_heads.HEADS} half-open heads", (*_figures(), Figure("cut")))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in proxies.present():
        bench.say(f"slow heads, {name}")
        with bench.running(name, "slow") as proxy:
            bench.measure(results, "quiet", "small", proxy)
            attack = slow_heads.Trickle(proxy.plain)
            with attack.going_on():
                bench.measure(results, "attacked", "small", proxy, max(bench.seconds, _HEAD_S))
            results.add("attacked", name, cut=attack.cut)
    return results


if __name__ == "__main__":
    main()
