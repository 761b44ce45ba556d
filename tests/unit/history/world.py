"""A store that is linearizable by construction: it does each request at one moment, between call and return."""

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from tests.history import (
    Ambiguous,
    Event,
    Grant,
    History,
    KeyValue,
    Range,
    Recorder,
    Request,
    Response,
    Timeline,
)
from tests.history.model import EMPTY, State, expire, step
from tests.unit.history.wishes import Wishes

_MEMBERS = 3
_LATE_S = 0.5
_CALL_RATE = 100.0
_WIRE_RATE = 200.0


@dataclass(kw_only=True)
class World:
    """Clients that ask at random, and leases that end; ``run`` plays until enough was asked.

    ``lost`` is the share of requests that are never answered; half of them are done, some of those much later.
    """

    rng: random.Random
    clients: int = 8
    keys: int = 10
    lost: float = 0.05
    ttls_s: tuple[float, ...] = (0.2, 1.0)
    state: State = EMPTY
    recorder: Recorder = field(default_factory=Recorder)
    wishes: Wishes = field(init=False)
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1000))
    _now_s: float = 0.0
    _to_ask: int = 0
    _replicas: list[State] = field(default_factory=lambda: [EMPTY] * _MEMBERS)

    def __post_init__(self) -> None:
        self.wishes = Wishes(rng=self.rng, keys=self.keys, ttls_s=self.ttls_s)

    def run(self, operations: int) -> History:
        """Return what the clients saw."""
        self._to_ask = operations
        for client in range(self.clients):
            self._later(_CALL_RATE, self._asker(client))
        while self._agenda:
            self._now_s, _, act = heapq.heappop(self._agenda)
            self._end_leases()
            act()
        return self.recorder.history()

    def timeline(self) -> Timeline:
        """Return the log of all that was done."""
        events, node = [], self.state.past
        while node is not None:
            for change in reversed(node.changes):
                gone = KeyValue(key=change.key, mod_revision=node.revision)
                events.append(Event(kv=change.after or gone, is_delete=change.after is None))
            node = node.parent
        return Timeline(reversed(events))

    def _later(self, rate: float, act: Callable[[], None], *, delay_s: float = 0.0) -> None:
        when_s = self._now_s + delay_s + self.rng.expovariate(rate)
        heapq.heappush(self._agenda, (when_s, next(self._numbers), act))

    def _asker(self, client: int) -> Callable[[], None]:
        return lambda: self._ask(client)

    def _ask(self, client: int) -> None:
        if self._to_ask == 0:
            return
        self._to_ask -= 1
        request, member = self.wishes.next(self.state), self.rng.randrange(_MEMBERS)
        if self.rng.random() < self.lost:
            self._lose(client, request)
            return
        token = self.recorder.begin(client, request, now_s=self._now_s, session=member)
        asked_s = self._now_s

        def do() -> None:
            response = self._do(request, member, asked_s)
            self._later(_WIRE_RATE, lambda: answer(response))

        def answer(response: Response) -> None:
            self.recorder.end(token, response, now_s=self._now_s)
            self._later(_CALL_RATE, self._asker(client))

        self._later(_WIRE_RATE, do)

    def _lose(self, client: int, request: Request) -> None:
        if isinstance(request, Grant):
            request = replace(request, lease_id=7)  # Only the answer would name an id that the store chose.
        token = self.recorder.begin(client, request, now_s=self._now_s)
        self.recorder.end(token, Ambiguous(), now_s=self._now_s)
        asked_s = self._now_s
        if self.rng.random() < 0.5:
            delay_s = self.rng.choice((0.0, 0.0, _LATE_S))
            self._later(_WIRE_RATE, lambda: void(self._do(request, 0, asked_s)), delay_s=delay_s)
        self._later(_CALL_RATE, self._asker(client))

    def _do(self, request: Request, member: int, asked_s: float) -> Response:
        if isinstance(request, Range) and request.serializable:
            if self.rng.random() < 0.5:
                self._replicas[member] = self.state
            return step(self._replicas[member], request)[1]
        if isinstance(request, Grant) and request.lease_id == 0:
            request = replace(request, lease_id=next(self._numbers))
        self.state, response = step(self.state, request, at_s=asked_s)
        self._replicas[member] = self.state
        return response

    def _end_leases(self) -> None:
        for lease_id, lease in list(self.state.leases.items()):
            if lease.renewed_s + lease.ttl_s < self._now_s and self.rng.random() < 0.1:
                self.state = expire(self.state, lease_id)


def void(_: object) -> None:
    """Ignore an answer that nobody waits for."""
