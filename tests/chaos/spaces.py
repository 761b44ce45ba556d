"""Namespaces of the kernel's, each held by a process of ours.

A namespace that has no name is gone with the last process in it, and with it every interface and every mount that
was made in it; the process dies with the test run.  So nothing is left behind, whatever ends the test.
"""

import os
import shutil
import subprocess
from enum import Enum
from pathlib import Path
from typing import Self

from tests.support.processes import Program


class Kind(Enum):
    """What a namespace has of its own."""

    NETWORK = "net"
    MOUNTS = "mnt"


class SpaceError(Exception):
    """A namespace cannot be made here, or not what should be in it."""


class Space:
    """One namespace, from ``with`` on."""

    def __init__(self, kind: Kind, *, log: Path) -> None:
        self._kind = kind
        self._holder = Program(["unshare", f"--{_FLAGS[kind]}", "sleep", "infinity"], log=log)

    def __enter__(self) -> Self:
        missing = [name for name in ("unshare", "nsenter", "ip", "mount") if shutil.which(name) is None]
        if os.geteuid() != 0:
            raise SpaceError("only root can make namespaces")
        if missing:
            raise SpaceError(
                f"not installed: {', '.join(missing)} (apt-get install iproute2 util-linux mount)"
            )
        try:
            self._holder.start(self._is_apart)
        except AssertionError as error:
            raise SpaceError(f"no namespace can be made here: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.stop()

    def _is_apart(self) -> bool:
        """Whether the process has left ours: nothing may be done in it before."""
        name = f"ns/{self._kind.value}"
        return Path(f"/proc/{self.pid}/{name}").readlink() != Path(f"/proc/self/{name}").readlink()

    @property
    def pid(self) -> int:
        """The process that holds it."""
        return self._holder.pid

    @property
    def enter(self) -> list[str]:
        """The words before a command that runs in it."""
        return ["nsenter", f"--{_FLAGS[self._kind]}=/proc/{self.pid}/ns/{self._kind.value}"]

    def run(self, *words: str) -> None:
        """Run a command in it.

        Raises:
            SpaceError: it failed; the text is its own.
        """
        run(*self.enter, *words)


_FLAGS = {Kind.NETWORK: "net", Kind.MOUNTS: "mount"}


def run(*words: str) -> None:
    """Run a command here.

    Raises:
        SpaceError: it failed; the text is its own.
    """
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SpaceError(f"{' '.join(words)}: {done.stderr.strip()}")
