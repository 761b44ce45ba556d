"""What systemd is told, and when."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.render.systemd import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(10)
        listener.bind(str(tmp_path / "notify"))
        yield listener


def test_it_is_ready_once_and_stops_once(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready()
    notifier.ready()
    notifier.stopping()
    assert [manager.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_an_abstract_socket_is_written_with_an_at() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(10)
        listener.bind(f"\0fairlead-{os.getpid()}")
        Notifier({"NOTIFY_SOCKET": f"@fairlead-{os.getpid()}"}).ready()
        assert listener.recv(100) == b"READY=1"


async def test_the_watchdog_is_fed_while_the_loop_turns(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "20000"}
    notifier = Notifier(environment)
    assert notifier.watchdog_s == 0.02
    feeding = asyncio.create_task(notifier.run())
    fed = [await asyncio.to_thread(manager.recv, 100) for _ in range(3)]
    feeding.cancel()
    assert fed == [b"WATCHDOG=1"] * 3


async def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        notifier = Notifier(environment)
        notifier.ready()
        await notifier.run()
    assert Notifier({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}).watchdog_s is None
