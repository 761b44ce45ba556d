"""From what the replica wants done to its being done: messages out, writes to the log, snapshots to be installed.

Several writes may be on their way to the disk; the replica hears of them in order.
"""

from collections import deque
from collections.abc import Callable

from fairlead.member.peering import Peering
from fairlead.member.replica import Replica
from fairlead.member.snapshots import Snapshots
from fairlead.member.work import Work
from fairlead.member.writer import Writer
from fairlead.wal import Checkpoint, Wal


class _InFlight:
    """A piece of work that has begun."""

    __slots__ = ("is_durable", "work")

    def __init__(self, work: Work, *, is_durable: bool) -> None:
        self.work = work
        self.is_durable = is_durable


class Pipeline:
    """The work of one replica that is under way.

    Args:
        replica: whose.
        writer: the log thread.
        peers: where messages go.
        snapshots: delivers and installs them.
        on_error: called when the disk fails.
        on_durable: called when the replica may have learnt something.
    """

    def __init__(
        self,
        replica: Replica,
        writer: Writer,
        peers: Peering,
        snapshots: Snapshots,
        *,
        on_error: Callable[[Exception], None],
        on_durable: Callable[[], None],
    ) -> None:
        self._replica = replica
        self._writer = writer
        self._peers = peers
        self._snapshots = snapshots
        self._on_error = on_error
        self._on_durable = on_durable
        self._in_flight: deque[_InFlight] = deque()
        self._is_stopped = False

    @property
    def is_busy(self) -> bool:
        """Whether a write is under way."""
        return bool(self._in_flight)

    def stop(self) -> None:
        """Let nothing more happen when a write is done."""
        self._is_stopped = True

    def do(self, work: Work) -> None:
        """Begin."""
        if work.send:
            # Followers take longer than all that is done here: their disks are to begin before this member's.
            self._peers.send(work.send, at_once=work.needs_disk)
        for message in work.snapshots:
            self._snapshots.deliver(message)
        if work.ready is None:
            return
        if work.needs_disk:
            self._write(work)
        elif self._in_flight:
            self._in_flight.append(_InFlight(work, is_durable=True))
        else:
            self._peers.send(self._replica.written(work))

    def _write(self, work: Work) -> None:
        ready, hard_state = work.ready, work.hard_state
        assert ready is not None
        flight = _InFlight(work, is_durable=False)
        self._in_flight.append(flight)
        self._peers.learn(ready.entries)
        snapshot = ready.snapshot

        def write(wal: Wal) -> None:
            if snapshot is not None:
                wal.checkpoint(Checkpoint(snapshot.term, snapshot.index))
            wal.append(ready.entries, hard_state)

        def written(error: Exception | None) -> None:
            if error is not None:
                self._on_error(error)
            elif self._is_stopped:
                return
            elif snapshot is not None:
                self._snapshots.install(snapshot, lambda: self._finish(flight))
            else:
                self._finish(flight)

        self._writer.submit(write, written)

    def _finish(self, flight: _InFlight) -> None:
        flight.is_durable = True
        if self._is_stopped:
            return
        in_flight = self._in_flight
        while in_flight and in_flight[0].is_durable:
            self._peers.send(self._replica.written(in_flight.popleft().work), at_once=True)
        self._on_durable()
