"""The query log: a sample of the queries, one structured line for each."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fairlead.dns import names
from fairlead.dns.client import Transport
from fairlead.dns.errors import MessageError
from fairlead.dns.message import Rcode, Type, is_answerable, parse_query

LINES_PER_S_MAX: Final = 1000
"""Lines beyond are counted, not written: a log must not become the work."""

Write = Callable[..., Any]


@dataclass(slots=True)
class _Second:
    number: int = 0
    lines: int = 0


class QueryLog:
    """Writes a line for a share of the queries.

    Args:
        write: takes an event and its fields, as structlog does.
        share: 0 to 1; every query is as likely as any other.
        rng: chooses.
        monotonic: seconds.
    """

    def __init__(
        self, write: Write, share: float, *, rng: random.Random, monotonic: Callable[[], float]
    ) -> None:
        assert 0 < share <= 1
        self.suppressed = 0
        self._write = write
        self._share = share
        self._rng = rng
        self._monotonic = monotonic
        self._second = _Second()
        self._until_next = self._step()

    def pick(self, count: int) -> list[int]:
        """Return which of ``count`` queries, that came together, are to be written."""
        picked = []
        while self._until_next < count:
            picked.append(self._until_next)
            self._until_next += 1 + self._step()
        self._until_next -= count
        return picked

    def write(self, packet: bytes, response: bytes | None, ip: str, transport: Transport) -> None:
        """Write the line for one query; a ``response`` that comes later, or never, is not in it."""
        now = int(self._monotonic())
        if now != self._second.number:
            self._second = _Second(now)
        self._second.lines += 1
        if self._second.lines > LINES_PER_S_MAX:
            self.suppressed += 1
            return
        fields: dict[str, object] = {"client": ip, "transport": transport.value, "bytes": len(packet)}
        try:
            query = parse_query(packet) if is_answerable(packet) else None
        except MessageError:
            query = None
        if query is None:
            fields["malformed"] = True
        else:
            fields |= {"name": names.to_text(query.name), "type": _name(Type, query.qtype)}
            fields |= {"rd": query.recursion_desired, "do": query.dnssec_ok}
        if response:
            fields |= {"rcode": _name(Rcode, response[3] & 0xF), "answer_bytes": len(response)}
            fields["tc"] = bool(response[2] & 0x02)
        self._write("query", **fields)

    def _step(self) -> int:
        """Return how many queries to pass over; so chosen, each query has the same chance by itself."""
        return 0 if self._share >= 1 else int(self._rng.expovariate(-math.log1p(-self._share)))


def _name(kind: type[Type] | type[Rcode], number: int) -> str:
    try:
        return kind(number).name
    except ValueError:
        return f"TYPE{number}" if kind is Type else str(number)
