"""Lines go to the disk by themselves; a disk that does not take them costs lines and nothing else."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.proxy.harness import eventually

from fairlead.proxy.log_writer import LineWriter

FULL = "/dev/full"


async def test_lines_are_written_in_order(tmp_path: Path) -> None:
    writer = LineWriter(str(tmp_path / "log"))
    for number in range(1000):
        writer.write(b"%d\n" % number)
    writer.close()
    assert (tmp_path / "log").read_bytes() == b"".join(b"%d\n" % number for number in range(1000))
    assert (writer.dropped, writer.failure) == (0, "")
    writer.write(b"late\n")
    assert writer.dropped == 1


async def test_a_full_disk_is_told_and_what_it_does_not_take_is_bounded(tmp_path: Path) -> None:
    """Acceptance: neither memory nor requests depend on it."""
    path = tmp_path / "log"
    path.symlink_to(FULL)
    writer = LineWriter(str(path), buffer_bytes_max=1000)
    for _ in range(500):
        writer.write(b"0123456\n89abcdef\n")
    await eventually(lambda: writer.failure)
    assert writer.failure == "No space left on device"
    assert 1000 - 2 * 62 <= writer.dropped <= 1000 - 2 * 58, "all but what waits"
    path.unlink()
    writer.reopen()
    await eventually(lambda: not writer.failure)
    kept = writer.dropped
    writer.write(b"after\n")
    writer.close()
    lines = path.read_bytes().splitlines()
    assert lines[-1] == b"after"
    assert len(lines) == 1001 - kept, "what had waited is in the new file, and nothing twice"


async def test_what_is_left_at_the_end_on_a_full_disk_is_counted() -> None:
    writer = LineWriter(FULL)
    writer.write(b"a\nb\n")
    writer.close()
    assert writer.dropped == 2


async def test_lines_from_before_a_rotation_stay_in_the_old_file(tmp_path: Path) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    writer = LineWriter(str(path))
    for number in range(100):
        writer.write(b"before\n")
        if number == 99:
            path.rename(old)
            writer.reopen()
            writer.write(b"after\n")
    writer.close()
    assert old.read_bytes() == b"before\n" * 100
    assert path.read_bytes() == b"after\n"


async def test_a_file_that_cannot_be_opened_anew_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LineWriter(str(path))
    old = path.rename(tmp_path / "log.1")
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        writer.reopen()
    writer.write(b"still\n")
    writer.close()
    assert old.read_bytes() == b"still\n"


async def test_a_reader_that_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    """A pipe into a program that has stopped; it is written by the thread, which waits alone."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        LineWriter(str(path))
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = LineWriter(str(path), buffer_bytes_max=10_000)
    for _ in range(200):  # three times what a pipe holds
        writer.write(b"x" * 999 + b"\n")
    assert writer.dropped > 100
    os.close(reading)
    writer.write(b"to nobody\n")
    await eventually(lambda: writer.failure == "Broken pipe")
    writer.close()


async def test_a_line_that_is_torn_is_not_ended_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    writer = LineWriter(str(path))
    gate = threading.Event()
    write = os.write

    def fill(left_bytes: int) -> Callable[[int, memoryview], int]:
        def write_some(fd: int, data: memoryview) -> int:
            nonlocal left_bytes
            if not left_bytes:
                gate.set()
                raise OSError(28, "No space left on device")
            count = write(fd, data[:left_bytes])
            left_bytes -= count
            return count

        return write_some

    monkeypatch.setattr("fairlead.proxy.log_writer.os.write", fill(left_bytes=7))
    writer.write(b"first\nsecond\nthird\n")
    await eventually(gate.is_set)
    monkeypatch.setattr("fairlead.proxy.log_writer.os.write", write)
    await eventually(lambda: writer.failure)
    old = path.rename(tmp_path / "log.1")
    writer.reopen()
    writer.close()
    assert old.read_bytes() == b"first\ns"
    assert path.read_bytes() == b"third\n"
    assert writer.dropped == 1
