"""A cluster of several members on loopback: Fairlead's, or etcd's, behind one interface."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from tests.support.store import StoreServer


class StoreCluster:
    """Members ``m1``, ``m2`` and so on, each with a data folder of its own in ``directory``.

    Args:
        kind: EtcdServer or FairleadStore.
        directory: for data and logs.
        size: how many members there are at the beginning.
        flags: for every member.
        scheme: of the URLs at which members reach each other.
    """

    def __init__(
        self,
        kind: Callable[..., StoreServer],
        directory: Path,
        *,
        size: int = 3,
        flags: Sequence[str] = (),
        scheme: str = "http",
    ) -> None:
        self._scheme = scheme
        self._kind = kind
        self._directory = directory
        self._flags = list(flags)
        self.members: dict[str, StoreServer] = {}
        """Those of the beginning, and those that were made since, by name."""
        for n in range(1, size + 1):
            self._make(f"m{n}")
        for name, member in self.members.items():
            member.program.argv += ["--name", name, "--initial-cluster", self.initial_cluster()]
            # The last word counts, with etcd as with Fairlead.
            member.program.argv += ["--listen-peer-urls", self.peer_url(member)]
            member.program.argv += ["--initial-advertise-peer-urls", self.peer_url(member)]

    def _make(self, name: str) -> StoreServer:
        member = self._kind(self._directory / name, flags=self._flags)
        member.name = name
        self.members[name] = member
        return member

    def newcomer(self, name: str) -> StoreServer:
        """Return a member to be added by ``member add`` and then started."""
        there = self.initial_cluster()
        member = self._make(name)
        member.program.argv += [
            "--name",
            name,
            "--initial-cluster",
            f"{there},{name}={self.peer_url(member)}",
        ]
        member.program.argv += ["--initial-cluster-state", "existing"]
        return member

    def forget(self, name: str) -> None:
        """End a member and leave it out of the ``initial_cluster`` of those to come."""
        self.members.pop(name).stop()

    def initial_cluster(self) -> str:
        """What ``--initial-cluster`` says of the members there are."""
        return ",".join(f"{name}={self.peer_url(member)}" for name, member in self.members.items())

    def peer_url(self, member: StoreServer) -> str:
        """Where the others reach a member."""
        return f"{self._scheme}://{member.host}:{member.peer_port}"

    @property
    def endpoints(self) -> str:
        """The client addresses of all members, for ``--endpoints``."""
        return ",".join(member.address for member in self.members.values())

    def start(self) -> Self:
        """Start all members and wait until they are healthy: none of them is before a majority is there."""
        for member in self.members.values():
            member.program.start()
        for member in self.members.values():
            member.program.wait_until(member.is_healthy, "healthy")
        return self

    def stop(self) -> None:
        """End all members at once."""
        with ThreadPoolExecutor(len(self.members) or 1) as pool:
            list(pool.map(lambda member: member.stop(), self.members.values()))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
