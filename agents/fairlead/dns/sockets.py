"""Every socket of the name server, bound before anything is answered: what cannot be had is known at once."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from fairlead.agent import Address, listen_error
from fairlead.dns.config import DnsConfig

_TRIES_MAX: Final = 20
_RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class Sockets:
    """The sockets of one process."""

    udp: list[socket.socket] = field(default_factory=list)
    tcp: list[socket.socket] = field(default_factory=list)
    tls: list[socket.socket] = field(default_factory=list)
    https: list[socket.socket] = field(default_factory=list)

    def groups(self) -> tuple[list[socket.socket], ...]:
        """Return the sockets by kind, always in the same order."""
        return self.udp, self.tcp, self.tls, self.https

    def close(self) -> None:
        """Close all of them."""
        for group in self.groups():
            for bound in group:
                bound.close()


def bind_all(config: DnsConfig) -> list[Sockets]:
    """Return one set of sockets for each worker, all of them on the same addresses (SO_REUSEPORT).

    Raises:
        ConfigError: an address cannot be had; nothing stays bound.
    """
    workers = config.serving.workers
    sets = [Sockets() for _ in range(workers)]
    with ExitStack() as stack:
        for one in sets:
            stack.callback(one.close)
        for address in config.listen:
            _bind_both(address, sets)
        for flag, addresses in (
            ("--listen-tls", config.serving.listen_tls),
            ("--listen-https", config.serving.listen_https),
        ):
            for address in addresses:
                bound = _bind(socket.SOCK_STREAM, address, flag=flag, workers=workers)
                for one, each in zip(sets, bound, strict=True):
                    (one.tls if flag == "--listen-tls" else one.https).append(each)
        stack.pop_all()
    return sets


def _bind_both(address: Address, sets: list[Sockets]) -> None:
    """Bind UDP and TCP on one port; where the port is left to the system, on one that is free for both."""
    for tries_left in reversed(range(_TRIES_MAX)):
        udp = _bind(socket.SOCK_DGRAM, address, flag="--listen", workers=len(sets))
        port = udp[0].getsockname()[1]
        try:
            tcp = _bind(
                socket.SOCK_STREAM, Address(host=address.host, port=port), flag="--listen", workers=len(sets)
            )
        except Exception:
            for each in udp:
                each.close()
            if address.port or not tries_left:
                raise
            continue
        for one, datagrams, stream in zip(sets, udp, tcp, strict=True):
            one.udp.append(datagrams)
            one.tcp.append(stream)
        return


def _bind(kind: socket.SocketKind, address: Address, *, flag: str, workers: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    port = address.port
    try:
        for _ in range(workers):
            bound.append(bound_socket(kind, address.host, port, is_shared=workers > 1))
            port = bound[0].getsockname()[1]
    except OSError as error:
        for each in bound:
            each.close()
        raise listen_error(error, address, flag=flag) from error
    return bound


def bound_socket(kind: socket.SocketKind, host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Return a socket for datagrams or streams, bound to ``host`` and ``port``, that never waits.

    Args:
        kind: SOCK_DGRAM or SOCK_STREAM; a stream does not listen yet.
        host: an address; one of IPv6 is for IPv6 alone.
        port: 0: the system chooses.
        is_shared: among worker processes (SO_REUSEPORT).

    Raises:
        OSError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        bound = stack.enter_context(socket.socket(family, kind))
        bound.setblocking(False)
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
        stack.pop_all()
    return bound


def address_of(bound: socket.socket) -> Address:
    """Return where a socket is bound."""
    host, port = bound.getsockname()[:2]
    return Address(host=host, port=port)
