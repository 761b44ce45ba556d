"""Name servers to measure, each alone on one core, with the same names: Fairlead, and Debian's dnsmasq, unbound and NSD."""

import json
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.message
from tests import peers
from tests.bench.contenders import OURS
from tests.support.certificates import Certificates
from tests.support.ports import free_ports
from tests.support.processes import Program
from tests.support.store import FairleadStore
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

ZONE = "skydns.local"
HOST = "127.0.0.1"
TXN_PUTS = 128
_READY_S = 0.2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server runs: its folder, its cores, its port for UDP and TCP, its port for TLS, and how many cores it uses."""

    folder: Path
    cpus: str
    port: int
    tls_port: int
    threads: int = 1


@dataclass(frozen=True, slots=True)
class NameServer:
    """One that runs."""

    name: str
    place: Place
    program: Program

    def answers(self, name: str) -> bool:
        """Whether it has an address for ``name``."""
        query = dns.message.make_query(name, "A")
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asker:
            asker.settimeout(_READY_S)
            try:
                asker.connect((HOST, self.place.port))
                asker.send(query.to_wire())
                return bool(dns.message.from_wire(asker.recv(4096)).answer)
            except OSError:
                return False


Write = Callable[[Place, Sequence[str]], list[str]]
"""Writes what a server needs to serve the names; returns its command."""


def names_of(count: int) -> list[str]:
    """Return ``count`` names below the zone."""
    return [f"n{number}.{ZONE}" for number in range(count)]


def address_of(number: int) -> str:
    """Return the address of the name of that number."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def dnsmasq(place: Place, names: Sequence[str]) -> list[str]:
    """A hosts file.  It has no threads."""
    hosts = place.folder / "hosts"
    hosts.write_text("".join(f"{address_of(n)} {name}\n" for n, name in enumerate(names)))
    return [
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--no-resolv"),
        *(f"--port={place.port}", f"--listen-address={HOST}", "--bind-interfaces", "--no-hosts"),
        *(f"--addn-hosts={hosts}", f"--local=/{ZONE}/", "--no-daemon", "--local-ttl=3600"),
    ]  # fmt: skip


def unbound(place: Place, names: Sequence[str]) -> list[str]:
    """Local data; a thread has a socket of its own."""
    config = place.folder / "unbound.conf"
    certificates = Certificates(place.folder)
    lines = [
        "server:",
        f"  interface: {HOST}@{place.port}\n  interface: {HOST}@{place.tls_port}\n  tls-port: {place.tls_port}",
        f'  tls-service-key: "{certificates["server.key"]}"',
        f'  tls-service-pem: "{certificates["server.crt"]}"',
        f"  num-threads: {place.threads}\n  so-reuseport: yes\n  do-daemonize: no\n  use-syslog: no\n  verbosity: 0",
        '  username: ""\n  chroot: ""\n  pidfile: ""\n  module-config: "iterator"\n  incoming-num-tcp: 100',
        f'  directory: "{place.folder}"\n  local-zone: "{ZONE}." static',
        *(f'  local-data: "{name}. 3600 A {address_of(n)}"' for n, name in enumerate(names)),
        "remote-control:\n  control-enable: no",
    ]
    config.write_text("\n".join(lines) + "\n")
    return ["unbound", "-d", "-c", str(config)]


def nsd(place: Place, names: Sequence[str]) -> list[str]:
    """A zone file."""
    zone, config = place.folder / "zone", place.folder / "nsd.conf"
    zone.write_text(
        f"$ORIGIN {ZONE}.\n$TTL 3600\n@ SOA ns hostmaster 1 28800 7200 604800 60\n@ NS ns\nns A {HOST}\n"
        + "".join(f"{name}. A {address_of(n)}\n" for n, name in enumerate(names))
    )
    config.write_text(
        f'server:\n  ip-address: {HOST}@{place.port}\n  server-count: {place.threads}\n  username: ""\n  chroot: ""\n'
        f'  pidfile: ""\n  xfrdfile: "{place.folder}/xfrd"\n  zonelistfile: "{place.folder}/zones"\n  reuseport: yes\n'
        f'  database: ""\n  logfile: "{place.folder}/log"\n  xfrdir: "{place.folder}"\n  rrl-ratelimit: 0\n  tcp-count: 100\n'
        f'remote-control:\n  control-enable: no\nzone:\n  name: {ZONE}\n  zonefile: "{zone}"\n'
    )
    return ["nsd", "-d", "-c", str(config)]


PEERS: dict[str, Write] = {"dnsmasq": dnsmasq, "unbound": unbound, "nsd": nsd}


@contextmanager
def serving(
    name: str, place: Place, names: Sequence[str], *, store: FairleadStore | None = None
) -> Iterator[NameServer]:
    """Start the server ``name`` on its cores and wait until it answers for the last of ``names``."""
    place.folder.mkdir(parents=True)
    if store is not None:
        argv = _fairlead(place, store)
    else:
        argv = PEERS[name](place, names)
        argv[0] = peers.find(argv[0]) or argv[0]
    program = Program(["taskset", "-c", place.cpus, *argv], log=place.folder / "server.log")
    server = NameServer(name, place, program)
    program.start(lambda: server.answers(names[-1]), within_s=120)
    try:
        yield server
    finally:
        program.stop()


def _fairlead(place: Place, store: FairleadStore) -> list[str]:
    certificates = Certificates(place.folder)
    (health,) = free_ports(1)
    return [
        *(sys.executable, "-m", "fairlead.cli", "dns", "--endpoints", store.endpoint),
        *("--listen", f"{HOST}:{place.port}", "--listen-tls", f"{HOST}:{place.tls_port}"),
        *("--tls-cert", certificates["server.crt"], "--tls-key", certificates["server.key"]),
        *("--workers", str(place.threads), "--metrics-listen", f"{HOST}:{health}"),
        *("--rrl", "50", "--log-queries", "0.0001"),
    ]


def put_all(store: FairleadStore, names: Sequence[str]) -> None:
    """Write the names to the store, many in one transaction."""
    with Wire(store.address) as wire:
        for first in range(0, len(names), TXN_PUTS):
            puts = [
                pb.RequestOp(request_put=put(name, first + offset))
                for offset, name in enumerate(names[first : first + TXN_PUTS])
            ]
            wire.get("Txn", pb.TxnRequest(success=puts))


def put(name: str, number: int) -> pb.PutRequest:
    """Return the request that gives ``name`` the address of ``number``."""
    path = "/".join(reversed(name.split(".")))
    value = json.dumps({"host": address_of(number)}).encode()
    return pb.PutRequest(key=f"/skydns/{path}".encode(), value=value)


@contextmanager
def ours_and_peers(
    names: Sequence[str], folder: Path, *, which: Sequence[str], cpus: str, threads: int = 1
) -> Iterator[list[NameServer]]:
    """Start Fairlead, on a store of its own, and the peers in ``which`` that are installed."""
    found = [name for name in which if peers.find(name)]
    for name in set(which) - set(found):
        print(f"==> without {name}: apt-get install {peers.PACKAGES[name]}", file=sys.stderr)
    ports = free_ports(2 * len(found) + 2)
    with ExitStack() as stack:
        store = stack.enter_context(FairleadStore(folder / "store"))
        (folder / "store-address").write_text(store.address)
        put_all(store, names)
        servers = []
        for name in (OURS, *found):
            place = Place(folder / name, cpus, ports.pop(), ports.pop(), threads)
            servers.append(
                stack.enter_context(serving(name, place, names, store=store if name == OURS else None))
            )
        yield servers
