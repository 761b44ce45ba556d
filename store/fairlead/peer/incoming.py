"""Connections that others make to us: who may, and where what they say goes."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from fairlead.peer.codec import decode_message
from fairlead.peer.download import Downloads
from fairlead.peer.errors import (
    BusyError,
    HandshakeError,
    PeerConfigError,
    PeerDecodeError,
    PeerError,
    PeerListenError,
    PeerUnreachableError,
    RemovedError,
)
from fairlead.peer.frames import FrameKind
from fairlead.peer.guest import answer
from fairlead.peer.handshake import StreamKind
from fairlead.peer.shared import Shared
from fairlead.peer.urls import parse_url
from fairlead.peer.wire import Wire
from fairlead.raft import InstallSnapshot

if TYPE_CHECKING:
    import asyncio

_SAID_MAX: Final = 1024
_log = structlog.get_logger("fairlead.store")


class Incoming:
    """Everything that others have opened.

    Args:
        shared: what all connections share.
        heard_of: told of a member whenever it opens a connection.
    """

    def __init__(self, shared: Shared, heard_of: Callable[[int], None]) -> None:
        self._shared = shared
        self._heard_of = heard_of
        self._downloads = Downloads(shared)
        self._wires: set[Wire] = set()
        self._servers: list[asyncio.Server] = []
        self._refused: set[tuple[str, str]] = set()
        self._cut_off: set[tuple[str, str]] = set()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every socket that is listened on."""
        return [sock.getsockname()[:2] for server in self._servers for sock in server.sockets]

    async def start(self) -> None:
        """Listen at every listen URL.

        Raises:
            PeerConfigError: one is no URL, or needs a certificate that is not given.
            PeerListenError: one is taken, not ours, or not permitted.
        """
        shared = self._shared
        for url in shared.config.listen_urls:
            address = parse_url(url)
            tls = shared.contexts.server if address.is_tls else None
            if address.is_tls and tls is None:
                raise PeerConfigError(f"{url} needs a certificate; give --peer-cert-file and --peer-key-file")
            handshake_s = None if tls is None else shared.config.dial_timeout_s
            try:
                server = await shared.loop.create_server(
                    self._wire, address.host, address.port, ssl=tls, ssl_handshake_timeout=handshake_s
                )
            except OSError as error:
                # asyncio wraps the system's text in its own; errno has the plain one.
                problem = os.strerror(error.errno) if error.errno else str(error)
                raise PeerListenError(url, problem.lower()) from error
            self._servers.append(server)

    async def stop(self) -> None:
        """Take no more connections, and end those there are."""
        for server in self._servers:
            server.close()
        for wire in list(self._wires):
            wire.abort(PeerUnreachableError("closed by this end"))
        await self._downloads.stop()

    def tick(self) -> None:
        """Let a ping interval pass."""
        for wire in list(self._wires):
            wire.tick()

    def refuse_removed(self) -> None:
        """End the connections of members that were removed, and tell them."""
        for wire in list(self._wires):
            hello = wire.connection.hello
            if hello is not None and self._shared.handlers.is_removed(hello.sender.member_id):
                error = RemovedError(f"member {hello.sender.member_id:x} was removed from the cluster")
                wire.connection.refuse(error)
                wire.close(error)

    def _wire(self) -> Wire:
        connection = self._shared.connection(None)
        return Wire(connection, self, queue_bytes_max=self._shared.config.queue_bytes_max)

    # What the wires tell.

    def wire_made(self, wire: Wire) -> None:
        """See `fairlead.peer.wire.Owner`."""
        self._wires.add(wire)
        if len(self._wires) > self._shared.config.connections_max:
            error = BusyError(f"{self._shared.config.connections_max} connections are open already")
            wire.connection.refuse(error)
            wire.close(error)

    def wire_opened(self, wire: Wire) -> None:
        """See `fairlead.peer.wire.Owner`."""
        hello = wire.connection.hello
        assert hello is not None
        if hello.stream is not StreamKind.GUEST:
            host = wire.remote_host
            self._refused = {said for said in self._refused if said[0] != host}
            self._heard_of(hello.sender.member_id)

    def wire_received(self, wire: Wire, kind: FrameKind, payload: bytes) -> None:
        """See `fairlead.peer.wire.Owner`."""
        if kind is FrameKind.MESSAGE:
            self._take_message(wire, payload)
        elif kind is FrameKind.SNAPSHOT_CHUNK:
            self._downloads.received(wire, payload)
        elif kind is FrameKind.SNAPSHOT_OFFER:
            self._downloads.offered(wire, payload)
        else:
            wire.offer(FrameKind.ANSWER, answer(payload, self._shared.handlers))

    def _take_message(self, wire: Wire, payload: bytes) -> None:
        message = decode_message(payload)
        hello = wire.connection.hello
        assert hello is not None
        if message.sender != hello.sender.member_id or message.to != hello.to:
            raise PeerDecodeError(f"a message from {message.sender:x} to {message.to:x}, neither of us")
        if type(message) is InstallSnapshot:
            raise PeerDecodeError("a snapshot without its content")
        counters = self._shared.counters.peer(message.sender)
        counters.received_messages += 1
        counters.received_bytes += len(payload)
        self._shared.handlers.on_message(message)

    def wire_closed(self, wire: Wire, error: PeerError) -> None:
        """See `fairlead.peer.wire.Owner`."""
        self._wires.discard(wire)
        self._downloads.closed(wire)
        if isinstance(error, HandshakeError):
            self._say_once("refused a peer", wire, error, said=self._refused)
        elif isinstance(error, PeerDecodeError):
            self._say_once("cut off a peer: it sent nonsense", wire, error, said=self._cut_off)

    def _say_once(self, event: str, wire: Wire, error: PeerError, *, said: set[tuple[str, str]]) -> None:
        """Say why a host was turned away, not at each of its attempts; and count."""
        self._shared.counters.refused[type(error).__name__] += 1
        reason = (wire.remote_host, str(error))
        if reason not in said:
            if len(said) >= _SAID_MAX:
                said.clear()
            said.add(reason)
            _log.warning(event, host=reason[0], why=reason[1])
