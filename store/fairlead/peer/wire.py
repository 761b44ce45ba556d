"""One transport of the loop and the connection on it; decides nothing about the protocol."""

import asyncio
import os
import socket
import ssl
import time
from typing import Final, Protocol, cast

from fairlead.peer.connection import Connection
from fairlead.peer.errors import PeerError, PeerSilentError, PeerUnreachableError
from fairlead.peer.frames import FrameKind, encode_frame

_LINGER_S: Final = 1.0
"""How long our last words may be on their way."""


class Owner(Protocol):
    """Whom a wire serves."""

    def wire_made(self, wire: "Wire") -> None:
        """Learn that there is a connection, with nothing said on it."""

    def wire_opened(self, wire: "Wire") -> None:
        """Learn that hands are shaken."""

    def wire_received(self, wire: "Wire", kind: FrameKind, payload: bytes) -> None:
        """Take a frame; a `PeerError` that is raised ends the connection."""

    def wire_closed(self, wire: "Wire", error: PeerError) -> None:
        """Learn that it is gone, opened or not, and why."""


class Wire(asyncio.Protocol):
    """Carries bytes and time between a transport and a connection: one write for each turn of the loop.

    Args:
        connection: our end.
        owner: told of what happens.
        queue_bytes_max: what may wait to be sent.
    """

    __slots__ = (
        "_error",
        "_loop",
        "_out",
        "_out_bytes",
        "_owner",
        "_queue_bytes_max",
        "_transport",
        "_written_bytes",
        "connection",
        "is_closed",
    )

    def __init__(self, connection: Connection, owner: Owner, *, queue_bytes_max: int) -> None:
        self.connection = connection
        self.is_closed = False
        self._owner = owner
        self._queue_bytes_max = queue_bytes_max
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._written_bytes = 0
        self._error: PeerError | None = None

    def __repr__(self) -> str:
        return f"<Wire {self.connection!r} waiting={self._out_bytes}>"

    @property
    def remote_host(self) -> str:
        """The address of the other end, without its port."""
        assert self._transport is not None
        return str((self._transport.get_extra_info("peername") or ("an unknown address",))[0])

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say the first words."""
        # uvloop's transports have asyncio's methods, but not its classes.
        self._transport = cast("asyncio.Transport", transport)
        if self.is_closed:
            self._transport.abort()
            return
        self._owner.wire_made(self)
        self._push(self.connection.take())

    def data_received(self, data: bytes) -> None:
        """Let the connection take ``data``, and its owner what comes of it."""
        if self.is_closed:
            return
        connection = self.connection
        was_open = connection.is_open
        try:
            frames = connection.receive(data, now_s=time.perf_counter())
            if connection.is_open and not was_open:
                self._owner.wire_opened(self)
            for kind, payload in frames:
                self._owner.wire_received(self, kind, payload)
        except PeerError as error:
            self.close(error)
        else:
            self._push(connection.take())

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the owner know why."""
        self.is_closed = True
        text = describe(exc) if isinstance(exc, OSError) else str(exc or "closed by the other end")
        self._owner.wire_closed(self, self._error or PeerUnreachableError(text))

    # What the owner calls.

    def offer(self, kind: FrameKind, payload: bytes) -> bool:
        """Send a frame with what else is sent in this turn; return False, and drop it, if there is no room."""
        if self.is_closed or self._transport is None:
            return False
        waiting = self._out_bytes + self._transport.get_write_buffer_size()
        if waiting + len(payload) > self._queue_bytes_max:
            return False
        self._push(encode_frame(kind, payload))
        return True

    def tick(self) -> None:
        """Let a ping interval pass."""
        if self.is_closed or self._transport is None:
            return
        backlog = self._transport.get_write_buffer_size()
        drained = self._written_bytes - backlog
        try:
            self.connection.tick(now_s=time.perf_counter(), drained_bytes=drained, has_backlog=backlog > 0)
        except PeerSilentError as error:
            self.abort(error)
        else:
            self._push(self.connection.take())

    def close(self, error: PeerError) -> None:
        """End, once what was written is sent; one that does not take it is not waited for."""
        self._error = self._error or error
        self._push(self.connection.take())
        self.flush()
        self.is_closed = True
        if self._transport is not None:
            self._transport.close()
            self._loop.call_later(_LINGER_S, self._transport.abort)

    def abort(self, error: PeerError) -> None:
        """End at once, made or not."""
        self._error = self._error or error
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def _push(self, data: bytes) -> None:
        if data:
            if not self._out:
                self._loop.call_soon(self.flush)
            self._out.append(data)
            self._out_bytes += len(data)

    def flush(self) -> None:
        """Write what waits for the end of the turn now: whoever it is for should not wait for the rest of the turn."""
        if self._out and self._transport is not None and not self.is_closed:
            self._written_bytes += self._out_bytes
            self._transport.write(b"".join(self._out))
        self._out.clear()
        self._out_bytes = 0


def describe(error: OSError) -> str:
    """Return what went wrong, in a line that says what to look at."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); check --peer-trusted-ca-file, and the names "
            "in the certificate"
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).lower().replace("_", " ")
        return f"TLS failed ({reason}); check whether its peer URL is https, and the --peer-* certificates"
    if isinstance(error, socket.gaierror):
        return f"the name has no address ({error.strerror})"
    # asyncio wraps the system's text in its own; errno has the plain one.
    return os.strerror(error.errno).lower() if error.errno else str(error)
