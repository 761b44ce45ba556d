"""How to get through to an address: TCP, TLS and handshake, within a time."""

import asyncio
from collections.abc import Callable
from typing import Final

from fairlead.peer.connection import Connection
from fairlead.peer.errors import PeerError, PeerUnreachableError
from fairlead.peer.frames import FrameKind
from fairlead.peer.tls import TlsContexts
from fairlead.peer.urls import Address
from fairlead.peer.wire import Wire, describe

_CERTIFICATE_HINT: Final = (
    "; it may not take our certificate: check --peer-cert-file here, --peer-trusted-ca-file there"
)


class Line:
    """Owner of a wire that we dialled: what becomes of it, as futures.

    Args:
        receive: takes the frames that are not the connection's own business.

    Attributes:
        opened: done when hands are shaken; fails with why they are not.
        closed: done, with the reason, when the connection is gone.
    """

    def __init__(self, receive: Callable[[FrameKind, bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[Wire] = loop.create_future()
        self.closed: asyncio.Future[PeerError] = loop.create_future()
        self._receive = receive

    def wire_made(self, wire: Wire) -> None:
        """See `fairlead.peer.wire.Owner`."""

    def wire_opened(self, wire: Wire) -> None:
        """See `fairlead.peer.wire.Owner`."""
        if not self.opened.done():
            self.opened.set_result(wire)

    def wire_received(self, wire: Wire, kind: FrameKind, payload: bytes) -> None:  # noqa: ARG002 - it has only one
        """See `fairlead.peer.wire.Owner`."""
        self._receive(kind, payload)

    def wire_closed(self, wire: Wire, error: PeerError) -> None:  # noqa: ARG002 - it has only one
        """See `fairlead.peer.wire.Owner`."""
        if not self.opened.done():
            self.opened.set_exception(error)
        if not self.closed.done():
            self.closed.set_result(error)


async def dial(
    line: Line,
    address: Address,
    *,
    connection: Connection,
    contexts: TlsContexts,
    queue_bytes_max: int,
    timeout_s: float,
) -> Wire:
    """Return the open wire to ``address``.

    Raises:
        HandshakeError: the other end will not have us, or is not whom ``connection`` looks for.
        PeerError: otherwise nobody answers, or not as a member does.
    """
    wire = Wire(connection, line, queue_bytes_max=queue_bytes_max)
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().create_connection(
                lambda: wire, address.host, address.port, ssl=contexts.client if address.is_tls else None
            )
            return await line.opened
    except TimeoutError as error:
        raise PeerUnreachableError(f"{address}: no answer within {timeout_s:g} s") from error
    except PeerError as error:
        # TLS 1.3: who asks for a certificate says after the handshake, if at all, that it does not like ours.
        is_hinted = address.is_tls and isinstance(error, PeerUnreachableError)
        raise type(error)(f"{address}: {error}{_CERTIFICATE_HINT if is_hinted else ''}") from error
    except OSError as error:
        raise PeerUnreachableError(f"{address}: {describe(error)}") from error
    finally:
        if not wire.connection.is_open:
            wire.abort(PeerUnreachableError(f"{address}: given up"))
