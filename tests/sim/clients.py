"""Clients: each has one request under way, to a member of its choice, and remembers all that came of it.

A request that got no answer may have been carried out, or may still be; its client goes on under another name, so
that no name has two requests at a time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.sim.machines import Machine
from tests.sim.workload import Mode, Request, Workload

from fairlead.lease import LeaseError
from fairlead.member.errors import MemberError
from fairlead.mvcc import MvccError
from fairlead.proto import rpc_pb2 as pb

if TYPE_CHECKING:
    from tests.sim.world import World

PATIENCE_S = 3.0
"""A client that waits so long gives up; members wait longer, so that late outcomes happen."""
FINAL_PATIENCE_S = 15.0
"""...once all faults have ended, it gives them the time that the promise of progress allows."""
REFUSED = (LeaseError, MvccError)
"""These say for certain that nothing has changed."""
RESPONSES: dict[str, Any] = {
    "put": pb.PutResponse,
    "put-leased": pb.PutResponse,
    "delete": pb.DeleteRangeResponse,
    "delete-range": pb.DeleteRangeResponse,
    "cas": pb.TxnResponse,
    "txn": pb.TxnResponse,
    "get": pb.RangeResponse,
    "get-past": pb.RangeResponse,
    "range": pb.RangeResponse,
    "grant": pb.LeaseGrantResponse,
    "revoke": pb.LeaseRevokeResponse,
    "keep-alive": pb.LeaseKeepAliveResponse,
    "compact": pb.CompactionResponse,
}


@dataclass(slots=True)
class Operation:
    """One request and what is known of its outcome.

    Attributes:
        client: the name under which it was made; at most one at a time for each.
        session: the run of a member that was asked.
        called_s, returned_s: when, in true time; never returned is infinity.
        response: decoded; None where there is none.
        refusal: why the store refused it, changing nothing; None otherwise.
    """

    client: int
    session: tuple[int, int]
    request: Request
    called_s: float
    returned_s: float = float("inf")
    response: Any = None
    refusal: Exception | None = None

    @property
    def is_known(self) -> bool:
        """Whether the client knows what became of it."""
        return self.response is not None or self.refusal is not None


class Client:
    """One client, as busy as its temper allows.

    Args:
        number: of the client.
        is_compactor: it gives up history, and does little else.
        is_reader: it only reads, and stays with its member: who writes, waits with it for one that is cut off.
    """

    def __init__(
        self, world: "World", number: int, *, is_compactor: bool = False, is_reader: bool = False
    ) -> None:
        self.world = world
        self.number = number
        self.rng = world.chance(f"client {number}")
        self.workload = Workload(number, rng=self.rng, keys=world.temper.keys)
        self.is_compactor = is_compactor
        self.is_reader = is_reader
        self.current: Operation | None = None
        self.successes = 0
        self._machine: Machine | None = None

    def begin(self) -> None:
        """Make the first request soon."""
        self._think()

    def _think(self) -> None:
        temper = self.world.temper
        mean_s = temper.compact_every_s if self.is_compactor else temper.think_s
        if self.is_compactor and temper.is_lull(self.world.scheduler.now_s):
            mean_s = temper.think_s
        self.world.scheduler.after(self.rng.expovariate(1 / mean_s), self._ask)

    def _ask(self) -> None:
        world = self.world
        if world.is_closing:
            return
        is_lull = world.temper.is_lull(world.scheduler.now_s)
        if is_lull and not self.is_compactor:
            self._think()
            return
        running = [machine for machine in world.machines if machine.is_up]
        is_moving = not self.is_reader and self.rng.random() < 0.1
        if self._machine not in running or is_moving:
            self._machine = self.rng.choice(running) if running else None
        if self._machine is None:
            self._think()
            return
        request = self._draw(is_lull=is_lull)
        operation = Operation(world.new_client_name(), self._machine.session, request, world.scheduler.now_s)
        self.current = operation
        world.operations.append(operation)
        world.log(f"c{self.number}", f"{request.name} at m{self._machine.slot}")
        world.request(self._machine, request, lambda result: self._answered(operation, result))
        patience_s = FINAL_PATIENCE_S if world.is_healed else PATIENCE_S
        world.scheduler.after(patience_s, lambda: self._give_up(operation))

    def _draw(self, *, is_lull: bool) -> Request:
        if self.is_reader:
            return self.workload.next_read()
        if not self.is_compactor:
            return self.workload.next()
        if is_lull and self.rng.random() < 0.6:
            return self.workload.delete_range()
        return self.workload.compaction(lag_max=1 if is_lull else 8)

    def _give_up(self, operation: Operation) -> None:
        if self.current is operation:
            self.world.log(f"c{self.number}", f"{operation.request.name}: no answer")
            self.world.gave_up(operation)
            self._forget()

    def _forget(self) -> None:
        self.current = None
        if not self.is_reader:
            self._machine = None
        self._think()

    def _answered(self, operation: Operation, result: bytes | Exception) -> None:
        if self.current is not operation:
            return
        name = operation.request.name
        if isinstance(result, bytes):
            operation.returned_s = self.world.scheduler.now_s
            operation.response = RESPONSES[name].FromString(result)
            self.world.log(f"c{self.number}", f"{name}: at {operation.response.header.revision}")
            self.workload.learn(operation.request, operation.response)
            self.successes += 1
            if name == "compact":
                self.world.compacted_to = max(self.world.compacted_to, operation.request.message.revision)
        elif isinstance(result, REFUSED):
            operation.returned_s = self.world.scheduler.now_s
            operation.refusal = result
            self.world.log(f"c{self.number}", f"{name}: {type(result).__name__}")
            self.workload.learn_refusal(operation.request)
        else:
            assert isinstance(result, MemberError | ConnectionError), repr(result)
            self.world.log(f"c{self.number}", f"{name}: {type(result).__name__}")
            self._forget()
            return
        self.world.answered(operation)
        self.current = None
        self._think()


__all__ = ["Client", "Mode", "Operation"]
