"""The data path's common ground: what every connection of one process shares.

One ``Service`` owns the listening socket, the snapshot in force, the parsers, the timer wheel, the
counters, and the tasks of the data path.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fairlead.proxy.ambiguity import Ambiguity
from fairlead.proxy.certificates import Certificates
from fairlead.proxy.client_side import ClientConnection
from fairlead.proxy.config import TICK_S, Limits
from fairlead.proxy.dialing import Dialer, ServerTls
from fairlead.proxy.forwarding import Forwarding
from fairlead.proxy.http2 import Http2Client
from fairlead.proxy.listening import Door, Doors
from fairlead.proxy.model import Listener
from fairlead.proxy.origin import NOBODY, Origin
from fairlead.proxy.plan import CHALLENGE_PATH, Plan, challenge_plan, make_plan
from fairlead.proxy.request import HOST, Request, RequestParser
from fairlead.proxy.response import ResponseParser
from fairlead.proxy.router import Router
from fairlead.proxy.server_side import ServerConnection
from fairlead.proxy.state import ServerState, Snapshot
from fairlead.proxy.stats import Stats
from fairlead.proxy.timers import Wheel
from fairlead.proxy.tunnel import Tunnel

if TYPE_CHECKING:
    from fairlead.proxy.dialing import Connecting, Dialing
    from fairlead.proxy.record import Observer
    from fairlead.proxy.seams import ServerSide

_LOG = logging.getLogger(__name__)


class Service:
    """What the connections share.  Everything here happens on one event loop.

    Attributes:
        forwarding: whose word is taken for whom a request is from, where a listener does not say it itself.
        snapshot: the configuration in force; assigning another one is the whole switch.
        dialer: opens connections to servers; server_tls: how TLS is spoken to them.
        rng: chooses among backends where chance does.
        doors: the sockets that clients come to; certificates: for those that speak TLS.
        observers: told of every request that is over (access log, metrics, traces).
        on_tick: called every ``TICK_S`` with the monotonic time (queues, slow start, flushing of logs).
        challenges: what an authority is answered that asks for a proof over HTTP, by token (RFC 8555, section 8.3).
        on_switch: called after each switch, with the revision that was in force before.
        is_draining: answers carry ``Connection: close``, and nothing new is accepted.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        certificates: Certificates | None = None,
        rng: random.Random | None = None,
        ambiguity: Ambiguity | None = None,
        forwarding: Forwarding = NOBODY,
    ) -> None:
        self.forwarding = forwarding
        self.limits = limits or Limits()
        self.observers: tuple[Observer, ...] = ()
        self.on_tick: tuple[Callable[[float], None], ...] = ()
        self.challenges: dict[bytes, bytes] = {}
        self.on_switch: tuple[Callable[[int], None], ...] = ()
        self.snapshot = Snapshot(0, Router(()), {}, {})
        self.stats = Stats()
        self.wheel = Wheel(lambda seconds, ring: asyncio.get_running_loop().call_later(seconds, ring))
        self.response_parser = ResponseParser(self.limits)
        self.is_draining = False
        self.request_parser = RequestParser(self.limits, ambiguity)
        # RFC 9110, section 7.6.3: a name in Via; the number tells two of us apart when a route is a circle.
        self.rng = rng or random.SystemRandom()
        self.pseudonym = b"fairlead-%08x" % self.rng.getrandbits(32)
        self._clients: set[ClientConnection | Http2Client] = set()
        self._tunnels: set[Tunnel] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.certificates = certificates or Certificates(None)
        self.doors = Doors(self)
        self._first: Door | None = None
        self.dialer: Dialing = Dialer(self)
        self.server_tls = ServerTls()
        self._ticker: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    # Life

    async def bind(self, host: str, port: int) -> tuple[str, int]:
        """Take the address, so that one in use is known at once; return it, with the real port for 0.

        Raises:
            OSError: the address cannot be had.
        """
        self._first = self.doors.bind(Listener(id="", host=host, port=port))
        address = self._first.socket.getsockname()
        return str(address[0]), int(address[1])

    async def start(self) -> None:
        """Accept clients from now on."""
        if self._first is not None:
            await self.doors.open(self._first)
        self._tick()

    async def drain(self, *, limit_s: float | None = None) -> None:
        """Stop accepting, finish what is under way within ``limit_s`` seconds; then end all that is left."""
        patience_s = self.limits.drain_s if limit_s is None else limit_s
        self.is_draining = True
        self.doors.close()
        for client in list(self._clients):
            client.expect_last()
        # Who was let in a moment ago is a client only after a turn of the loop, or after a handshake.
        await asyncio.sleep(min(patience_s, self.limits.drain_idle_s))
        if not await self._outlast(self._clients, patience_s):
            _LOG.warning("%d requests were still under way and are cut off", len(self._clients))
        for tunnel in list(self._tunnels):
            tunnel.leave()
        if any(each.is_leaving for each in self._tunnels):
            leave_s = self.limits.tunnel_leave_s
            await self._outlast(self._tunnels, leave_s if limit_s is None else min(leave_s, limit_s))
        self._end()

    async def _outlast(self, those: set[Any], seconds: float) -> bool:
        """Wait until none is left of ``those``, for so long; return whether none is."""
        try:
            async with asyncio.timeout(seconds):
                while those:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def _end(self) -> None:
        for client in list(self._clients):
            client.transport.abort()
        for tunnel in list(self._tunnels):
            tunnel.abort()
        for task in self._tasks:
            task.cancel()
        for group in self.snapshot.groups.values():
            for server in group.servers:
                server.pool.retire()
                for shared in server.multiplexed:
                    shared.transport.abort()
        if self._ticker is not None:
            self._ticker.cancel()

    def _tick(self) -> None:
        self.wheel.advance()
        now_s = perf_counter()
        for each in self.on_tick:
            each(now_s)
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    # Clients

    def admit(self, client: ClientConnection | Http2Client) -> bool:
        """Count a new client; False when there are too many."""
        self._clients.add(client)
        self.stats.clients = len(self._clients)
        return self.stats.clients <= self.limits.connections_max

    def forget(self, client: ClientConnection | Http2Client) -> None:
        """A client's connection has ended, or is no longer HTTP."""
        self._clients.discard(client)
        self.stats.clients = len(self._clients)
        if not self._clients:
            self._empty.set()

    def switch(self, snapshot: Snapshot) -> None:
        """Put ``snapshot`` in force."""
        before, self.snapshot = self.snapshot.revision, snapshot
        self.stats.switches += 1
        for each in self.on_switch:
            each(before)

    def plan(self, head: bytes, origin: Origin) -> Plan:
        """Decide about a request head.

        Raises:
            BadRequest: it may not be forwarded.
        """
        request = self.request_parser.parse(head)
        if self.challenges and request.path.startswith(CHALLENGE_PATH):
            answer = self.challenges.get(request.path[len(CHALLENGE_PATH) :])
            if answer is not None:
                return challenge_plan(request, self.snapshot, origin, answer)
        return make_plan(request, self.snapshot, origin)

    def blank_request(self, host: bytes) -> Request:
        """Return a request that says nothing but ``host``, for what is none and is balanced all the same."""
        name = host if HOST.fullmatch(host) else b"-"
        return self.request_parser.parse(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % name)

    # Servers

    def pooled(self, server: ServerState, *, is_repeatable: bool) -> "ServerSide | None":
        """Return a kept-alive connection, or None.

        One that the server has just closed may still be among them.  If the request cannot be sent twice,
        the kernel is asked; else finding out is cheaper than asking.
        """
        if server.multiplexed:
            shared = server.shared()
            return shared.open_stream() if shared is not None else None
        while (connection := server.pool.take()) is not None:
            if connection.is_open and (is_repeatable or connection.is_quiet()):
                return connection
            connection.close()
        return None

    def connect(self, waiting: "Connecting", server: ServerState, *, dial_s: float) -> None:
        """Open a connection for ``waiting``, unless there is one that all share."""
        if server.multiplexed and (shared := server.shared()) is not None:
            waiting.attach(shared.open_stream())
        else:
            self.dialer.dial(waiting, server, dial_s)

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run ``work`` beside; it ends with the service at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def speak_http2(
        self, client: ClientConnection, transport: asyncio.Transport, origin: Origin, data: bytes
    ) -> None:
        """Let HTTP/2 take over from ``client``; ``data`` is what it has sent already."""
        successor = Http2Client(self, origin)
        self.forget(client)
        self.admit(successor)
        transport.set_protocol(successor)
        successor.take_over(transport, data)
        if self.is_draining:
            successor.expect_last()

    def tunnel(
        self,
        client: ClientConnection,
        connection: ServerConnection,
        leave_server: Callable[[int], None],
        early: bytes,
        *,
        is_websocket: bool,
    ) -> None:
        """Join two sides that agreed on another protocol; ``early`` came from the server already."""
        ahead = client.hand_over()
        self.forget(client)
        sides = client.transport, connection.transport
        tunnel = self.join(*sides, lambda: leave_server(101), is_websocket=is_websocket)
        tunnel.pass_on(ahead, early)

    def join(
        self,
        client: asyncio.Transport,
        server: asyncio.Transport,
        on_end: Callable[[], None],
        *,
        is_websocket: bool = False,
    ) -> Tunnel:
        """Pass bytes both ways until both sides have ended; then call ``on_end``."""

        def forget(tunnel: Tunnel) -> None:
            on_end()
            self._tunnels.discard(tunnel)
            self.stats.tunnels = len(self._tunnels)
            if not self._tunnels:
                self._empty.set()

        tunnel = Tunnel(
            self.wheel, idle_s=self.limits.tunnel_idle_s, on_end=forget, is_websocket=is_websocket
        )
        self._tunnels.add(tunnel)
        self.stats.tunnels = len(self._tunnels)
        tunnel.join(client, server)
        return tunnel
