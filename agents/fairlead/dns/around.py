"""What surrounds the answers from keys: forwarding, outages of the store, the deletion guard, health.

One object hooks all of it into the responder, is told of each change, and looks at the clock once a second.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from typing import Any, Final, Protocol

from fairlead.agent import AgentContext, ConfigError
from fairlead.client import Change, KeyValue, Mirror
from fairlead.dns import names
from fairlead.dns.config import DnsConfig
from fairlead.dns.errors import BadKeyError
from fairlead.dns.explain import Explainer
from fairlead.dns.explain.chaos import ChaosExplain
from fairlead.dns.explain.live import Live
from fairlead.dns.explain.pages import Pages
from fairlead.dns.forward import TOKEN_BYTES, Forwarder, Forwarding, with_key
from fairlead.dns.guard import Guard, Held, Ruling, load_held, save_held
from fairlead.dns.lease_reader import LeaseReader
from fairlead.dns.model import Model
from fairlead.dns.names import Name
from fairlead.dns.outage import STALE, Freshness, lag
from fairlead.dns.responder import Responder
from fairlead.dns.table import Terms
from fairlead.dns.upkeep import Upkeep
from fairlead.dns.wire import ALL

STEERING_PREFIX: Final = b"/fairlead/dns/"
"""Keys by which name servers of one store are told what to do, and tell each other."""

ACCEPT_KEY: Final = STEERING_PREFIX + b"accept"
"""Holds the revision up to which deletions that were held are meant."""

HELD_NAME: Final = "dns.held"
_TICK_S: Final = 1.0
_STUB_MARK: Final = b"/dns/stub/"
_GUARD_NAME: Final = "deletion guard"
_CONFIG_NAME: Final = " (forwarding)"


class RecordSource(Protocol):
    """What of a mirror of the records is needed beside its changes."""

    @property
    def age_s(self) -> float:
        """Time since the store was last heard of."""

    @property
    def is_live(self) -> bool:
        """Whether the store is followed."""

    @property
    def revision(self) -> int:
        """The revision that is shown."""

    def items(self, prefix: bytes) -> Iterator[KeyValue]:
        """Yield what is below ``prefix``."""


class Around:
    """The surroundings of one name server.

    Args:
        token: by which questions that we forward are known when they come back; `TOKEN_BYTES` of it count.

    Attributes:
        model: what the keys say.
        forwarding: questions for others.
        guard: deletions that are held back.
        upkeep: who is ill, who has just come, where clients are.
        live: what is asked for, and what changes.
        freshness: what the answers are worth now.
        on_apply: told of each change that is in force now.
    """

    def __init__(
        self,
        context: AgentContext,
        config: DnsConfig,
        *,
        model: Model,
        responder: Responder,
        token: bytes,
    ) -> None:
        self._context = context
        self._config = config
        self.model = model
        self._responder = responder
        self._started_s = asyncio.get_running_loop().time()
        self._unsaved = False
        self.freshness = Freshness.LIVE
        self.on_apply: Callable[[Change], None] = lambda _: None
        self.upkeep = Upkeep(context, config.choose, model=model)
        self._leases = LeaseReader(context.client, model)
        self.guard = Guard(config.guard, group_of=self._zone_of)
        forwarder = Forwarder(config.forward.limits, rng=SystemRandom(), token=token[:TOKEN_BYTES])
        self.forwarding = Forwarding(forwarder, config.forward, zones=model.zones, report=context.status)
        responder.hooks.complete = self.forwarding.complete
        self._hook_forwarding()
        self.live = Live(model)
        responder.hooks.seen = self.live.seen
        model.table.heard = self.live.heard

    def show(self, mirror: Mirror) -> None:
        """Add the pages that explain, over ``mirror``, to those of the agent."""
        explainer = Explainer(
            model=self.model,
            responder=self._responder,
            forwarding=self.forwarding,
            kv_of=mirror.get,
            problems=lambda: self._context.status.problems,
            ill=lambda: self.upkeep.down,
        )
        self._responder.hooks.chaos = ChaosExplain(explainer)
        self._context.pages.update(Pages(explainer, self.live, about=self._about).by_path())

    def counters(self) -> dict[str, int]:
        """Return what only grows, by name."""
        forwarder = self.forwarding.forwarder
        return {
            "forward_cache_hits": forwarder.cache.hits,
            "forward_cache_misses": forwarder.cache.misses,
            "forward_stale_answers": forwarder.cache.stale_hits,
            "forward_failures": forwarder.failures,
            "forward_refused": forwarder.refused,
            "forward_bogus_answers": forwarder.courier.bogus,
            "forward_loops": self.forwarding.loops,
            "health_probes": self.upkeep.doctor.probed,
        }

    def gauges(self) -> dict[str, int]:
        """Return what comes and goes, by name."""
        forwarder = self.forwarding.forwarder
        return {
            "forward_cache_answers": len(forwarder.cache),
            "forward_cache_bytes": forwarder.cache.bytes_used,
            "forward_in_flight": forwarder.courier.in_flight,
        }

    def _about(self) -> dict[str, Any]:
        return {
            "zones": " ".join(map(names.to_text, self.model.zones.settings.zones)),
            "records": len(self.model.tree),
            "revision": self._context.status.revision,
            "degraded": self._context.degraded,
            "problems": [f"{key}: {text}" for key, text in self._context.status.problems.items()][:10],
        }

    def restore(self) -> None:
        """Take up what was held before a restart."""
        if self._held_path is None:
            return
        try:
            held = load_held(self._held_path)
        except (OSError, ValueError) as error:
            self._context.log.warning(
                "what the deletion guard held back is lost, and goes", reason=str(error)
            )
            return
        self.guard.restore(held)
        if held:
            self._tell_held()

    async def close(self) -> None:
        """Let go of everything."""
        await self.forwarding.forwarder.close()
        await self._save()

    # Changes of keys.

    def rule(self, change: Change) -> Change:
        """Return what is in force of ``change``."""
        values = {key: kv.value for key, kv in change.puts.items()}
        now_s = asyncio.get_running_loop().time()
        ruling = self.guard.rule(values, change.deletes, revision=change.revision, now_s=now_s)
        return self._ruled(
            ruling, revision=change.revision, known=change.puts, is_snapshot=change.is_snapshot
        )

    def accept(self, revision: int) -> Change | None:
        """Let go of what is held up to ``revision``; return the change that this makes, if any."""
        ruling = self.guard.accept(revision)
        if not ruling.deletes:
            return None
        self._context.log.info("deletions accepted", keys=len(ruling.deletes), revision=revision)
        return self._ruled(ruling, revision=self._context.status.revision, known={})

    def take(self, change: Change) -> None:
        """Bring into force what the guard allows of ``change``, which the store has told."""
        self._apply(self.rule(change))

    def _apply(self, change: Change) -> None:
        puts = {key: kv.value for key, kv in change.puts.items()}
        leases = {key: kv.lease for key, kv in change.puts.items() if kv.lease}
        self.model.apply(change.revision, puts, change.deletes, leases=leases)
        self._leases.wake()
        self._applied(change)
        self.on_apply(change)
        self._context.status.count("records", len(self.model.tree))
        self._context.status.applied(change.revision)

    def _applied(self, change: Change) -> None:
        """Take up what ``change``, which the model shows now, means for the surroundings."""
        self.upkeep.follow(change)
        self.live.changed(change, now_s=time.time())
        keys = self.model.keys
        if keys.config_key in change.puts or keys.config_key in change.deletes:
            self._renew_forwarding()
        has_stubs = any(_STUB_MARK in key for keys in (change.puts, change.deletes) for key in keys)
        if (has_stubs or change.is_snapshot or keys.config_key in change.puts) and self.forwarding.follow(
            self.model.tree
        ):
            self._hook_forwarding()

    # Time.

    async def run(self, mirror: RecordSource, steering: Mirror) -> None:
        """Follow the clock, and the keys that steer, until cancelled.

        Args:
            mirror: of the records; its age counts.
            steering: of the keys below `STEERING_PREFIX`.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_clock(mirror), name="dns clock")
            group.create_task(self._leases.run(), name="dns leases")
            group.create_task(self.upkeep.doctor.run(), name="dns doctor")
            group.create_task(self._follow_steering(steering), name="dns steering")

    async def _follow_clock(self, mirror: RecordSource) -> None:
        while True:
            self.look(mirror)
            self.upkeep.tick(is_live=self.freshness is Freshness.LIVE)
            if self._unsaved:
                await self._save()
            await asyncio.sleep(_TICK_S)

    def look(self, mirror: RecordSource) -> None:
        """Find out what the answers are worth now, and let clients and probes know."""
        uptime_s = asyncio.get_running_loop().time() - self._started_s
        freshness = self._config.outage.freshness(mirror.age_s, is_live=mirror.is_live, uptime_s=uptime_s)
        if freshness is not self.freshness:
            self._turn(freshness, mirror)
        if freshness is Freshness.LIVE:
            self._context.degraded = ""
        else:
            since = lag(mirror.age_s, uptime_s=uptime_s)
            self._context.degraded = f"{freshness.value}: {since}, answers are of revision {mirror.revision}"

    def _turn(self, freshness: Freshness, mirror: RecordSource) -> None:
        before, self.freshness = self.freshness, freshness
        self._context.log.info("answers", worth=freshness.value, revision=mirror.revision)
        self._set_terms()
        if Freshness.EXPIRED not in {before, freshness}:
            return
        leased = {kv.key: kv for kv in mirror.items(self.model.keys.prefix) if kv.lease}
        is_over = freshness is Freshness.EXPIRED
        self._apply(
            Change(
                revision=mirror.revision,
                puts={} if is_over else leased,
                deletes=frozenset(leased) if is_over else frozenset(),
            )
        )

    async def _follow_steering(self, steering: Mirror) -> None:
        async for change in steering.changes():
            self.upkeep.steer(change)
            if ACCEPT_KEY in change.puts:
                self._take_acceptance(change.puts[ACCEPT_KEY])

    def _take_acceptance(self, kv: KeyValue) -> None:
        try:
            revision = min(int(kv.value), kv.mod_revision)  # nobody accepts what has not happened yet
        except ValueError:
            self._context.status.problem(ACCEPT_KEY, "not a revision; run: fairlead dns accept")
            return
        self._context.status.healed(ACCEPT_KEY)
        accepted = self.accept(revision)
        if accepted is not None:
            self._apply(accepted)

    # Forwarding.

    def _renew_forwarding(self) -> None:
        name = self.model.keys.config_key.decode() + _CONFIG_NAME
        try:
            settings = with_key(self._config.forward, self.model.zones.settings.forwarding)
        except ConfigError as error:
            self._context.status.problem(name, error.format_message())
            return
        self._context.status.healed(name)
        if settings != self.forwarding.settings:
            self.forwarding.renew(settings)
            self._hook_forwarding()

    def _hook_forwarding(self) -> None:
        hooks, forwarding = self._responder.hooks, self.forwarding
        hooks.before = forwarding.before if forwarding.routes.stubs else None
        hooks.forward = forwarding.forward if forwarding.settings.offers_recursion else None
        self._set_terms()
        self.model.table.clear()  # what a stub zone covers must not be answered from the table

    def _set_terms(self) -> None:
        terms = Terms(
            recursion_available=self.forwarding.settings.offers_recursion,
            answers_max=self._config.choose.answers_max or ALL,
        )
        if self.freshness is not Freshness.LIVE:
            terms = replace(terms, ttl_s_max=self._config.outage.ttl_s, edes=(STALE,))
        self._responder.set_terms(terms)

    # The guard.

    @property
    def _held_path(self) -> Path | None:
        return self._config.data_dir / HELD_NAME if self._config.data_dir is not None else None

    def _zone_of(self, key: bytes) -> Name | None:
        try:
            zone = self.model.zones.of(self.model.keys.name_of(key))
        except BadKeyError:
            return None
        return zone.name if zone is not None else None

    def _ruled(
        self, ruling: Ruling, *, revision: int, known: Mapping[bytes, KeyValue], is_snapshot: bool = False
    ) -> Change:
        if ruling.has_news:
            self._unsaved = True
            self._tell_held()
        puts = {key: known.get(key) or _revived(key, value) for key, value in ruling.puts.items()}
        deletes = frozenset(ruling.deletes)
        return Change(revision=revision, puts=puts, deletes=deletes, is_snapshot=is_snapshot)

    def _tell_held(self) -> None:
        held = self.guard.held
        if held:
            revision = max(one.revision for one in held.values())
            self._context.status.problem(
                _GUARD_NAME,
                f"{len(held)} keys disappeared at once, up to revision {revision}, and are served all the same; write them "
                "again, or run: fairlead dns accept",
            )
        else:
            self._context.status.healed(_GUARD_NAME)
        self._context.status.count("held", len(held))

    async def _save(self) -> None:
        if self._held_path is None or not self._unsaved:
            return
        self._unsaved = False
        held: dict[bytes, Held] = self.guard.held
        try:
            await asyncio.to_thread(save_held, self._held_path, held)
        except OSError as error:
            self._context.log.warning("cannot save what the deletion guard holds", reason=str(error))


def _revived(key: bytes, value: bytes) -> KeyValue:
    return KeyValue(key=key, value=value, create_revision=0, mod_revision=0, version=0)
