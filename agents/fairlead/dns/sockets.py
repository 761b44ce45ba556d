"""Every socket of the name server, bound before anything is answered: what cannot be had is known at once."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from fairlead.agent import Address, listen_error
from fairlead.dns.config import DnsConfig
from fairlead.dns.server_tcp import listening_socket
from fairlead.dns.server_udp import bound_socket

_TRIES_MAX = 20


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
                bound = _bind(listening_socket, address, flag=flag, workers=workers)
                for one, each in zip(sets, bound, strict=True):
                    (one.tls if flag == "--listen-tls" else one.https).append(each)
        stack.pop_all()
    return sets


def _bind_both(address: Address, sets: list[Sockets]) -> None:
    """Bind UDP and TCP on one port; where the port is left to the system, on one that is free for both."""
    for tries_left in reversed(range(_TRIES_MAX)):
        udp = _bind(bound_socket, address, flag="--listen", workers=len(sets))
        port = udp[0].getsockname()[1]
        try:
            tcp = _bind(
                listening_socket, Address(host=address.host, port=port), flag="--listen", workers=len(sets)
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


def _bind(
    make: Callable[..., socket.socket], address: Address, *, flag: str, workers: int
) -> list[socket.socket]:
    bound: list[socket.socket] = []
    port = address.port
    try:
        for _ in range(workers):
            bound.append(make(address.host, port, is_shared=workers > 1))
            port = bound[0].getsockname()[1]
    except OSError as error:
        for each in bound:
            each.close()
        raise listen_error(error, address, flag=flag) from error
    return bound


def address_of(bound: socket.socket) -> Address:
    """Return where a socket is bound."""
    host, port = bound.getsockname()[:2]
    return Address(host=host, port=port)
