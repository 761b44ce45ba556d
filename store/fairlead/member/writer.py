"""The log thread: writes what it is given, and makes all that waits durable by one fdatasync.

Group commit falls out by itself: while one fdatasync runs, the next writes queue up, and share theirs.
"""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from fairlead.member.histogram import Histogram
from fairlead.wal import Checkpoint, Wal

Job = Callable[[Wal], None]
"""Writes to the log, and need not sync."""
Done = Callable[[Exception | None], None]


class Writer:
    """One thread that owns the log while the member runs.

    Args:
        wal: the open log; nobody else may touch it.
        post: runs a callable on the member's own thread (``loop.call_soon_threadsafe``).
    """

    def __init__(self, wal: Wal, post: Callable[..., object]) -> None:
        self._wal = wal
        self._post = post
        self.durations = Histogram()
        self._jobs: SimpleQueue[tuple[Job, Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fairlead-wal", daemon=True)
        self._thread.start()

    def submit(self, job: Job, done: Done) -> None:
        """Run ``job`` on the log and sync, then ``done`` on the member's thread with the error it met, or None.

        Jobs are done in order, and their ``done`` are called in order.
        """
        self._jobs.put((job, done))

    def checkpoint(self, checkpoint: Checkpoint, done: Done) -> None:
        """Note in the log that nothing up to ``checkpoint`` is needed any more; free old segments."""

        def job(wal: Wal) -> None:
            wal.checkpoint(checkpoint)
            wal.release(checkpoint.index)

        self.submit(job, done)

    def close(self) -> None:
        """Finish what was submitted, then close the log."""
        self._jobs.put(None)
        self._thread.join()
        self._wal.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch = [self._jobs.get()]
            while True:
                try:
                    batch.append(self._jobs.get_nowait())
                except Empty:
                    break
            is_open = batch[-1] is not None
            self._do([work for work in batch if work is not None])

    def _do(self, batch: list[tuple[Job, Done]]) -> None:
        if not batch:
            return
        began_s = time.monotonic()
        failure: Exception | None = None
        try:
            for job, _ in batch:
                job(self._wal)
            self._wal.sync()
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to be told
            # Which of them reached the disk, nobody knows: none did.
            failure = error
        else:
            self.durations.observe(time.monotonic() - began_s)
        self._post(_tell, [done for _, done in batch], failure)


def _tell(waiting: list[Done], failure: Exception | None) -> None:
    for done in waiting:
        done(failure)
