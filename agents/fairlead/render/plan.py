"""What to do, decided without touching anything.

``decide`` compares the file that ought to be with the file that is; ``Schedule`` says which resources to
render now and which to try again when.  Both take what they need as arguments: no clock, no file system.

A reload that is owed is a fact of its own, apart from the file: confd and its kin lose a reload that failed,
because the next time they look the file is equal.  Here it is owed until it has succeeded.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from fairlead.render.config import Limits
from fairlead.render.rendered import Rendered
from fairlead.render.resource.model import FileSpec, Resource
from fairlead.render.view import Dependencies

MODE_DEFAULT = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """A regular file: its bytes, permission bits and ids."""

    content: bytes
    mode: int
    uid: int
    gid: int

    @property
    def attributes(self) -> tuple[int, int, int]:
        """All but the content."""
        return self.mode, self.uid, self.gid


class Step(Enum):
    """What brings a destination, and the program that reads it, up to date."""

    NOTHING = auto()
    REPAIR = auto()
    """Set mode and owner; the program has no news to read."""
    RELOAD = auto()
    """The file is in place, its reload has not succeeded yet."""
    REPLACE = auto()
    """Stage, check, swap, reload."""


def wanted_state(spec: FileSpec, content: bytes, found: FileState | None, *, uid: int, gid: int) -> FileState:
    """Return how the destination ought to be.

    Args:
        spec: says mode and owner, where it does.
        content: the rendered bytes.
        found: the destination as it is, None when there is none; its mode is kept where none is asked for.
        uid: the effective user, who owns the file unless the resource says otherwise.
        gid: the effective group.
    """
    mode = found.mode if found is not None else MODE_DEFAULT
    return FileState(
        content=content,
        mode=mode if spec.mode is None else spec.mode,
        uid=uid if spec.uid is None else spec.uid,
        gid=gid if spec.gid is None else spec.gid,
    )


def decide(wanted: FileState, found: FileState | None, *, is_reload_owed: bool) -> Step:
    """Return the one step to take; a repair is part of each larger one."""
    if found is None or found.content != wanted.content:
        return Step.REPLACE
    if is_reload_owed:
        return Step.RELOAD
    return Step.NOTHING if found.attributes == wanted.attributes else Step.REPAIR


@dataclass(slots=True)
class _Entry:
    """What the schedule knows of one resource."""

    resource: Resource
    dependencies: Dependencies = field(default_factory=Dependencies)
    is_due: bool = True
    failures: int = 0
    retry_at_s: float | None = None


class Schedule:
    """Which resources to render, and when.  Times are seconds on a clock that never goes back."""

    def __init__(self, resources: Iterable[Resource], *, limits: Limits) -> None:
        self._limits = limits
        self._entries = {resource.name: _Entry(resource) for resource in resources}

    def __repr__(self) -> str:
        waiting = sum(entry.retry_at_s is not None for entry in self._entries.values())
        return f"<Schedule of {len(self._entries)} resources, {waiting} to try again>"

    def key_changed(self, changed: Iterable[str]) -> None:
        """Make due what has read one of these keys."""
        changed = frozenset(changed)
        for entry in self._entries.values():
            entry.is_due = entry.is_due or entry.dependencies.touched_by(changed)

    def all_due(self) -> None:
        """Make everything due, to repair drift and to look at the world again."""
        for entry in self._entries.values():
            entry.is_due = True

    def take_due(self, *, now_s: float) -> list[Resource]:
        """Return what is to be rendered now, in the order of names, and hold it for done."""
        return [entry.resource for entry in self._take(now_s)]

    def _take(self, now_s: float) -> Iterator[_Entry]:
        for entry in self._entries.values():
            if entry.is_due or (entry.retry_at_s is not None and entry.retry_at_s <= now_s):
                entry.is_due = False
                entry.retry_at_s = None
                yield entry

    def next_deadline_s(self) -> float | None:
        """Return when the first retry is due, None when there is none."""
        return min(
            (entry.retry_at_s for entry in self._entries.values() if entry.retry_at_s is not None),
            default=None,
        )

    def rendered(self, rendered: Rendered, *, now_s: float) -> None:
        """Take note of what a render has read; a failure that may pass is tried again."""
        entry = self._entries[rendered.resource.name]
        entry.dependencies = rendered.dependencies
        if rendered.error is not None and rendered.error.is_transient:
            self.failed(rendered.resource.name, now_s=now_s)

    def succeeded(self, name: str) -> None:
        """The destination and its program are up to date."""
        if entry := self._entries.get(name):
            entry.failures = 0
            entry.retry_at_s = None

    def failed(self, name: str, *, now_s: float) -> None:
        """Try again later, each time after twice as long, up to the limit."""
        if entry := self._entries.get(name):
            pause_s = self._limits.retry_min_s * 2 ** min(entry.failures, 32)
            entry.failures += 1
            entry.retry_at_s = now_s + min(pause_s, self._limits.retry_max_s)
