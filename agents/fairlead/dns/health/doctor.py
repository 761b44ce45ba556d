"""Looks after records with checks: one name server of a store probes for all of them.

Who holds the key ``/fairlead/dns/health/prober`` probes.  What it finds ill it writes below ``/fairlead/dns/health/down/``, on the
same lease: when it dies its findings go with it, and the next one, which has seen them, writes them anew before it probes.
Between the two the last findings count, for so long and no longer.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final

import structlog

from fairlead.client import Client, ClientError, Compare, Lease, LeaseLostError, op_put
from fairlead.dns import names
from fairlead.dns.errors import BadNameError
from fairlead.dns.health.probe import Prober
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


class Doctor:
    """Probes, while it holds the key, for all name servers of a store.

    Args:
        client: how to reach the store.
        name: who we are, for people.
        down: who is ill by the findings that are in force; read when taking over.
        rng: spreads the probes.
        log: where turns of verdicts are told.
    """

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        down: Callable[[], Mapping[Name, str]],
        rng: Chance,
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._client = client
        self._name = name
        self._down = down
        self._log = log
        self._schedule = Schedule(rng=rng)
        self._targets: dict[Name, Target] = {}
        self._verdicts: dict[Name, Verdict] = {}
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._probes: set[asyncio.Task[None]] = set()
        self.is_prober = False
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

    async def run(self) -> None:
        """Take the key when it is free, and probe while it is held, until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                async with self._client.lease(LEASE_TTL_S) as lease:
                    if await self._take_key(lease):
                        await self._hold(lease)
            except (ClientError, LeaseLostError) as error:
                self._log.debug("health checks wait for the store", reason=str(error))
            self.is_prober = False
            await asyncio.sleep(_IDLE_S)

    async def _take_key(self, lease: Lease) -> bool:
        free = Compare.version(PROBER_KEY).equals(0)
        put = op_put(PROBER_KEY, json.dumps({"host": self._name}), lease=lease.lease_id)
        return (await self._client.txn([free], [put])).succeeded

    async def _hold(self, lease: Lease) -> None:
        self._log.info("looks after the records of all name servers", checks=len(self._targets))
        self.is_prober = True
        # What the last one found counts until it is found otherwise.
        self._verdicts = {
            owner: Verdict(is_up=False, reason=reason, is_known=True)
            for owner, reason in self._down().items()
            if owner in self._targets
        }
        for owner in tuple(self._verdicts):
            await self._publish(lease, owner)
        self._news.set()
        prober = Prober()
        lost = asyncio.create_task(lease.wait_lost(), name="dns health lease")
        try:
            while not lost.done() and self._targets:
                await self._round(lease, prober)
        finally:
            lost.cancel()
            for probe in tuple(self._probes):
                probe.cancel()
            await asyncio.gather(*self._probes, return_exceptions=True)
            await prober.close()

    async def _round(self, lease: Lease, prober: Prober) -> None:
        """Begin the probes that are due; return when the next ones may be."""
        now_s = asyncio.get_running_loop().time()
        if self._news.is_set():
            self._news.clear()
            self._schedule.set(self._targets, now_s=now_s)
        for target in self._schedule.take_due(now_s=now_s):
            if len(self._probes) < PROBES_MAX:
                probe = asyncio.create_task(self._probe(lease, prober, target), name="dns probe")
                self._probes.add(probe)
                probe.add_done_callback(self._probes.discard)
        due_s = self._schedule.next_s()
        pause_s = _IDLE_S if due_s is None else min(max(due_s - now_s, 0.01), _IDLE_S)
        await asyncio.sleep(pause_s)

    async def _probe(self, lease: Lease, prober: Prober, target: Target) -> None:
        failure = await prober.probe(target)
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
            await self._publish(lease, target.owner)
        except ClientError as error:
            # The next probe tries again: until then nobody knows, as before.
            verdict.is_up, verdict.streak = not verdict.is_up, target.check.fall
            self._log.debug("cannot publish a finding", reason=str(error))

    async def _publish(self, lease: Lease, owner: Name) -> None:
        verdict = self._verdicts[owner]
        if verdict.is_up:
            await self._client.delete(down_key(owner))
        else:
            value = json.dumps({"reason": verdict.reason, "by": self._name})
            await self._client.put(down_key(owner), value, lease=lease.lease_id)
