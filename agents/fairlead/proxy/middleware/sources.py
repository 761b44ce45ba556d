"""What tells clients apart: vulcand's variables ``client.ip``, ``request.host`` and ``request.header.X``.

An address counts as a whole, IPv6 too.  (vulcand cut it at the first colon, so that all IPv6 clients were one.)
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.forwarding import HOPS_MAX, hops_in
from fairlead.proxy.headers import TOKEN
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.limits import ADDRESSES_MAX, SOURCE_BYTES_MAX
from fairlead.proxy.middleware.spec import Spec

Source = Callable[[Call], bytes]
T = TypeVar("T")


def _peer(call: Call) -> bytes:
    return call.plan.peer


def read_source(variable: str, *, client: Source = _peer) -> Source:
    """Return what reads ``variable`` off a request; ``client`` is what ``client.ip`` stands for.

    Raises:
        KeyProblem: there is no such variable.
    """
    if variable == "client.ip":
        return client
    if variable == "request.host":
        return lambda call: call.request.host
    name = variable.removeprefix("request.header.").encode()
    if name == variable.encode() or TOKEN.fullmatch(name) is None:
        raise KeyProblem(f"{variable!r} is not one of client.ip, request.host, request.header.NAME")
    wanted = name.lower()
    return lambda call: call.header(wanted)[:SOURCE_BYTES_MAX]


def read_client(spec: Spec) -> Source:
    """Return what reads the address of the client off a request, as Traefik's ``ipStrategy`` says.

    ``Depth`` counts the addresses in X-Forwarded-For from the right; ``ExcludedIPs`` are left out, and the right-most of
    the others counts.  Both read what came from trusted proxies alone; the address is empty where there is none.

    Raises:
        KeyProblem: a field is not what it should be.
    """
    depth = spec.number("Depth", 0, low=0, high=HOPS_MAX)
    excluded = spec.networks("ExcludedIPs")
    if not depth and not excluded:
        return _peer

    def read(call: Call) -> bytes:
        origin = call.plan.origin
        hops = hops_in(call.request.forwarded) if origin is not None and origin.is_believed else ()
        if depth:
            return hops[-depth] if depth <= len(hops) else b""
        for hop in reversed(hops[-HOPS_MAX:]):
            address = address_of(hop)
            if address is None or not any(address in network for network in excluded):
                return hop
        return b""

    return read


def read_counted(spec: Spec) -> Source:
    """Return what reads whom a limit is for, as ``read_client`` does, but of IPv6 ``IPv6Subnet`` bits alone.

    Whoever has one address there has as many as they like.
    """
    client, bits = read_client(spec), spec.number("IPv6Subnet", 0, low=0, high=128)
    return (lambda call: subnet_of(client(call), bits)) if bits else client


class Bounded(Generic[T]):
    """A map that forgets: first who has not come for longer than needed, then who came longest ago."""

    __slots__ = ("_entries", "_size_max")

    def __init__(self, size_max: int) -> None:
        self._entries: OrderedDict[bytes, tuple[float, T]] = OrderedDict()
        self._size_max = size_max

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, *, now_s: float, keep_s: float) -> T | None:
        """Return the value, which is then kept for ``keep_s`` more seconds; None for a stranger."""
        found = self._entries.get(key)
        if found is None or found[0] <= now_s:
            return None
        self._entries[key] = (now_s + keep_s, found[1])
        self._entries.move_to_end(key)
        return found[1]

    def put(self, key: bytes, value: T, *, now_s: float, keep_s: float) -> None:
        """Add a value."""
        self._entries.pop(key, None)
        while self._entries and (
            len(self._entries) >= self._size_max or next(iter(self._entries.values()))[0] <= now_s
        ):
            self._entries.popitem(last=False)
        self._entries[key] = (now_s + keep_s, value)


@lru_cache(ADDRESSES_MAX)
def subnet_of(peer: bytes, bits: int) -> bytes:
    """Return the network of so many bits that an IPv6 client is in; any other client as it is."""
    address = address_of(peer)
    if address is None or address.version == 4:
        return peer
    return str(ipaddress.ip_network((address, bits), strict=False).network_address).encode()


@lru_cache(ADDRESSES_MAX)
def address_of(peer: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address of a client; IPv4 in IPv6's clothes is IPv4, and a client on a unix socket has none."""
    try:
        address = ipaddress.ip_address(peer.decode("ascii", "replace").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
