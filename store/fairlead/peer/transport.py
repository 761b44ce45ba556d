"""The transport: what one member says to the others, and hears from them."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import structlog

from fairlead.peer.codec import EntriesCache
from fairlead.peer.config import PeerConfig
from fairlead.peer.counters import Counters
from fairlead.peer.errors import PeerConfigError
from fairlead.peer.handlers import Handlers
from fairlead.peer.incoming import Incoming
from fairlead.peer.messages import PeerMessage
from fairlead.peer.peer import Peer
from fairlead.peer.shared import Shared
from fairlead.peer.tls import PeerTls, TlsContexts
from fairlead.peer.transfer import snapshot_name
from fairlead.peer.urls import Address, parse_url
from fairlead.raft import InstallSnapshot

_log = structlog.get_logger("fairlead.store")


class Transport:
    """What one member says to the others, and hears from them.

    Args:
        config: who we are, where, and every limit.
        handlers: the member.
        rng: where the jitter of redials comes from.
    """

    def __init__(self, config: PeerConfig, handlers: Handlers, *, rng: random.Random | None = None) -> None:
        self._config = config
        self._handlers = handlers
        self._rng = rng or random.SystemRandom()
        self._wanted: dict[int, tuple[Address, ...]] = {}
        self._peers: dict[int, Peer] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._unreachable: set[int] = set()
        self._is_removed = False
        self._ticker: asyncio.TimerHandle | None = None
        self._shared: Shared | None = None
        self._incoming: Incoming | None = None
        self.counters = Counters()
        self.on_round_trip: Callable[[int, float], None] = lambda _member, _seconds: None
        """Told of each measured round trip, for a histogram: the member, and seconds."""

    def __repr__(self) -> str:
        return f"<Transport of {self._config.member_id:x} peers={list(self._peers.values())}>"

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every socket that is listened on."""
        return self._incoming.addresses if self._incoming is not None else []

    async def start(self) -> None:
        """Listen for other members, and dial them.

        Raises:
            PeerConfigError: an address cannot be listened on, or a TLS file not be used; says what to mend.
        """
        loop = asyncio.get_running_loop()
        shared = Shared(
            config=self._config,
            handlers=self._handlers,
            contexts=TlsContexts(self._config.tls or PeerTls()),
            counters=self.counters,
            rng=self._rng,
            loop=loop,
            on_round_trip=self._note_round_trip,
            on_unreachable=self._note_unreachable,
            on_removed=self._note_removed,
        )
        incoming = Incoming(shared, self._heard_of)
        try:
            await incoming.start()
        except PeerConfigError:
            await incoming.stop()
            raise
        self._shared, self._incoming = shared, incoming
        self._dial(shared)
        self._tick(shared, incoming)

    async def stop(self) -> None:
        """Close everything."""
        shared, incoming = self._shared, self._incoming
        self._wanted.clear()
        if shared is None or incoming is None:
            return
        if self._ticker is not None:
            self._ticker.cancel()
        self._dial(shared)
        self._shared = self._incoming = None
        await incoming.stop()
        if self._stopping:
            await asyncio.wait(self._stopping)

    def set_peers(self, urls: Mapping[int, Sequence[str]]) -> None:
        """Take who the members are now, by id, and their peer URLs; ourselves may be among them.

        Streams to those that are gone or have moved are closed, and removed members are told.
        """
        self._wanted = {
            member: tuple(parse_url(url) for url in of_member)
            for member, of_member in urls.items()
            if member != self._config.member_id and of_member
        }
        if self._shared is not None and self._incoming is not None:
            self._dial(self._shared)
            self._incoming.refuse_removed()

    def _dial(self, shared: Shared) -> None:
        """Have streams to those who are wanted, and to nobody else."""
        for member, peer in list(self._peers.items()):
            if self._wanted.get(member) != peer.addresses:
                del self._peers[member]
                task = shared.loop.create_task(peer.stop())
                self._stopping.add(task)
                task.add_done_callback(self._stopping.discard)
        for member, addresses in self._wanted.items():
            if member not in self._peers:
                self._peers[member] = Peer(member, addresses, shared)

    def send(self, messages: Iterable[PeerMessage]) -> None:
        """Send what can be sent, and drop the rest; never blocks.  Snapshots go by `send_snapshot`."""
        cache = EntriesCache()
        for message in messages:
            assert type(message) is not InstallSnapshot, "a snapshot goes with its content"
            peer = self._peers.get(message.to)
            if peer is None or not peer.send(message, cache):
                self._note_unreachable(message.to)

    def flush(self) -> None:
        """Write what was sent at once, instead of at the end of the turn."""
        for peer in self._peers.values():
            peer.flush()

    def send_snapshot(self, message: InstallSnapshot, path: Path, done: Callable[[bool], None]) -> None:
        """Send a snapshot file, over as many connections as it takes.

        Args:
            message: for the receiver to step once it has the file.
            path: the file as ``fairlead.wal.save_snapshot`` made it; it is kept open, and may be removed.
            done: called once, and not from within, with whether the receiver has it on disk.  One snapshot goes
                to a peer at a time: another one is not delivered.
        """
        assert path.name == snapshot_name(message.snapshot), f"{path.name} is no file of {message.snapshot}"
        peer = self._peers.get(message.to)
        if peer is not None:
            peer.send_snapshot(message, path, done)
        else:
            asyncio.get_running_loop().call_soon(done, False)

    def round_trip_s(self, member: int) -> float | None:
        """Return the newest round trip to a member in seconds; None: it is not connected, or not measured yet."""
        peer = self._peers.get(member)
        return None if peer is None else peer.round_trip_s

    def is_connected(self, member: int) -> bool:
        """Return whether both our streams to a member are open."""
        peer = self._peers.get(member)
        return peer is not None and peer.is_connected

    def _heard_of(self, member: int) -> None:
        peer = self._peers.get(member)
        if peer is not None:
            peer.nudge()

    def _note_round_trip(self, member: int, round_trip_s: float) -> None:
        self.on_round_trip(member, round_trip_s)

    def _note_unreachable(self, member: int) -> None:
        if self._shared is None:
            return
        if not self._unreachable:
            self._shared.loop.call_soon(self._report_unreachable)
        self._unreachable.add(member)

    def _report_unreachable(self) -> None:
        members, self._unreachable = self._unreachable, set[int]()
        if self._shared is None:
            return
        for member in sorted(members):
            self._handlers.on_unreachable(member)

    def _note_removed(self, text: str) -> None:
        if not self._is_removed:
            self._is_removed = True
            self._handlers.on_removed(text)

    def _tick(self, shared: Shared, incoming: Incoming) -> None:
        _refresh(shared.contexts)
        incoming.tick()
        for peer in self._peers.values():
            peer.tick()
        self._ticker = shared.loop.call_later(self._config.ping_interval_s, self._tick, shared, incoming)


def _refresh(contexts: TlsContexts) -> None:
    try:
        if contexts.refresh():
            _log.info("took the renewed certificates of the peer port")
    except PeerConfigError as error:
        _log.error("cannot take the renewed certificates of the peer port, kept the old", why=str(error))
