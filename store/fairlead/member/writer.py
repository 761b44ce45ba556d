"""The log thread: writes batches and makes them durable, one fdatasync for each.

Group commit falls out by itself: while one batch is on its way to the disk, the next one collects in the
replica.
"""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from fairlead.member.histogram import Histogram
from fairlead.wal import Checkpoint, Wal

Job = Callable[[Wal], None]
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
        """Run ``job`` on the log, then ``done`` on the member's thread with the error it met, or None."""
        self._jobs.put((job, done))

    def checkpoint(self, checkpoint: Checkpoint, *, keep_from: int, done: Done) -> None:
        """Note in the log that everything up to ``checkpoint`` is in the database file; free old segments."""

        def job(wal: Wal) -> None:
            wal.checkpoint(checkpoint)
            wal.sync()
            wal.release(keep_from)

        self.submit(job, done)

    def close(self) -> None:
        """Finish what was submitted, then close the log."""
        self._jobs.put(None)
        self._thread.join()
        self._wal.close()

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            job, done = work
            began_s = time.monotonic()
            try:
                job(self._wal)
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to be told
                self._post(done, error)
            else:
                self.durations.observe(time.monotonic() - began_s)
                self._post(done, None)
