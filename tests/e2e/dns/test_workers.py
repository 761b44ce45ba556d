"""Several processes behind one address, fed by one watch."""

import os
import socket
from collections import Counter
from pathlib import Path
from signal import SIGKILL, SIGTERM

import dns.message
from tests.e2e.dns.test_dns import SITE, NameServer, eventually, put
from tests.support.store import FairleadStore

SOCKETS = 24
"""So many that each of two processes surely gets some: the system chooses by the client's port."""


def ask(server: NameServer, *, times: int = SOCKETS) -> Counter[tuple[str, ...]]:
    """Ask from many ports; the addresses that came, and how often."""
    query = dns.message.make_query("web.skydns.local", "A").to_wire()
    seen: Counter[tuple[str, ...]] = Counter()
    for _ in range(times):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(15)
            client.connect(("127.0.0.1", server.port))
            client.send(query)
            response = dns.message.from_wire(client.recv(4096))
            seen[tuple(sorted(rdata.to_text() for rrset in response.answer for rdata in rrset))] += 1
    return seen


def counted(server: NameServer) -> float:
    """All responses that the name server says it has sent."""
    lines = server.get("/metrics")[1].splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("fairlead_dns_responses_total"))


def workers_of(server: NameServer) -> list[int]:
    children = Path(f"/proc/{server.program.pid}/task/{server.program.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def test_every_worker_follows_and_one_that_dies_is_replaced(tmp_path: Path) -> None:
    with FairleadStore(tmp_path / "store") as store:
        put(store, SITE)
        server = NameServer(store, tmp_path)
        server.program.argv += ["--workers", "2"]
        server.start()
        asked = 0

        def answer_is(*addresses: str) -> bool:
            nonlocal asked
            asked += SOCKETS
            return ask(server) == {addresses: SOCKETS}

        try:
            assert answer_is("10.0.0.1", "10.0.0.2")
            put(store, {"local/skydns/web/2": {"host": "10.0.0.9"}})
            eventually(lambda: answer_is("10.0.0.1", "10.0.0.9"))
            # What a worker has counted it tells once a second; the last second of one that is killed is lost.
            eventually(lambda: counted(server) == asked)
            (worker,) = workers_of(server)
            os.kill(worker, SIGKILL)
            put(store, {"local/skydns/web/2": {"host": "10.0.0.7"}})
            asked += SOCKETS
            assert ask(server).total() == SOCKETS, "its queries wait for the next one in its socket"
            eventually(lambda: workers_of(server) not in ([], [worker]))
            eventually(lambda: answer_is("10.0.0.1", "10.0.0.7"))
            eventually(lambda: counted(server) == asked)
        finally:
            assert server.program.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in (worker,))
        assert "Traceback" not in server.program.log()


def test_it_goes_on_answering_while_balancers_notice_that_it_ends(tmp_path: Path) -> None:
    """Lameduck: /readyz is closed first, the sockets later."""
    with FairleadStore(tmp_path / "store") as store:
        put(store, SITE)
        server = NameServer(store, tmp_path)
        server.program.argv += ["--workers", "2", "--lameduck", "3"]
        server.start()
        server.program.signal(SIGTERM)
        eventually(lambda: server.get("/readyz")[0] == 503)
        assert ask(server) == {("10.0.0.1", "10.0.0.2"): SOCKETS}
        assert server.program.wait() == 0
