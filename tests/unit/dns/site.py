"""A name server without sockets: records in, dnspython's messages in and out."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from fairlead.agent import EVERYWHERE, Address, Networks
from fairlead.dns import SKYDNS, Dialect, DnsConfig, Limits, Model, Responder, names
from fairlead.dns.chaos import Chaos
from fairlead.dns.client import LATER, Transport
from fairlead.dns.cookies import Cookies
from fairlead.dns.frame import Manners

ZONE = "skydns.test."


class Complaints:
    """A report that remembers what is wrong now, by key."""

    def __init__(self) -> None:
        self.open: dict[bytes, str] = {}
        self.told = 0

    def problem(self, key: bytes, text: str, /) -> None:
        self.open[key] = text
        self.told += 1

    def healed(self, key: bytes, /) -> None:
        del self.open[key]


def key_of(name: str) -> bytes:
    """The key of a name, by the layout's definition and not by our code."""
    return ("/skydns/" + "/".join(reversed(name.rstrip(".").split(".")))).encode()


def value_of(fields: object) -> bytes:
    return json.dumps(fields).encode()


class Asker:
    """A client that remembers what it is sent."""

    reserved_bytes = 0

    def __init__(self, transport: Transport = Transport.UDP, *, ip: str = "127.0.0.1") -> None:
        self.transport = transport
        self.ip = ip
        self.sent: list[bytes] = []
        self.abandoned = 0

    def send(self, response: bytes) -> None:
        self.sent.append(response)

    def abandon(self) -> None:
        self.abandoned += 1

    def stream(self, messages: Iterator[bytes]) -> None:
        self.sent.extend(messages)


class Site:
    """Records and a responder over them."""

    def __init__(
        self,
        records: Mapping[str, object] | None = None,
        *,
        dialect: Dialect = SKYDNS,
        zones: tuple[str, ...] = (ZONE,),
        exact: tuple[str, ...] = (),
        local: str | None = None,
        limits: Limits | None = None,
        allowed: Iterable[str] = EVERYWHERE,
    ) -> None:
        config = DnsConfig(
            listen=(Address(host="127.0.0.1", port=0),),
            zones=tuple(map(names.from_text, zones)),
            path_prefix="skydns",
            dialect=dialect,
            local=None if local is None else names.from_text(local),
            exact_zones=frozenset(map(names.from_text, exact)),
            limits=limits or Limits(),
        )
        self.now_s = 1_000_000.0
        self.complaints = Complaints()
        self.model = Model(config, report=self.complaints)
        self.responder = Responder(
            tree=self.model.tree,
            zones=self.model.zones,
            table=self.model.table,
            chaos=Chaos(version="fairlead test", hostname="host-a"),
            manners=Manners(
                limits=config.limits,
                identity=b"site-1",
                cookies=Cookies(bytes(16)),
                clock=lambda: self.now_s,
            ),
            allowed=Networks(allowed),
        )
        self.revision = 1
        self.put(records or {})

    def put(self, records: Mapping[str, object]) -> None:
        """Write the records of names, all in one revision."""
        self.apply({key_of(name): value_of(fields) for name, fields in records.items()})

    def delete(self, *names_gone: str) -> None:
        self.apply({}, map(key_of, names_gone))

    def apply(
        self,
        puts: Mapping[bytes, bytes],
        deletes: Iterable[bytes] = (),
        *,
        leases: Mapping[bytes, int] | None = None,
    ) -> None:
        self.revision += 1
        self.model.apply(self.revision, puts, list(deletes), leases=leases or {})

    def send(self, packet: bytes, *, tcp: bool = False) -> bytes | None:
        """Send ``packet`` as the servers do; the response, or None."""
        asker = Asker(Transport.TCP if tcp else Transport.UDP)
        at_hand = self.responder.from_table_whole if tcp else self.responder.from_table
        response = at_hand(packet)
        if response is None:
            response = self.responder.respond(packet, asker)
        return asker.sent.pop() if response == LATER else response

    def ask_as(self, asker: Asker, query: dns.message.Message) -> dns.message.Message:
        """Ask as ``asker``, past the table."""
        wire = self.responder.respond(query.to_wire(), asker)
        assert wire
        response = dns.message.from_wire(wire)
        assert query.is_response(response)
        return response

    def ask(
        self, name: str, rtype: str = "A", *, tcp: bool = False, **options: object
    ) -> dns.message.Message:
        """Ask twice, of which the second answer comes from the table, and return the first.

        The two must agree in all but the order of records.
        """
        query = dns.message.make_query(name, rtype, **options)  # type: ignore[arg-type]
        first, second = (self.exchange(query, tcp=tcp) for _ in range(2))
        assert content(first) == content(second)
        return first

    def exchange(self, query: dns.message.Message, *, tcp: bool = False) -> dns.message.Message:
        wire = self.send(query.to_wire(), tcp=tcp)
        assert wire is not None
        response = dns.message.from_wire(wire)
        assert query.is_response(response)
        return response


def content(message: dns.message.Message) -> tuple[object, ...]:
    sections = (message.answer, message.authority, message.additional)
    return (message.id, message.flags, message.edns, *(records(section) for section in sections))


def records(section: list[dns.rrset.RRset]) -> list[str]:
    """The records of a section, one line each, sorted."""
    return sorted(line for rrset in section for line in rrset.to_text().splitlines())


def rdatas(message: dns.message.Message, rtype: str) -> list[str]:
    """The data of the answer's records of one type, in their order."""
    wanted = dns.rdatatype.from_text(rtype)
    return [rdata.to_text() for rrset in message.answer for rdata in rrset if rrset.rdtype == wanted]


def rcode(message: dns.message.Message) -> str:
    return dns.rcode.to_text(message.rcode())


def flags(message: dns.message.Message) -> str:
    return str(dns.flags.to_text(message.flags))


async def until(claim: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait until ``claim()`` is true, of sockets whose other end has no event to wait for."""
    async with asyncio.timeout(within_s):
        while not claim():  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.01)
