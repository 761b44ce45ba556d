"""Keeps what holds for records beside their keys: who is ill, who has just come, where clients are."""

import asyncio
from random import Random
from typing import Final

from fairlead.agent import AgentContext
from fairlead.client import Change
from fairlead.dns.choose import Map, Ramp, parse_map
from fairlead.dns.choose.settings import ChooseSettings
from fairlead.dns.errors import BadKeyError, BadRecordError
from fairlead.dns.health.doctor import DOWN_PREFIX, PROBER_KEY, Doctor, target_of
from fairlead.dns.health.findings import Findings
from fairlead.dns.model import Model
from fairlead.dns.names import Name

TOPOLOGY_KEY: Final = b"/fairlead/dns/topology"
_CHECK_MARK: Final = b'"check"'


class Upkeep:
    """Keeps the conditions of one model's records.

    Attributes:
        doctor: probes, when it is this name server's turn.
        findings: who is ill, as the store says.
        ramp: who has just come.
    """

    def __init__(self, context: AgentContext, settings: ChooseSettings, *, model: Model) -> None:
        self._context = context
        self._model = model
        self._conditions = model.tree.conditions
        self._conditions.is_tiered = settings.is_tiered
        self._watched: set[bytes] = set()
        self._has_prober = False
        self._own: dict[Name, str | None] = {}
        self.findings = Findings()
        self.ramp = Ramp(settings.slow_start_s)
        self.doctor = Doctor(
            context.client,
            name=context.options.host,
            down=lambda: self.down,
            tell=self._hear,
            rng=Random(),  # noqa: S311 - it spreads probes, it guards nothing
            log=context.log,
        )

    @property
    def down(self) -> dict[Name, str]:
        """Who is ill, and why: as the store says, and while it is away as we have found."""
        down = self.findings.down
        for owner, reason in self._own.items():
            if reason is None:
                down.pop(owner, None)
            else:
                down[owner] = reason
        return down

    def follow(self, change: Change) -> None:
        """Take up what ``change``, which the model shows now, means for checks and slow starts."""
        now_s = asyncio.get_running_loop().time()
        for key, kv in change.puts.items():
            is_new = kv.create_revision == kv.mod_revision and not change.is_snapshot
            if _CHECK_MARK in kv.value or key in self._watched or is_new:
                self._look_at(key, is_new=is_new, now_s=now_s)
        for key in change.deletes:
            self._look_at(key, is_new=False, now_s=now_s)

    def steer(self, change: Change) -> None:
        """Take in a change of the keys by which name servers tell each other."""
        if TOPOLOGY_KEY in change.puts or TOPOLOGY_KEY in change.deletes:
            kv = change.puts.get(TOPOLOGY_KEY)
            self._draw(kv.value if kv is not None else b"{}")
        if PROBER_KEY in change.puts:
            self._has_prober = True
        elif PROBER_KEY in change.deletes:
            self._has_prober = False
        puts = {key: kv.value for key, kv in change.puts.items() if key.startswith(DOWN_PREFIX)}
        deletes = [key for key in change.deletes if key.startswith(DOWN_PREFIX)]
        now_s = asyncio.get_running_loop().time()
        self._judge(self.findings.take(puts, deletes, has_prober=self._has_prober, now_s=now_s))

    def tick(self, *, is_live: bool) -> None:
        """Let time pass.

        Args:
            is_live: the store is heard of: while it is away the last findings stay, and our own come on top.
        """
        now_s = asyncio.get_running_loop().time()
        self.doctor.leave_alone(is_alone=not is_live)
        if is_live:
            turned = self.findings.expire(now_s=now_s) | set(self._own)
            self._own.clear()
            self._judge(turned)
        if len(self.ramp) or self._conditions.shares:
            before = set(self._conditions.shares)
            self._conditions.shares = self.ramp.shares(now_s=now_s)
            self._model.table.touch(before | set(self._conditions.shares))

    def _look_at(self, key: bytes, *, is_new: bool, now_s: float) -> None:
        try:
            owner = self._model.keys.name_of(key)
        except BadKeyError:
            return
        record = self._model.tree.own(owner)
        target = target_of(record) if record is not None else None
        self.doctor.set(owner, target)
        if target is None:
            self._watched.discard(key)
        else:
            self._watched.add(key)
        if record is None:
            self.ramp.end(owner)
        elif is_new:
            self.ramp.begin(owner, now_s=now_s)

    def _hear(self, owner: Name, reason: str | None) -> None:
        self._own[owner] = reason
        self._judge({owner})

    def _judge(self, turned: set[Name]) -> None:
        if turned:
            self._conditions.down = set(self.down)
            self._model.table.touch(turned)
            self._context.status.count("ill", len(self._conditions.down))

    def _draw(self, value: bytes) -> None:
        try:
            self._conditions.map = parse_map(value) if value.strip() else Map()
        except BadRecordError as error:
            self._context.status.problem(TOPOLOGY_KEY, str(error))
            return
        self._context.status.healed(TOPOLOGY_KEY)
        self._model.table.clear()
