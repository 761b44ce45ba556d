"""A store to test against: Fairlead's own, or etcd's, behind one interface.

A test that takes the fixture ``store`` runs once on each.
"""

import http.client
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Self

import pytest
from tests import peers
from tests.support.ports import free_ports
from tests.support.processes import Program
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

Get = tuple[int, bytes]
_GET_TIMEOUT_S = 5.0


class StoreServer(ABC):
    """One member on loopback, with its data in ``directory / "data"``."""

    kind: str
    host = "127.0.0.1"
    """Where it listens for clients and for the other members."""

    def __init__(self, directory: Path, *, flags: Sequence[str] = (), name: str = "m1") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.data_dir = directory / "data"
        self.port, self.peer_port = free_ports(2)
        self.flags = list(flags)
        self.program = Program(
            [*self.command(), *self.member_flags(), *self.flags], log=directory / f"{self.kind}.log"
        )

    @abstractmethod
    def command(self) -> list[str]:
        """The words before the flags."""

    def member_flags(self) -> list[str]:
        """The flags that make one new member, the same ones for etcd and for Fairlead."""
        client, peer = self.endpoint, f"http://{self.host}:{self.peer_port}"
        return [
            *("--name", self.name, "--data-dir", str(self.data_dir)),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"{self.name}={peer}"),
        ]

    @property
    def address(self) -> str:
        """``host:port`` of the client port."""
        return f"{self.host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """The client URL, for ``--endpoints``."""
        return f"http://{self.address}"

    def start(self) -> Self:
        """Start the member on whatever its data folder holds and wait until it is healthy."""
        self.program.start(self.is_healthy)
        return self

    def stop(self) -> None:
        """End it as an operator does, with SIGTERM."""
        self.program.stop()

    def kill(self, number: Signals = SIGKILL) -> None:
        """End it with ``number`` at once and wait until it is gone."""
        self.program.stop(number)

    def restart(self) -> Self:
        """Start it again on the same data and ports, after ending it if it still runs."""
        self.stop()
        return self.start()

    def is_healthy(self) -> bool:
        """Whether GET /health says so."""
        try:
            status, body = self.get("/health")
            return status == http.HTTPStatus.OK and json.loads(body).get("health") == "true"
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def get(self, path: str) -> Get:
        """GET ``path`` from the client port: status and body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_GET_TIMEOUT_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{self.kind} at {self.endpoint}>"


class EtcdServer(StoreServer):
    """etcd itself: Debian's (3.4), or the program at ``program``."""

    kind = "etcd"

    def __init__(self, directory: Path, *, flags: Sequence[str] = (), program: str | None = None) -> None:
        found = program or peers.find("etcd")
        assert found is not None, "etcd is not installed"
        self._found = found
        super().__init__(directory, flags=flags)

    def command(self) -> list[str]:
        """The program alone: etcd takes its flags bare."""
        return [self._found]


class FairleadStore(StoreServer):
    """``fairlead store``, from this working tree."""

    kind = "fairlead"

    def command(self) -> list[str]:
        """The command by module, so that no installed script is needed."""
        return [sys.executable, "-m", "fairlead.cli", "store"]


KINDS: dict[str, Callable[..., StoreServer]] = {"etcd": EtcdServer, "fairlead": FairleadStore}


@pytest.fixture(params=[pytest.param("etcd", marks=pytest.mark.peer("etcd")), "fairlead"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreServer]:
    """A running store with nothing in it; the test runs once on etcd and once on Fairlead."""
    with KINDS[request.param](tmp_path / "store") as running:
        yield running


@pytest.fixture(scope="module", params=[pytest.param("etcd", marks=pytest.mark.peer("etcd")), "fairlead"])
def kept_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoreServer]:
    """One store for all tests of a module, which take it through ``emptied``: to start one takes long."""
    with KINDS[request.param](tmp_path_factory.mktemp("store")) as running:
        yield running


def emptied(store: StoreServer) -> StoreServer:
    """Return ``store`` running and without a key or a lease, whatever the last test did to it."""
    if not store.program.is_running:
        store.start()
    with Wire(store.address) as wire:
        for lease in wire.get("LeaseLeases", pb.LeaseLeasesRequest()).leases:
            wire.call("LeaseRevoke", pb.LeaseRevokeRequest(ID=lease.ID))  # It may have ended meanwhile.
        wire.get("DeleteRange", pb.DeleteRangeRequest(key=b"\0", range_end=b"\0"))
    return store


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[StoreServer]:
    """A running etcd with nothing in it."""
    if peers.find("etcd") is None:
        pytest.skip("not installed: etcd")
    with EtcdServer(tmp_path / "etcd") as running:
        yield running


@pytest.fixture
def fairlead_store(tmp_path: Path) -> Iterator[StoreServer]:
    """A running Fairlead store with nothing in it."""
    with FairleadStore(tmp_path / "fairlead") as running:
        yield running
