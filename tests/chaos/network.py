"""Members on hosts of their own, around a router that drops what it is told to.

Each host is a network namespace with one cable to the router, which is a namespace too; the test and its clients
are on the machine itself, with one cable.  A cut has a direction: what goes from one address to another is dropped
in silence, as on a network that has failed, so that nobody's connection is refused or reset.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count, product
from pathlib import Path
from typing import Self

from tests.chaos.spaces import Kind, Space, SpaceError, run
from tests.support.store import FairleadStore, StoreServer

# RFC 2544 gives 198.18.0.0/15 to tests of networks; which part is ours, the process id says.
_SUBNET = f"198.18.{os.getpid() % 256}"
_ROUTER = f"{_SUBNET}.254"
_EVERYBODY = f"{_SUBNET}.0/24"
_CABLE = f"flc{os.getpid()}"
CLIENTS = f"{_SUBNET}.253"
"""Where the test and its clients are."""

Way = tuple[str, str]
"""From one address to another."""


class HostStore(FairleadStore):
    """A member on a host of its own."""

    def __init__(self, directory: Path, *, flags: Sequence[str] = (), host: str, space: Space) -> None:
        self.host = host
        self._space = space
        super().__init__(directory, flags=flags)

    def command(self) -> list[str]:
        """The command, run on the host."""
        return [*self._space.enter, *super().command()]


class Network:
    """A router and so many hosts, from ``with`` on.

    Raises:
        SpaceError: there can be none on this machine; the text says why.
    """

    def __init__(self, folder: Path) -> None:
        self._log = folder / "network.log"
        self._stack = ExitStack()
        self._router: Space
        self._numbers = count(1)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._router = stack.enter_context(Space(Kind.NETWORK, log=self._log))
            self._router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            run("ip", "link", "add", _CABLE, "type", "veth", *self._far_end("clients"))
            stack.callback(run, "ip", "link", "del", _CABLE)
            for words in _plugged_in(_CABLE, CLIENTS):
                run(*words)
            self._plug_into_router("clients", CLIENTS)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def member(self, directory: Path, *, flags: Sequence[str] = ()) -> HostStore:
        """Return a member on a new host: the ``kind`` of a ``StoreCluster``."""
        number = next(self._numbers)
        host, name = f"{_SUBNET}.{number}", f"host{number}"
        space = self._stack.enter_context(Space(Kind.NETWORK, log=self._log))
        space.run("ip", "link", "set", "lo", "up")
        space.run("ip", "link", "add", "cable", "type", "veth", *self._far_end(name))
        for words in _plugged_in("cable", host):
            space.run(*words)
        self._plug_into_router(name, host)
        return HostStore(directory, flags=flags, host=host, space=space)

    def _far_end(self, name: str) -> Sequence[str]:
        return ("peer", "name", name, "netns", str(self._router.pid))

    def _plug_into_router(self, name: str, host: str) -> None:
        self._router.run("ip", "addr", "add", _ROUTER, "peer", host, "dev", name)
        self._router.run("ip", "link", "set", name, "up")

    @contextmanager
    def without(self, ways: Iterable[Way]) -> Iterator[None]:
        """Drop what goes these ways, until the end of the block."""
        with ExitStack() as stack:
            for source, target in ways:
                rule = ("from", source, "to", target, "blackhole", "pref", "1")
                self._router.run("ip", "rule", "add", *rule)
                stack.callback(self._router.run, "ip", "rule", "del", *rule)
            yield


def _plugged_in(cable: str, host: str) -> Iterator[Sequence[str]]:
    """The commands that give one end of a cable its address, and the router for all the others."""
    yield ("ip", "addr", "add", host, "peer", _ROUTER, "dev", cable)
    yield ("ip", "link", "set", cable, "up")
    yield ("ip", "route", "add", _EVERYBODY, "via", _ROUTER)


def towards(sources: Iterable[StoreServer], targets: Iterable[StoreServer]) -> set[Way]:
    """From each of the one to each of the others."""
    return {
        (source.host, target.host) for source, target in product(sources, targets) if source is not target
    }


def between(some: Sequence[StoreServer], others: Sequence[StoreServer]) -> set[Way]:
    """Both ways."""
    return towards(some, others) | towards(others, some)


def to_and_from_clients(member: StoreServer) -> set[Way]:
    """Both ways between a member and all clients."""
    return {(CLIENTS, member.host), (member.host, CLIENTS)}


def why_not(folder: Path) -> str:
    """Return why there can be no such network on this machine; empty if there can."""
    try:
        with Network(folder) as network, network.without({(CLIENTS, f"{_SUBNET}.1")}):
            return ""
    except SpaceError as error:
        return str(error)
