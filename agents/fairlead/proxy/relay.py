"""TCP as it is: a connection of a client's, joined to one of a backend's servers; nobody looks inside.

The balancer chooses as for a request; a server that cannot be reached is passed over for the next.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, cast

from fairlead.proxy.balance import DIAL_TIMEOUT, REFUSED, Failure
from fairlead.proxy.plan import Plan
from fairlead.proxy.proxy_protocol import ProxyHeader, write_header
from fairlead.proxy.split import Split
from fairlead.proxy.state import Group, ServerState

if TYPE_CHECKING:
    from fairlead.proxy.service import Service

HANDSHAKE_S = 10.0
"""For a client's TLS."""
_ATTEMPTS_MAX = 3


class _Waiting(asyncio.Protocol):
    """Holds what comes until the other side is there; after the first piece it reads no more."""

    def __init__(self) -> None:
        self._data = b""
        self._has_ended = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._has_ended = True
        return self.transport.can_write_eof()

    def hand_over(self, successor: asyncio.Protocol) -> None:
        """Tell ``successor`` what has happened so far; it goes on."""
        if self._data:
            successor.data_received(self._data)
        if self._has_ended:
            successor.eof_received()
        elif not self.transport.is_closing():
            self.transport.resume_reading()


async def relay(
    service: "Service",
    accepted: socket.socket,
    choose: Split,
    *,
    name: bytes,
    ends: ProxyHeader,
    context: ssl.SSLContext | None = None,
    on_end: Callable[[], None] = lambda: None,
) -> None:
    """Join ``accepted`` to a server, or close it when there is none.

    Args:
        service: whose backends they are.
        accepted: the client's connection, of which nothing has been read.
        choose: says to which backend each attempt goes.
        name: the host that the client asked for, for balancers that hash; ``b""`` for none.
        ends: who the client is, and what it connected to.
        context: ends the client's TLS; None: it goes on as it is, whatever it is.
        on_end: called once, when the connection is over.
    """
    snapshot = service.snapshot
    plan = Plan(service.blank_request(name), snapshot, peer=(ends.source or ("", 0))[0].encode(), port=b"")
    tried: tuple[ServerState, ...] = ()
    while len(tried) < _ATTEMPTS_MAX:
        group = choose(plan, snapshot.groups, perf_counter())
        if group is None:
            break
        server = group.balancer.choose(plan, tried, perf_counter())
        if not isinstance(server, ServerState) or server in tried:
            break
        server.requests += 1
        server.in_flight += 1
        dialled = await _dial(service, group, server)
        if isinstance(dialled, _Waiting):
            if server.proxy_protocol:
                dialled.transport.write(write_header(server.proxy_protocol, ends.source, ends.destination))
            await _join(service, accepted, dialled, group, server, context=context, on_end=on_end)
            return
        service.stats.connects_failed += 1
        _leave(group, server, failure=dialled)
        tried = (*tried, server)
    accepted.close()
    on_end()


async def _dial(service: "Service", group: Group, server: ServerState) -> _Waiting | Failure:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(group.dial_s):
            _, waiting = await loop.create_connection(
                _Waiting, server.server.host, server.server.port, **service.server_tls.options(server)
            )
    except TimeoutError:
        return DIAL_TIMEOUT
    except OSError:
        return REFUSED
    return waiting


async def _join(
    service: "Service",
    accepted: socket.socket,
    dialled: _Waiting,
    group: Group,
    server: ServerState,
    *,
    context: ssl.SSLContext | None,
    on_end: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    client = _Waiting()  # Over TLS uvloop hands back a protocol of its own.
    try:
        await loop.connect_accepted_socket(
            lambda: client,
            accepted,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_S if context is not None else None,
        )
    except OSError:
        dialled.transport.abort()
        _leave(group, server, failure=None)
        on_end()
        return

    def leave() -> None:
        _leave(group, server, failure=None)
        on_end()

    service.join(client.transport, dialled.transport, leave)
    for each in (client, dialled):
        each.hand_over(cast("asyncio.Protocol", each.transport.get_protocol()))


def _leave(group: Group, server: ServerState, *, failure: Failure | None) -> None:
    server.in_flight -= 1
    status = 0 if failure is not None else 200
    group.balancer.ended(server, status=status, failure=failure, head_us=0, now_s=perf_counter())
