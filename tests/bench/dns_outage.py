"""``python -m tests.bench.dns_outage --minutes 10``: the store killed under query load, the agent restarted meanwhile.

What must not happen is an answer that is no answer: for a known name nothing but its own records may ever come back.  While
the agent itself is down nobody answers; clients ask again, and that is counted.
"""

import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from types import TracebackType
from typing import Self

import click
import dns.edns
import dns.message
import dns.rcode
from tests.e2e.dns.test_dns import NameServer, eventually, put
from tests.support.store import FairleadStore, StoreServer

NAMES = 500
STALE_AFTER_S = 1
_PAUSE_S = 0.001
_PATIENCE_S = 2.0


@dataclass
class Seen:
    """What clients have seen of one phase."""

    answered: int = 0
    unanswered: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    stale: int = 0
    ttl_s_max: int = 0


class Clients:
    """Ask for known names, one after the other, until closed; each phase is counted by itself."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._ends = threading.Event()
        self._asks = threading.Lock()  # a question belongs to the phase that it was asked and answered in
        self._thread = threading.Thread(target=self._run, name="dns clients")
        self.phases: dict[str, Seen] = {}
        self._phase = Seen()

    def phase(self, name: str) -> None:
        """Count under ``name`` from now on, once the question on its way has its answer."""
        with self._asks:
            self._phase = self.phases[name] = Seen()

    def __enter__(self) -> Self:
        self.phase("all is well")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        rng = random.Random(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(_PATIENCE_S)
            while not self._ends.is_set():
                number = rng.randrange(NAMES)
                with self._asks:
                    self._ask(line, number, phase=self._phase)
                time.sleep(_PAUSE_S)

    def _ask(self, line: socket.socket, number: int, *, phase: Seen) -> None:
        query = dns.message.make_query(f"n{number}.skydns.local", "A", use_edns=0)
        try:
            line.sendto(query.to_wire(), self._address)
            packet = line.recv(4096)
        except OSError:
            phase.unanswered += 1
            return
        answer = dns.message.from_wire(packet)
        if not query.is_response(answer):
            return  # the late answer to a question that was given up
        phase.answered += 1
        found = [rdata.to_text() for rrset in answer.answer for rdata in rrset]
        if found != [address_of(number)]:
            phase.wrong[dns.rcode.to_text(answer.rcode())] += 1
            return
        phase.ttl_s_max = max(phase.ttl_s_max, answer.answer[0].ttl)
        phase.stale += any(option.otype == dns.edns.OptionType.EDE for option in answer.options)


def address_of(number: int) -> str:
    """The address of one of the known names."""
    return f"10.7.{number // 250}.{number % 250}"


def run(folder: Path, *, seconds: float, say: Callable[[str], None] = print) -> dict[str, Seen]:
    """Go through the outage within about ``seconds``; return what clients saw in each phase."""
    with FairleadStore(folder / "store") as store:
        for start in range(0, NAMES, 100):
            put(
                store,
                {f"local/skydns/n{n}": {"host": address_of(n)} for n in range(start, start + 100)},
            )
        server = NameServer(store, folder)
        server.program.argv += ["--stale-after", str(STALE_AFTER_S)]
        server.start()
        try:
            time.sleep(3)  # the copy on disk is at most that old
            with Clients(server.port) as clients:
                _go_through(store, server, clients, seconds=seconds, say=say)
            return clients.phases
        finally:
            server.program.stop()


def _go_through(
    store: StoreServer, server: NameServer, clients: Clients, *, seconds: float, say: Callable[[str], None]
) -> None:
    def restart(number: Signals) -> None:
        server.program.stop(number)
        server.start()

    def lose_store() -> None:
        store.kill(SIGKILL)
        eventually(lambda: "stale" in server.get("/readyz")[1])

    part_s = seconds / 5
    steps: list[tuple[str, Callable[[], object]]] = [
        ("the store is killed", lose_store),
        ("the agent is killed and started again", lambda: restart(SIGKILL)),
        ("the agent is stopped and started again", lambda: restart(SIGTERM)),
        ("the store is back", store.restart),
    ]
    time.sleep(part_s)
    for name, step in steps:
        say(f"{name}: {server.get('/readyz')[1].strip()}")
        clients.phase(name)
        step()
        time.sleep(part_s)
        say(f"    {server.get('/readyz')[1].strip()}")
    put(store, {"local/skydns/new": {"host": "10.8.8.8"}})
    eventually(lambda: server.ask("new.skydns.local") == ["10.8.8.8"])


@click.command()
@click.option("--minutes", default=10.0, show_default=True, help="How long it all takes.")
def main(minutes: float) -> None:
    """Kill the store under query load, restart the agent twice, bring the store back."""
    with tempfile.TemporaryDirectory(prefix="fairlead-outage-") as folder:
        phases = run(Path(folder), seconds=minutes * 60)
    for name, seen in phases.items():
        click.echo(
            f"{name}: {seen.answered} answered, {seen.unanswered} unanswered, {sum(seen.wrong.values())} wrong "
            f"{dict(seen.wrong) or ''}, {seen.stale} said to be stale, TTL at most {seen.ttl_s_max} s"
        )
    sys.exit(any(seen.wrong for seen in phases.values()))


if __name__ == "__main__":
    main()
