"""``python -m tests.bench.dns [udp threads tcp dot large changes propagation]``: Fairlead's DNS beside other name servers.

Every server is alone on the first core (two of them for ``threads``), with the same names; the load comes from the other core.
Servers are loaded in turn within each round, and medians are compared: only ratios within one run count.  CPU time is the
server's own, per query, from the kernel.  Fairlead runs with every feature on: EDNS, turns, counters, rate limits, query log.
"""

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles

import click
import dns.message
from rich.console import Console
from tests.bench import contenders, propagation
from tests.bench.contenders import OURS
from tests.bench.dnsperf import Load, run, write_queries
from tests.bench.nameservers import HOST, PEERS, NameServer, names_of, ours_and_peers, put
from tests.bench.table import Figure, Results, heading
from tests.support.wire import Wire

CASES = ("udp", "threads", "tcp", "dot", "large", "changes", "propagation")
CPU = Figure("CPU us per query", 2, more_is_better=False)
RATE = Figure("queries per s")
PER_CPU = Figure("queries per CPU s")
NAMES, MANY_NAMES = 1_000, 100_000
CHANGES_PER_S = 1_000
PROBES_PER_S = 2_000
PROBE_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One load on several servers."""

    title: str
    peers: tuple[str, ...]
    load: Load
    names: int = NAMES
    cpus: str = "0"
    threads: int = 1


def cases(seconds: float) -> dict[str, Case]:
    """Return the cases that dnsperf can load.  dnsmasq has no threads, no TLS, and a process for each TCP connection."""
    return {
        "udp": Case("UDP, one core", ("dnsmasq", "unbound", "nsd"), Load("udp", 4, 100, seconds, "1")),
        "threads": Case(
            "UDP, two processes or threads on two cores, shared with the load",
            ("unbound", "nsd"),
            Load("udp", 16, 200, seconds, "0,1"),
            cpus="0,1",
            threads=2,
        ),
        "tcp": Case("TCP, 20 connections", ("unbound", "nsd"), Load("tcp", 20, 100, seconds, "1")),
        "dot": Case("TLS, 20 connections", ("unbound",), Load("dot", 20, 100, seconds, "1")),
        "large": Case(
            f"UDP, one core, {MANY_NAMES:,} names",
            ("dnsmasq", "unbound", "nsd"),
            Load("udp", 4, 100, seconds, "1"),
            names=MANY_NAMES,
        ),
    }


@click.command()
@click.argument("wanted", nargs=-1, type=click.Choice(CASES))
@click.option("--rounds", default=3, show_default=True, help="Rounds; medians are compared.")
@click.option("--seconds", default=3.0, show_default=True, help="Length of each run of dnsperf.")
@click.option("--record", is_flag=True, help="Append the tables to RESULTS.md.")
def main(wanted: tuple[str, ...], rounds: int, seconds: float, *, record: bool) -> None:
    """Measure the cases WANTED (all, when none is given)."""
    console = Console(width=150)

    def say(what: str) -> None:
        console.print(f"[dim]==> {what}[/dim]", highlight=False)

    with tempfile.TemporaryDirectory(prefix="fairlead-bench-dns-") as folder:
        done = []
        for results in _run(wanted or CASES, Path(folder), rounds=rounds, seconds=seconds, say=say):
            results.show(console)
            done.append(results)
    if record:
        with Path(__file__).with_name("RESULTS.md").open("a") as file:
            command = f"tests.bench.dns {' '.join(wanted or CASES)} --rounds {rounds} --seconds {seconds:g}"
            file.write(heading(command, [OURS, *PEERS]))
            file.writelines(results.markdown() + "\n" for results in done)


def _run(wanted: Sequence[str], folder: Path, *, rounds: int, seconds: float, say: Say) -> Iterator[Results]:
    for name, case in cases(seconds).items():
        if name in wanted:
            yield _loaded(case, folder / name, rounds=rounds, say=say)
    if "changes" in wanted:
        yield _changes(folder / "changes", say=say)
    if "propagation" in wanted:
        yield propagation.bench(
            [one for one in contenders.present() if one.name != "etcd 3.4"],
            folder=folder,
            say=say,
            ways=(propagation.dns_answer,),
        )


def _loaded(case: Case, folder: Path, *, rounds: int, say: Say) -> Results:
    results = Results(case.title, (RATE, CPU, PER_CPU))
    names = names_of(case.names)
    with ours_and_peers(names, folder, which=case.peers, cpus=case.cpus, threads=case.threads) as servers:
        queries = write_queries(folder / "queries", names)
        for server in servers:  # once before it counts: tables fill, names are asked for the first time
            run(server, queries, replace(case.load, seconds=None))
        for number in range(rounds):
            say(f"{case.title}, round {number + 1} of {rounds}")
            for server in servers:
                report = run(server, queries, case.load)
                results.add(
                    f"{case.names:,} names",
                    server.name,
                    **{
                        RATE.name: report.queries_per_s,
                        CPU.name: report.cpu_us,
                        PER_CPU.name: report.queries_per_cpu_s,
                    },
                )
    return results


def _changes(folder: Path, *, say: Say) -> Results:
    """Latency as one client sees it, while nothing changes and while a thousand keys do every second."""
    results = Results(
        f"Latency at {PROBES_PER_S:,} queries per s",
        (Figure("p50 ms", 3, more_is_better=False), Figure("p99 ms", 3, more_is_better=False)),
    )
    names = names_of(NAMES)
    with ours_and_peers(names, folder, which=(), cpus="0") as servers:
        (server,) = servers
        _probe(server, names)
        for case, per_s in (("nothing changes", 0), (f"{CHANGES_PER_S:,} keys per s change", CHANGES_PER_S)):
            say(case)
            stop = threading.Event()
            writer = threading.Thread(target=_change, args=(folder, names, per_s, stop))
            writer.start()
            times_ms = _probe(server, names)
            stop.set()
            writer.join()
            cuts = quantiles(times_ms, n=100)
            results.add(case, OURS, **{"p50 ms": cuts[49], "p99 ms": cuts[98]})
    return results


def _change(folder: Path, names: Sequence[str], per_s: int, stop: threading.Event) -> None:
    """Write ``per_s`` keys each second, one after another."""
    if not per_s:
        return
    address = (folder / "store-address").read_text()
    began_s, number = time.perf_counter(), 0
    with Wire(address) as wire:
        while not stop.is_set():
            wire.get("Put", put(names[number % len(names)], number))
            number += 1
            time.sleep(max(began_s + number / per_s - time.perf_counter(), 0))


def _probe(server: NameServer, names: Sequence[str]) -> list[float]:
    """Ask one name after another at an even pace; return how long each answer took, in milliseconds."""
    queries = [dns.message.make_query(name, "A", use_edns=0).to_wire() for name in names]
    times_ms = []
    began_s = time.perf_counter()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asker:
        asker.settimeout(5)
        asker.connect((HOST, server.place.port))
        for number in range(int(PROBE_S * PROBES_PER_S)):
            time.sleep(max(began_s + number / PROBES_PER_S - time.perf_counter(), 0))
            sent_s = time.perf_counter()
            asker.send(queries[number % len(queries)])
            asker.recv(4096)
            times_ms.append((time.perf_counter() - sent_s) * 1000)
    return times_ms


if __name__ == "__main__":
    main()
