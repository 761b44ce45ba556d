"""Which resources to render, and when.

Takes the time as an argument: no clock, no file system.  A change is taken up once the keys have been quiet for as
long as the resource asks for, or have kept it waiting for too long; what failed is tried again, each time later.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fairlead.render.config import Limits
from fairlead.render.readers import Readers
from fairlead.render.rendered import Rendered
from fairlead.render.resource.model import Resource

_AT_ONCE = float("-inf")
_CAUSES_MAX = 20
"""Keys that are named as the cause of a change; more are only counted by whoever looks."""


@dataclass(slots=True)
class _Entry:
    """What the schedule knows of one resource."""

    resource: Resource
    order: int
    due_at_s: float | None = _AT_ONCE
    touched_at_s: float | None = None
    cause: dict[str, None] = field(default_factory=dict)
    failures: int = 0
    retry_at_s: float | None = None
    refresh_at_s: float | None = None

    def touch(self, keys: Iterable[str], *, now_s: float) -> None:
        """Have the resource rendered when its keys have come to rest."""
        for key in keys:
            if len(self.cause) < _CAUSES_MAX:
                self.cause[key] = None
        wait = self.resource.wait
        if self.touched_at_s is None:
            self.touched_at_s = now_s
        due_at_s = min(now_s + wait.min_s, self.touched_at_s + wait.max_s) if wait.min_s else _AT_ONCE
        # What is due at once for another reason does not begin to wait.
        self.due_at_s = _AT_ONCE if self.due_at_s == _AT_ONCE else due_at_s

    def is_due(self, now_s: float) -> bool:
        return any(at_s is not None and at_s <= now_s for at_s in self.times_s)

    @property
    def times_s(self) -> tuple[float | None, ...]:
        """When there is a reason to render."""
        return self.due_at_s, self.retry_at_s, self.refresh_at_s


class Schedule:
    """Which resources to render, and when.  Times are seconds on a clock that never goes back."""

    def __init__(self, resources: Iterable[Resource], *, limits: Limits) -> None:
        self._limits = limits
        self._readers = Readers()
        self._entries = {resource.name: _Entry(resource, order) for order, resource in enumerate(resources)}
        # Those with a reason to render, now or later: of a thousand resources a change concerns a few.
        self._waiting = dict(self._entries)

    def __repr__(self) -> str:
        return f"<Schedule of {len(self._entries)} resources, {len(self._waiting)} waiting>"

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is to be rendered but what has failed."""
        return all(entry.due_at_s is None for entry in self._waiting.values())

    def key_changed(self, changed: Iterable[str], *, now_s: float) -> None:
        """Make due what has read one of these keys."""
        for name, touching in self._readers.touched_by(changed).items():
            if entry := self._entries.get(name):
                entry.touch(touching, now_s=now_s)
                self._waiting[name] = entry

    def all_due(self) -> None:
        """Make everything due, to repair drift and to look at the world again."""
        for name in self._entries:
            self.due(name)

    def due(self, name: str) -> None:
        """Make one resource due, where there still is one."""
        if entry := self._entries.get(name):
            entry.due_at_s = _AT_ONCE
            self._waiting[name] = entry

    def take_due(self, *, now_s: float) -> list[Resource]:
        """Return what is to be rendered now, in the order of names, and hold it for done."""
        due = [entry for entry in self._waiting.values() if entry.is_due(now_s)]
        for entry in due:
            entry.due_at_s = entry.touched_at_s = entry.retry_at_s = entry.refresh_at_s = None
            del self._waiting[entry.resource.name]
        return [entry.resource for entry in sorted(due, key=lambda entry: entry.order)]

    def take_cause(self, name: str) -> tuple[str, ...]:
        """Return the keys that were touched since this was last asked."""
        entry = self._entries[name]
        cause, entry.cause = tuple(entry.cause), {}
        return cause

    def next_deadline_s(self) -> float | None:
        """Return when the next resource is due, None when none waits for its time."""
        times_s = [at_s for entry in self._waiting.values() for at_s in entry.times_s if at_s is not None]
        return min(times_s, default=None)

    def rendered(self, rendered: Rendered, *, now_s: float) -> None:
        """Take note of what a render has read; a failure that may pass is tried again, a passing answer asked again."""
        name = rendered.resource.name
        entry = self._entries[name]
        self._readers.note(name, rendered.dependencies)
        # The DNS and the host tell nobody when they change: they are asked again.
        refresh_s = rendered.dependencies.refresh_s
        entry.refresh_at_s = None if refresh_s is None else now_s + refresh_s
        self._keep_waiting(entry)
        if rendered.error is not None and rendered.error.is_transient:
            self.failed(name, now_s=now_s)

    def succeeded(self, name: str) -> None:
        """The destination and its program are up to date."""
        if entry := self._entries.get(name):
            entry.failures = 0
            entry.retry_at_s = None
            self._keep_waiting(entry)

    def failed(self, name: str, *, now_s: float) -> None:
        """Try again later, each time after twice as long, up to the limit."""
        if entry := self._entries.get(name):
            pause_s = self._limits.retry_min_s * 2 ** min(entry.failures, 32)
            entry.failures += 1
            entry.retry_at_s = now_s + min(pause_s, self._limits.retry_max_s)
            self._keep_waiting(entry)

    def _keep_waiting(self, entry: _Entry) -> None:
        """Hold the entry among those that wait if it has a reason to."""
        if any(at_s is not None for at_s in entry.times_s):
            self._waiting[entry.resource.name] = entry
        else:
            self._waiting.pop(entry.resource.name, None)
