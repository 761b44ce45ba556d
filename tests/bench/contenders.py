"""Who is measured: Fairlead, Debian's etcd, and etcd 3.5 from a package; all on equal terms."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import peers
from tests.support.environments import EnvironmentUnavailableError
from tests.support.etcd35 import ensure35
from tests.support.store import EtcdServer, FairleadStore, StoreServer

OURS = "fairlead"


@dataclass(frozen=True, slots=True)
class Contender:
    """A name for the tables, and how to make the store."""

    name: str
    make: Callable[[Path], StoreServer]


def present() -> list[Contender]:
    """Return who can be measured here; say who cannot and why."""
    found = [Contender(OURS, FairleadStore)]
    if peers.find("etcd"):
        found.append(Contender("etcd 3.4", EtcdServer))
    else:
        _miss("etcd 3.4", "apt-get install etcd-server")
    try:
        program = ensure35("etcd")
    except EnvironmentUnavailableError as error:
        _miss("etcd 3.5", str(error))
    else:
        found.append(Contender("etcd 3.5", lambda folder: EtcdServer(folder, program=program)))
    return found


def _miss(name: str, why: str) -> None:
    print(f"==> without {name}: {why}", file=sys.stderr)


@contextmanager
def running(contenders: list[Contender], folder: Path) -> Iterator[dict[str, StoreServer]]:
    """Start all of them, fresh; the ones not being measured are idle."""
    with ExitStack() as stack:
        yield {
            one.name: stack.enter_context(one.make(folder / one.name.replace(" ", "-"))) for one in contenders
        }
