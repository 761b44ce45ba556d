"""Looks after records with checks: one name server of a store probes for all of them.

Who holds the key ``/fairlead/dns/health/prober`` probes.  What it finds ill it writes below ``/fairlead/dns/health/down/``, on the
same lease: when it dies its findings go with it, and the next one, which has seen them, writes them anew before it probes.
Between the two the last findings count, for so long and no longer.  While the store is away every name server probes for itself.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Final

import structlog

from fairlead.checks import Prober
from fairlead.client import Client, ClientError, Compare, Lease, op_put
from fairlead.dns import names
from fairlead.dns.errors import BadNameError
from fairlead.dns.health.probe import new_prober, probe
from fairlead.dns.health.schedule import Chance, Schedule, Target
from fairlead.dns.health.state import Verdict
from fairlead.dns.names import Name
from fairlead.dns.records import Record

HEALTH_PREFIX: Final = b"/fairlead/dns/health/"
PROBER_KEY: Final = HEALTH_PREFIX + b"prober"
DOWN_PREFIX: Final = HEALTH_PREFIX + b"down/"
LEASE_TTL_S: Final = 10
PROBES_MAX: Final = 64
"""Probes under way at once."""

GRACE_S: Final = 30.0
"""How long the findings of a prober that is gone count while no other has taken over."""

_IDLE_S: Final = 1.0


def target_of(record: Record) -> Target | None:
    """Return whom to probe for ``record``; None when it has no check, no address, or no port."""
    if record.check is None or record.address is None:
        return None
    port = record.check.port or record.port
    if port <= 0:
        return None
    return Target(record.owner, str(ip_address(record.address)), port, record.check)


def down_key(owner: Name) -> bytes:
    """Return the key that says that the record of ``owner`` is ill."""
    return DOWN_PREFIX + names.to_text(owner).encode()


def owner_of(key: bytes) -> Name | None:
    """Return whose record a key below `DOWN_PREFIX` is about; None when it is nobody's."""
    try:
        return names.from_text(key.removeprefix(DOWN_PREFIX).decode())
    except (BadNameError, UnicodeDecodeError):
        return None


Publish = Callable[[Name, Verdict], Awaitable[None]]
"""Lets others know of a verdict that has turned.  Raises ClientError when it could not."""


class Doctor:
    """Probes, while it holds the key, for all name servers of a store; while the store is away, for this one.

    Args:
        client: how to reach the store.
        name: who we are, for people.
        down: who is ill by the findings that are in force, and why; read when taking over.
        tell: hears of what was found for this name server alone: whose record, and why it is ill, or None.
        rng: spreads the probes.
        log: where turns of verdicts are told.
    """

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        down: Callable[[], Mapping[Name, str]],
        tell: Callable[[Name, str | None], None],
        rng: Chance,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._client = client
        self._name = name
        self._down = down
        self._tell = tell
        self._log = log
        self._schedule = Schedule(rng=rng)
        self._targets: dict[Name, Target] = {}
        self._verdicts: dict[Name, Verdict] = {}
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._alone = asyncio.Event()
        self._turn = asyncio.Lock()
        self._probes: set[asyncio.Task[None]] = set()
        self.probed = 0

    def set(self, owner: Name, target: Target | None) -> None:
        """Look after ``target`` for the record of ``owner`` from now on; None: no more."""
        if target is None:
            if self._targets.pop(owner, None) is None:
                return
        elif self._targets.get(owner) == target:
            return
        else:
            self._targets[owner] = target
        self._news.set()
        if self._targets:
            self._wanted.set()
        else:
            self._wanted.clear()

    def leave_alone(self, *, is_alone: bool) -> None:
        """Say whether the store is away, so that nobody's findings can come."""
        if is_alone:
            self._alone.set()
        else:
            self._alone.clear()

    async def run(self) -> None:
        """Probe whenever it is our turn, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_for_all(), name="dns doctor for all")
            group.create_task(self._run_alone(), name="dns doctor alone")

    async def _run_for_all(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                async with self._client.lease(LEASE_TTL_S) as lease:
                    if await self._take_key(lease):
                        await self._attend_all(lease)
            except ClientError as error:
                self._log.debug("health checks wait for the store", reason=str(error))
            await asyncio.sleep(_IDLE_S)

    async def _run_alone(self) -> None:
        while True:
            await self._alone.wait()
            await self._wanted.wait()
            self._log.info("looks after records for itself: the store is away", checks=len(self._targets))
            await self._attend(until=lambda: not self._alone.is_set(), publish=self._keep)
            await asyncio.sleep(_IDLE_S)

    async def _take_key(self, lease: Lease) -> bool:
        free = Compare.version(PROBER_KEY).equals(0)
        put = op_put(PROBER_KEY, json.dumps({"host": self._name}), lease=lease.lease_id)
        return (await self._client.txn([free], [put])).succeeded

    async def _attend_all(self, lease: Lease) -> None:
        self._log.info("looks after the records of all name servers", checks=len(self._targets))

        async def publish(owner: Name, verdict: Verdict) -> None:
            if verdict.is_up:
                await self._client.delete(down_key(owner))
            else:
                value = json.dumps({"reason": verdict.reason, "by": self._name})
                await self._client.put(down_key(owner), value, lease=lease.lease_id)

        await self._attend(until=lambda: lease.is_lost, publish=publish)

    async def _keep(self, owner: Name, verdict: Verdict) -> None:
        self._tell(owner, None if verdict.is_up else verdict.reason)

    # Probing.

    async def _attend(self, *, until: Callable[[], bool], publish: Publish) -> None:
        async with self._turn:
            # What was found last counts until it is found otherwise.
            self._verdicts = {
                owner: Verdict(is_up=False, reason=reason, is_known=True)
                for owner, reason in self._down().items()
                if owner in self._targets
            }
            for owner, verdict in self._verdicts.items():
                await publish(owner, verdict)
            self._news.set()
            prober = new_prober()
            try:
                while self._targets and not until():
                    await self._round(prober, publish)
            finally:
                for probe in tuple(self._probes):
                    probe.cancel()
                await asyncio.gather(*self._probes, return_exceptions=True)
                await prober.close()

    async def _round(self, prober: Prober, publish: Publish) -> None:
        """Begin the probes that are due; return when the next ones may be."""
        now_s = asyncio.get_running_loop().time()
        if self._news.is_set():
            self._news.clear()
            self._schedule.set(self._targets, now_s=now_s)
        for target in self._schedule.take_due(now_s=now_s):
            if len(self._probes) < PROBES_MAX:
                probe = asyncio.create_task(self._probe(prober, target, publish), name="dns probe")
                self._probes.add(probe)
                probe.add_done_callback(self._probes.discard)
        due_s = self._schedule.next_s()
        pause_s = _IDLE_S if due_s is None else min(max(due_s - now_s, 0.01), _IDLE_S)
        await asyncio.sleep(pause_s)

    async def _probe(self, prober: Prober, target: Target, publish: Publish) -> None:
        failure = await probe(prober, target)
        self.probed += 1
        if self._targets.get(target.owner) != target:
            return
        verdict = self._verdicts.setdefault(target.owner, Verdict())
        if not verdict.take(failure, check=target.check):
            return
        what = {"name": names.to_text(target.owner), "server": f"{target.host}:{target.port}"}
        if verdict.is_up:
            self._log.info("a server is well again", **what)
        else:
            self._log.warning("a server is ill, and gives way", reason=failure, **what)
        try:
            await publish(target.owner, verdict)
        except ClientError as error:
            # The next probe tries again: until then nobody knows, as before.
            verdict.is_up, verdict.streak = not verdict.is_up, target.check.fall
            self._log.debug("cannot publish a finding", reason=str(error))
