"""The sockets that clients come to: opened and closed as the keys say, handed on to a successor, never in between.

A listener that expects a PROXY header is accepted here and not by asyncio: the header comes before anything else,
before TLS too, and is read off the socket to the byte.
"""

import asyncio
import contextlib
import dataclasses
import logging
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fairlead.agent import address_of as in_one_spelling
from fairlead.proxy.client_hello import HELLO_BYTES_MAX, Hello, read_hello
from fairlead.proxy.client_side import ClientConnection
from fairlead.proxy.match import compile_expression
from fairlead.proxy.model import END, Listener, TcpRoute
from fairlead.proxy.origin import MAIN_ENTRYPOINT, Origin
from fairlead.proxy.proxy_protocol import ProxyHeader, ProxyHeaderError, read_header
from fairlead.proxy.relay import HANDSHAKE_S, relay
from fairlead.proxy.split import Split
from fairlead.proxy.tcp_routes import Callers, Passages
from fairlead.proxy.tcp_rule import Caller

if TYPE_CHECKING:
    import ssl

    from fairlead.proxy.service import Service

_LOG = logging.getLogger(__name__)
T = TypeVar("T")
_BACKLOG = 4096
_ACCEPTS_MAX = 64
"""Connections that are taken in one turn of the loop."""
_LOOK_AGAIN_S = 0.02


def address_of(listener: Listener) -> str:
    """Return what names the socket of ``listener``, for people and for a successor."""
    if listener.path:
        return f"unix:{listener.path}"
    return (
        f"[{listener.host}]:{listener.port}" if ":" in listener.host else f"{listener.host}:{listener.port}"
    )


def open_socket(listener: Listener, *, is_shared: bool = False) -> socket.socket:
    """Take the address of ``listener``; ``is_shared``: other workers of this proxy take it too.

    Raises:
        OSError: it cannot be had.
    """
    if listener.path:
        return _open_unix(listener.path)
    family = socket.AF_INET6 if ":" in listener.host or not listener.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            # The kernel spreads the clients over all that listen.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6 and not listener.host:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.setblocking(False)
        opened.bind((listener.host or "::", listener.port))
    except OSError:
        opened.close()
        raise
    return opened


def _open_unix(path: str) -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened.setblocking(False)
    with contextlib.suppress(FileNotFoundError):
        # What a process that is gone has left behind; anything else at this path is not ours to remove.
        if Path(path).is_socket():
            Path(path).unlink()
    try:
        opened.bind(path)
    except OSError:
        opened.close()
        raise
    return opened


class Door:
    """One listener while it is open."""

    def __init__(self, service: "Service", listener: Listener, opened: socket.socket) -> None:
        self.listener = listener
        self.socket = opened
        self._service = service
        self._server: asyncio.Server | None = None
        self._is_open = False
        # What comes first is not for HTTP, so that it is read here.
        self._looks_first = bool(listener.expects_proxy_protocol or listener.is_raw or listener.routes)
        self._passages = Passages(listener.routes)
        self._splits: dict[TcpRoute, Split] = {}
        self._scope = compile_expression(listener.scope) if listener.scope is not None else None
        self._forwarding = service.forwarding
        if listener.trusted_proxies is not None:
            self._forwarding = dataclasses.replace(service.forwarding, proxies=listener.trusted_proxies)
        self._context: ssl.SSLContext | None = None
        if listener.tls is not None:
            self._context = service.certificates.listening_context(listener.tls)

    async def open(self) -> None:
        """Accept clients from now on."""
        loop = asyncio.get_running_loop()
        self._is_open = True
        if self._looks_first:
            self.socket.listen(_BACKLOG)
            loop.add_reader(self.socket, self._accept)
            return
        make = loop.create_unix_server if self.listener.path else loop.create_server
        self._server = await make(
            lambda: ClientConnection(self._service, self),
            sock=self.socket,
            backlog=_BACKLOG,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_S if self._context is not None else None,
        )

    def close(self) -> None:
        """Accept nobody any more."""
        if not self._is_open:
            self.socket.close()
            return
        self._is_open = False
        if self._server is not None:
            self._server.close()
        else:
            asyncio.get_running_loop().remove_reader(self.socket)
            self.socket.close()

    def origin(self, transport: asyncio.BaseTransport, header: ProxyHeader | None) -> Origin:
        """Return what the requests of a new connection have in common."""
        source, destination = _ends(transport)
        if header is not None and header.source is not None:
            source, destination = header.source, header.destination
        connection = transport.get_extra_info("ssl_object")
        covers: Callable[[str], bool] | None = None
        if connection is not None and (context := connection.context) is not self._context:
            certificates = self._service.certificates
            covers = lambda name: certificates.covers(context, name)  # noqa: E731  closes over this connection
        return Origin(
            peer=_spelled(source[0]).encode(),
            port=str(destination[1]).encode() if destination is not None else b"",
            pseudonym=self._service.pseudonym,
            scheme=b"http" if self._context is None else b"https",
            scope=self._scope,
            covers=covers,
            source=source,
            destination=destination,
            entrypoint=self.listener.id or MAIN_ENTRYPOINT,
            forwarding=self._forwarding,
        )

    def _may_connect(self, accepted: socket.socket) -> bool:
        """Whether what this client says in a PROXY header would be believed."""
        trusted = self.listener.proxy_protocol_from
        return not trusted or accepted.family == socket.AF_UNIX or accepted.getpeername()[0] in trusted

    # What comes before HTTP

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_MAX):
            try:
                accepted, _address = self.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                _LOG.warning("cannot accept on %s: %s", address_of(self.listener), error)
                return
            self._service.spawn(self._receive(accepted))

    async def _receive(self, accepted: socket.socket) -> None:
        """Read the header, and hand the rest over."""
        loop = asyncio.get_running_loop()
        accepted.setblocking(False)
        if not self._may_connect(accepted):
            self._service.stats.refused += 1
            accepted.close()
            return
        try:
            async with asyncio.timeout(self._service.limits.head_s):
                header = await _peek(accepted, read_header) if self.listener.expects_proxy_protocol else None
                if header is not None:
                    accepted.recv(header.size_bytes)
                # Without names to choose by nobody is waited for: some servers speak first.
                looks = self._passages.needs_hello
                hello = await _peek(accepted, read_hello) if looks else Hello(is_tls=False)
            caller = _caller(accepted, hello, header)
            route = self._passages.find(caller)
            if route is not None:
                ends = header or ProxyHeader(0, *_socket_ends(accepted))
                await self._pass_on(accepted, route, caller, ends)
                return
            if self.listener.is_raw:
                accepted.close()
                return
            await loop.connect_accepted_socket(
                lambda: ClientConnection(self._service, self, header),
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S if self._context is not None else None,
            )
        except (ProxyHeaderError, OSError, TimeoutError):
            self._service.stats.refused += 1
            accepted.close()

    def _split_of(self, route: TcpRoute) -> Split:
        """Return what chooses among the backends of a route; it remembers who had what."""
        split = self._splits.get(route)
        if split is None:
            split = self._splits[route] = Split(route, rng=self._service.rng)
        return split

    async def _pass_on(
        self, accepted: socket.socket, route: TcpRoute, caller: Caller, ends: ProxyHeader
    ) -> None:
        """Lead a connection where its route says, if it may go there."""
        doors, client = self._service.doors, caller.address
        is_allowed = route.allowed is None or client in route.allowed
        limit = doors.part_of(route.connections_max)
        if not is_allowed or not doors.callers.enter(route.id, client, connections_max=limit):
            self._service.stats.refused += 1
            accepted.close()
            return
        await relay(
            self._service,
            accepted,
            self._split_of(route),
            name=caller.name.encode("latin-1"),
            ends=ends,
            context=self._context if route.tls == END else None,
            on_end=lambda: doors.callers.leave(route.id, client),
        )


async def _peek(accepted: socket.socket, read: Callable[[bytes], T | None]) -> T:
    """Return what ``read`` makes of the beginning of a connection, once there is enough of it."""
    while True:
        try:
            data = accepted.recv(HELLO_BYTES_MAX, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            await asyncio.sleep(_LOOK_AGAIN_S)
            continue
        if not data:
            raise ProxyHeaderError("the connection ended before it began")
        found = read(data)
        if found is not None:
            return found
        await asyncio.sleep(_LOOK_AGAIN_S)


def _caller(accepted: socket.socket, hello: Hello, header: ProxyHeader | None) -> Caller:
    """Return what is known of a connection; a unix socket stands for this machine."""
    source = (header.source if header is not None else None) or _socket_ends(accepted)[0]
    protocols = tuple(each.decode("latin-1") for each in hello.protocols)
    address = _spelled(source[0]) if source is not None else "127.0.0.1"
    return Caller(address, is_tls=hello.is_tls, name=hello.name.decode("latin-1"), protocols=protocols)


def _socket_ends(accepted: socket.socket) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    if accepted.family == socket.AF_UNIX:
        return None, None
    return accepted.getpeername()[:2], accepted.getsockname()[:2]


def _ends(transport: asyncio.BaseTransport) -> tuple[tuple[str, int], tuple[str, int] | None]:
    """Both addresses of a connection; a unix socket has none, and stands for this machine."""
    peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    if not isinstance(peer, tuple):
        return ("127.0.0.1", 0), None
    return (str(peer[0]), int(peer[1])), (str(own[0]), int(own[1]))


def _spelled(address: str) -> str:
    """IPv4 as such, on a socket for both families too, so that one client has one name."""
    return str(in_one_spelling(address)) if address.startswith("::ffff:") or "%" in address else address


class Doors:
    """All listeners of one service.

    Attributes:
        workers: processes that listen on the same addresses.
        callers: the connections that routes pass on, by client.
    """

    def __init__(self, service: "Service") -> None:
        self._service = service
        self.workers = 1
        self.callers = Callers()
        self._open: dict[str, Door] = {}
        self._inherited: dict[str, socket.socket] = {}

    def inherit(self, sockets: Iterable[tuple[str, socket.socket]]) -> None:
        """Take over what a predecessor listens on; each is used by the listener of the same address."""
        self._inherited.update(sockets)

    def part_of(self, limit: int) -> int:
        """Return this worker's part of a limit for all of them; 0 is none."""
        return max(1, limit // self.workers) if limit else 0

    def listener(self, name: str) -> Listener:
        """Return the listener that is open under ``name``."""
        return self._open[name].listener

    def sockets(self) -> list[tuple[str, socket.socket]]:
        """Return what a successor takes over."""
        return [(address_of(door.listener), door.socket) for door in self._open.values()]

    def bind(self, listener: Listener) -> Door:
        """Take an address without accepting anybody yet.

        Raises:
            OSError: it cannot be had.
        """
        opened = self._inherited.pop(address_of(listener), None) or open_socket(
            listener, is_shared=self.workers > 1
        )
        return Door(self._service, listener, opened)

    async def open(self, door: Door) -> None:
        """Accept clients at ``door``."""
        self._open[door.listener.id] = door
        await door.open()

    async def follow(self, listeners: Iterable[Listener], *, fixed: str = "") -> dict[str, str]:
        """Open what is new and close what is gone, all but the one called ``fixed``; return what went wrong."""
        wanted = {each.id: each for each in listeners}
        problems: dict[str, str] = {}
        for name in [
            name for name in self._open if name != fixed and wanted.get(name) != self._open[name].listener
        ]:
            self._replace(self._open.pop(name), wanted.get(name))
        for name, listener in wanted.items():
            if name in self._open:
                continue
            address = address_of(listener)
            if any(address == address_of(door.listener) for door in self._open.values()):
                problems[name] = f"listener {name}: {address} is taken by another listener of this proxy"
                continue
            try:
                await self.open(self.bind(listener))
            except OSError as error:
                problems[name] = f"listener {name}: cannot listen on {address}: {error.strerror}"
        return problems

    def _replace(self, door: Door, listener: Listener | None) -> None:
        """Close ``door``; a listener at the same address goes on with its socket, and with who waits there."""
        address = address_of(door.listener)
        if listener is not None and not listener.path and address_of(listener) == address:
            self._inherited[address] = door.socket.dup()
        door.close()

    def close(self) -> None:
        """Accept nobody any more; what was inherited and never wanted is closed too."""
        for door in self._open.values():
            door.close()
        for opened in self._inherited.values():
            opened.close()
