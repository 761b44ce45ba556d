"""The renderer as an agent: follows the store and keeps the files as the keys have them.

One loop waits for whatever comes first: a change, a retry that is due, the interval, SIGHUP or the end.  It
takes in all changes that have arrived, renders what they touch at that one revision, and hands each result
to its resource's lane.  What arrives meanwhile is merged and makes the next pass, so a burst costs as many
passes as there is time for and no delay is ever added.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fairlead.agent import AgentContext, ConfigError
from fairlead.client import Mirror
from fairlead.render.change import Outcome
from fairlead.render.config import RenderSettings
from fairlead.render.control import ControlServer
from fairlead.render.destination import explain
from fairlead.render.environment import Renderer
from fairlead.render.errors import DestinationError
from fairlead.render.feed import Feed
from fairlead.render.fleet import FleetKeys
from fairlead.render.host import Host, open_journal
from fairlead.render.preview import print_diff
from fairlead.render.rendered import Rendered
from fairlead.render.report import AgentReporter
from fairlead.render.resource import Resource, keep_last_good, load_resources, mirrored_prefixes
from fairlead.render.rollout import Canary, RolloutGate
from fairlead.render.schedule import Schedule
from fairlead.render.systemd import Notifier
from fairlead.render.tree_watch import watch_tree
from fairlead.render.view import Snapshot, to_bytes, to_text


class RenderAgent:
    """Everything the agent holds.  Its methods run in the event loop, templates and commands in threads."""

    def __init__(self, context: AgentContext, settings: RenderSettings) -> None:
        """Load the resources; reach for nothing yet."""
        self._context = context
        self._settings = settings
        self._report = AgentReporter(context)
        self._clock_s = asyncio.get_running_loop().time
        self._snapshot = Snapshot()
        # Rendering has a thread of its own, so that no number of hanging commands can hold it up.
        self._render_thread = ThreadPoolExecutor(1, "render")
        self._host: Host | None = None
        self._gate = RolloutGate(context.client, context.options.host)
        self._fleet = FleetKeys(context.client, context.options.host)
        self._canary = Canary(self._gate, context.options.host)
        self._systemd = Notifier()
        self._woken = asyncio.Event()
        self._is_reload_wanted = False
        self._is_handed_on = False
        self._tick_at_s: float | None = None
        self._resources: tuple[Resource, ...] = ()
        self._schedule = Schedule((), limits=settings.limits)
        self._renderer = self._new_renderer()
        self._load()

    async def run(self) -> None:
        """Serve until the context is stopping; then finish what runs.

        Raises:
            ConfigError: the state directory cannot be used, or another renderer uses it.
        """
        self._context.on_reload(self._want_reload)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self._render_thread)
            if not self._settings.noop:
                host = Host(
                    self._settings,
                    open_journal(self._settings),
                    gate=self._gate,
                    report=self._outcome,
                    log=self._context.log,
                )
                self._host = await stack.enter_async_context(host)
                await stack.enter_async_context(self._control())
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for run in (
                self._wake_on_stop,
                self._watch_tree,
                self._fleet.run,
                self._canary.run,
                self._systemd.run,
            ):
                stack.callback(tasks.create_task(run(), name=run.__qualname__).cancel)
            self._take_up_lanes()
            while not self._context.stopping.is_set():
                await self._follow(mirrored_prefixes(self._resources))

    @contextlib.asynccontextmanager
    async def _control(self) -> AsyncIterator[None]:
        folder = self._settings.state_folder
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(ControlServer(folder, self._obey))
            except OSError as error:
                problem = f"cannot listen for commands in {folder}: {error.strerror or error}"
                raise ConfigError(problem, "give --state-dir DIR, which survives a reboot") from error
            yield

    async def _obey(self, request: Mapping[str, Any]) -> str:
        """Do what a command asks for."""
        assert self._host is not None
        return await self._host.steering.answer(request, make_due=self._make_due)

    def _make_due(self, name: str) -> None:
        self._schedule.due(name)
        self._woken.set()

    # Resources

    def _load(self) -> None:
        loaded = load_resources(self._settings)
        self._resources = keep_last_good(loaded, self._resources)
        self._schedule = Schedule(self._resources, limits=self._settings.limits)
        self._renderer = self._new_renderer()
        self._report.loaded((resource.name for resource in self._resources), loaded.problems)
        self._take_up_lanes()

    def _take_up_lanes(self) -> None:
        """Have every group end what an earlier process began, before anything new is rendered."""
        if self._host is not None:
            for resource in self._resources:
                self._host.lane(resource)
            self._report.unfinished(self._host.unfinished)

    def _new_renderer(self) -> Renderer:
        return Renderer.of(self._settings)

    def _want_reload(self) -> None:
        self._is_reload_wanted = True
        self._woken.set()

    # Following the store

    async def _follow(self, prefixes: tuple[str, ...]) -> None:
        """Render until the end, or until new resources look at other prefixes."""
        async with contextlib.AsyncExitStack() as stack:
            feed = None
            if prefixes:
                mirror = Mirror(self._context.client, [to_bytes(prefix) for prefix in prefixes])
                self._context.export(await stack.enter_async_context(mirror))
                feed = Feed(mirror.changes(), woken=self._woken)
                stack.push_async_callback(feed.close)
            else:
                self._context.ready()
                self._systemd.ready()
            is_listed = False
            while not self._context.stopping.is_set():
                await self._wait(is_listed=is_listed)
                if self._is_reload_wanted:
                    self._is_reload_wanted = False
                    self._load()
                    if mirrored_prefixes(self._resources) != prefixes:
                        return
                is_tick = self._take_tick()
                if feed is not None and (self._settings.watch or is_tick or not is_listed):
                    is_listed = await self._take_changes(feed, is_listed=is_listed)
                if is_listed:
                    await self._pass()

    async def _wait(self, *, is_listed: bool) -> None:
        """Return when something has happened or is due."""
        # Before there are keys, nothing can be rendered.
        deadlines = [self._schedule.next_deadline_s() if is_listed else None, self._tick_at_s]
        due_s = min((deadline for deadline in deadlines if deadline is not None), default=None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due_s):
                await self._woken.wait()
        self._woken.clear()

    async def _watch_tree(self) -> None:
        await watch_tree(self._settings, self._want_reload, log=self._context.log)

    async def _wake_on_stop(self) -> None:
        await self._context.stopping.wait()
        self._systemd.stopping()
        self._woken.set()

    def _take_tick(self) -> bool:
        """Whether the interval has passed; if so, everything is due."""
        interval_s, now_s = self._settings.interval_s, self._clock_s()
        if interval_s is None or (self._tick_at_s is not None and now_s < self._tick_at_s):
            return False
        self._tick_at_s = now_s + interval_s
        self._schedule.all_due()
        return True

    async def _take_changes(self, feed: Feed, *, is_listed: bool) -> bool:
        """Take in all that has arrived; return whether the snapshot holds this mirror's keys by now."""
        while (change := feed.take()) is not None:
            puts = {to_text(key): to_text(pair.value) for key, pair in change.puts.items()}
            written = {to_text(key): pair.mod_revision for key, pair in change.puts.items()}
            if is_listed:
                deletes = [to_text(key) for key in change.deletes]
                changed = self._snapshot.update(puts, deletes, revision=change.revision, written=written)
            else:
                # What an earlier mirror knew is nothing to this one.
                changed = self._snapshot.replace(puts, revision=change.revision, written=written)
            is_listed = True
            self._schedule.key_changed(changed, now_s=self._clock_s())
            # One turn of the loop, for the feed to hand on what came in the meantime.
            await asyncio.sleep(0)
        return is_listed

    # One pass

    async def _pass(self) -> None:
        """Render what is due, all of it at the snapshot's revision; the lanes do the rest."""
        self._is_handed_on = False
        due = self._schedule.take_due(now_s=self._clock_s())
        if due:
            loop = asyncio.get_running_loop()
            for rendered in await loop.run_in_executor(self._render_thread, self._render, due):
                self._schedule.rendered(rendered, now_s=self._clock_s())
                self._hand_on(rendered)
        self._is_handed_on = True
        self._settle()

    def _render(self, due: list[Resource]) -> list[Rendered]:
        return [self._renderer.render(resource, self._snapshot) for resource in due]

    def _hand_on(self, rendered: Rendered) -> None:
        name = rendered.resource.name
        cause = self._schedule.take_cause(name)
        if self._host is not None:
            self._host.lane(rendered.resource).offer(rendered, cause=cause)
        elif rendered.error is not None:
            self._context.status.problem(name, str(rendered.error))
        else:
            self._rehearse(rendered)

    def _rehearse(self, rendered: Rendered) -> None:
        """Show what would change, and change nothing."""
        name = rendered.resource.name
        try:
            print_diff(rendered)
        except OSError as error:
            self._context.status.problem(name, str(DestinationError(name, explain(error))))
        else:
            self._context.status.healed(name)

    def _outcome(self, outcome: Outcome) -> None:
        name = outcome.resource.name
        self._report.outcome(outcome)
        assert self._host is not None
        self._fleet.note(outcome, self._host.lane(outcome.resource).memory)
        self._canary.note(outcome)
        if outcome.is_retry_due:
            self._schedule.failed(name, now_s=self._clock_s())
            self._woken.set()
        else:
            self._schedule.succeeded(name)
        self._settle()

    def _settle(self) -> None:
        """Once nothing is due or under way, the snapshot's revision is in force."""
        is_idle = self._host is None or self._host.is_idle
        if self._is_handed_on and self._schedule.is_quiet and is_idle:
            self._context.status.applied(self._snapshot.revision)
            self._canary.settled(self._snapshot.newest_write)
            self._context.ready()
            self._systemd.ready()
