"""Clients that watch: over the server's own `WatchStream`, with resume after every break.

A connection keeps its order and takes its time; some are slow, so that the server has to hold events back and catch
the watcher up from the history.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.sim.machines import Machine

from fairlead.proto import rpc_pb2 as pb

if TYPE_CHECKING:
    from tests.sim.shell import Shell
    from tests.sim.world import World

    from fairlead.api.watch import WatchStream

_BYTES_PER_MESSAGE = 400_000
"""What a message on its way counts for: three of them fill what the server buffers for a slow client."""
_KEEP_S = 4.0
_RETRY_S = 0.3


@dataclass(slots=True)
class Watched:
    """What one watch was told, in order.

    Attributes:
        start_revision: as it was asked for; 0 is from now on.
        session: the run of a member that told it.
        messages: decoded; the one that says "created" first.
        is_resumed: it goes on where one before it broke off.
    """

    key: bytes
    range_end: bytes
    start_revision: int
    prev_kv: bool
    session: tuple[int, int]
    is_resumed: bool = False
    messages: list[pb.WatchResponse] = field(default_factory=list)


class Connection:
    """The server's side of a stream, and the way to the client; what `WatchStream` takes for its call."""

    def __init__(self, world: "World", *, delay_s: float, receive: Callable[[bytes], None]) -> None:
        self._world = world
        self._delay_s = delay_s
        self._receive = receive
        self._last_s = 0.0
        self._on_way = 0
        self.is_open = True
        self.number = world.new_client_name()
        self.peer = "simulated"

    @property
    def buffered_bytes(self) -> int:
        """How much has not reached the client."""
        return self._on_way * _BYTES_PER_MESSAGE

    def metadata(self, name: str) -> str | None:
        """The client sends none."""
        del name
        return None

    def send(self, data: bytes) -> None:
        """Take a message on its way."""
        scheduler = self._world.scheduler
        self._on_way += 1
        self._last_s = max(self._last_s, scheduler.now_s + self._delay_s)
        scheduler.after(self._last_s - scheduler.now_s, lambda: self._arrive(data))

    def _arrive(self, data: bytes) -> None:
        self._on_way -= 1
        if self.is_open:
            self._receive(data)

    def finish(self, code: object, detail: str) -> None:
        """End the stream."""
        del code, detail
        self.is_open = False


class WatchClient:
    """One client that watches a key, or all keys, for as long as the world lasts."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.number = number
        self.rng = world.chance(f"watcher {number}")
        self.key, self.range_end = (b"k", b"l") if number == 0 or self.rng.random() < 0.4 else (b"k0", b"")
        self.prev_kv = self.rng.random() < 0.5
        self.is_historian = number == 2
        """It does not go on where it was, but begins somewhere in the past, or in the future."""
        self.next_revision = 0
        self.watched: list[Watched] = []
        self._connection: Connection | None = None
        self._machine: Machine | None = None
        self._stream: WatchStream | None = None

    def begin(self) -> None:
        """Connect soon."""
        self.world.scheduler.after(self.rng.random(), self._connect)

    def _connect(self) -> None:
        world = self.world
        running = [machine for machine in world.machines if machine.is_up]
        if self._connection is not None or not running:
            world.scheduler.after(_RETRY_S, self._connect)
            return
        machine = self.rng.choice(running)
        is_slow = self.rng.random() < 0.3 and not world.is_healed
        delay_s = 0.3 if is_slow else 0.002 + 0.01 * self.rng.random()
        if is_slow:
            world.coverage.event("watcher slow")
        if self.is_historian:
            self.next_revision = self._somewhere()
        connection = Connection(world, delay_s=delay_s, receive=lambda data: self._received(connection, data))
        self._connection, self._machine = connection, machine
        process = machine.process
        assert process is not None
        machine.connections.append(lambda: self._broken(connection))
        world.log(f"w{self.number}", f"watches at m{machine.slot} from {self.next_revision}")
        if self.watched:
            world.coverage.event("watch resumed")
        process.run(lambda: self._open(process.shell, connection))
        if not world.is_healed:
            world.scheduler.after(self.rng.expovariate(1 / _KEEP_S), lambda: self._broken(connection))

    def _somewhere(self) -> int:
        stores = [shell.replica.machine.store for shell in self.world.shells()]
        if self.world.is_healed:
            return max((1, *(store.compact_revision for store in stores)))
        if self.rng.random() < 0.4:
            return self.world.compacted_to
        newest = max((store.revision for store in stores), default=1)
        return max(1, newest + self.rng.randrange(-12, 4))

    def _open(self, shell: "Shell", connection: Connection) -> None:
        if self._connection is not connection:
            return  # broken off before the member, standing still, had taken it up
        self._stream = shell.watch(connection)
        watched = Watched(
            self.key,
            self.range_end,
            self.next_revision,
            self.prev_kv,
            shell.machine.session,
            is_resumed=bool(self.watched),
        )
        self.watched.append(watched)
        create = pb.WatchCreateRequest(
            key=self.key,
            range_end=self.range_end,
            start_revision=self.next_revision,
            prev_kv=self.prev_kv,
            progress_notify=True,
        )
        self._stream.on_message(pb.WatchRequest(create_request=create).SerializeToString())

    def _broken(self, connection: Connection) -> None:
        if self._connection is not connection:
            return
        self._connection = None
        connection.is_open = False
        stream, self._stream = self._stream, None
        machine = self._machine
        if stream is not None and machine is not None and machine.process is not None:
            process = machine.process
            if process.shell.has_stream(stream):
                process.run(stream.on_cancel)
        self.world.scheduler.after(_RETRY_S * self.rng.random(), self._connect)

    def _received(self, connection: Connection, data: bytes) -> None:
        if self._connection is not connection:
            return
        response = pb.WatchResponse.FromString(data)
        self.watched[-1].messages.append(response)
        self.world.log(f"w{self.number}", _described(response))
        if response.canceled:
            self.world.coverage.event("watch overtaken")
            self.next_revision = max(self.next_revision, response.compact_revision)
            self._broken(connection)
            return
        self._learn(response)

    def _learn(self, response: pb.WatchResponse) -> None:
        """Take note of where to go on after a break, as etcd's client does."""
        if response.events:
            seen = response.events[-1].kv.mod_revision
        elif not response.created or not self.next_revision:
            seen = response.header.revision  # progress; or a watch from now on has begun
        else:
            return
        self.next_revision = max(self.next_revision, seen + 1)

    def has_all(self, shells: "list[Shell]") -> bool:
        """Whether it has been told everything, as far as its progress messages say."""
        revision = max((shell.replica.machine.store.revision for shell in shells), default=1)
        is_waiting = bool(self.watched) and self.watched[-1].start_revision > revision
        return self._connection is not None and (is_waiting or self.next_revision > revision)


def _described(response: Any) -> str:
    if response.created:
        return f"created at {response.header.revision}"
    if response.canceled:
        return f"cancelled: compacted to {response.compact_revision}"
    events = [f"{event.kv.key.decode()}@{event.kv.mod_revision}" for event in response.events]
    return f"told at {response.header.revision}: {' '.join(events) or 'progress'}"
