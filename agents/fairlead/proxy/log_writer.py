"""A file that lines are appended to on a thread of its own: a disk may be slow, full or gone, and no request waits.

What the disk does not take is kept, up to ``BUFFER_BYTES_MAX``; whatever comes then is dropped and counted.  The
disk is tried again every second, and at once in a file that has been opened anew.
"""

import os
import sys
import threading
from collections import deque

BUFFER_BYTES_MAX = 4 * 1024 * 1024
RETRY_S = 1.0
CLOSE_S = 2.0
"""What is left may take so long at the end."""
_MODE = 0o666
"""Less what the umask takes."""


class LineWriter:
    """Appends to one file.

    Attributes:
        dropped: lines that are lost.
        failure: why lines are not written now; empty: they are.
    """

    def __init__(self, path: str, *, buffer_bytes_max: int = BUFFER_BYTES_MAX) -> None:
        """Append to ``path``; ``-`` is standard output.

        Raises:
            OSError: it cannot be written.
        """
        self.dropped = 0
        self.failure = ""
        self._path = path
        self._buffer_bytes_max = buffer_bytes_max
        self._fd = _open(path)
        self._next_fd: int | None = None
        self._before_next = 0  # of what is pending, so much is still for the old file
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._is_closing = False
        self._news = threading.Condition()
        # It must not keep a process alive that a dead disk keeps waiting.
        self._thread = threading.Thread(target=self._run, name=f"writes {path}", daemon=True)
        self._thread.start()

    def write(self, lines: bytes) -> None:
        """Append whole lines, soon; never waits."""
        with self._news:
            if self._is_closing or self._pending_bytes + len(lines) > self._buffer_bytes_max:
                self.dropped += lines.count(b"\n")
                return
            self._pending.append(lines)
            self._pending_bytes += len(lines)
            self._news.notify()

    def reopen(self) -> None:
        """Go on in a new file: the old one has been moved away.

        Raises:
            OSError: it cannot be written; the old one stays.
        """
        fd = _open(self._path)
        with self._news:
            if self._next_fd is not None:
                self._let_go(self._next_fd)
            self._next_fd, self._before_next = fd, len(self._pending)
            self._news.notify()

    def close(self) -> None:
        """Write the rest, if the disk takes it, and no more."""
        with self._news:
            self._is_closing = True
            self._news.notify()
        self._thread.join(CLOSE_S)
        with self._news:
            self.dropped += sum(each.count(b"\n") for each in self._pending)
            self._pending.clear()

    def _run(self) -> None:
        while (lines := self._next()) is not None:
            written = self._write(lines) if lines else 0
            if written == len(lines):
                continue
            with self._news:
                self._give_back(lines, written)
                if self._is_closing:
                    break
                self._news.wait_for(lambda: self._is_closing or self._next_fd is not None, RETRY_S)
        self._let_go(self._fd)

    def _next(self) -> bytes | None:
        """Return what is to be written; None: nothing ever again."""
        with self._news:
            self._news.wait_for(lambda: self._pending or self._is_closing or self._next_fd is not None)
            if self._next_fd is not None and (self.failure or self._before_next <= 0):
                self._let_go(self._fd)
                self._fd, self._next_fd = self._next_fd, None
            if not self._pending:
                return None if self._is_closing else b""
            lines = self._pending.popleft()
            self._before_next -= 1
            self._pending_bytes -= len(lines)
            return lines

    def _write(self, lines: bytes) -> int:
        """Return how many bytes the file took."""
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            self.failure = error.strerror or str(error)
        else:
            self.failure = ""
        return len(lines) - len(left)

    def _give_back(self, lines: bytes, written: int) -> None:
        """Keep what was not written, but for the rest of a line that has been torn: it may go on in another file."""
        end = lines.rfind(b"\n", 0, written) + 1
        if end < written:
            self.dropped += 1
            end = lines.find(b"\n", written) + 1
            lines = lines[end:]
        else:
            lines = lines[end:]
        if lines:
            self._pending.appendleft(lines)
            self._pending_bytes += len(lines)

    def _let_go(self, fd: int) -> None:
        if self._path != "-":
            os.close(fd)


def _open(path: str) -> int:
    if path == "-":
        return sys.stdout.fileno()
    # A pipe that nobody reads is an error, not something to wait for.
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, _MODE)
    os.set_blocking(fd, True)
    return fd
