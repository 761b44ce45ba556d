"""The keys at one store revision, and what a template saw of them.

A ``Snapshot`` changes only between passes, so all templates of a pass read one revision.  A ``View`` is one
template's window on it: the resource's prefix is taken off, only its ``keys`` are visible, and whatever is
read is written down, so that a later change renders only the templates that would notice it.

Keys and values are bytes in the store and text in a template; bytes that are not UTF-8 survive the round
trip as lone surrogates.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sortedcontainers import SortedDict

from fairlead.render.errors import MissingKeyError
from fairlead.render.glob import compile_glob, literal_prefix
from fairlead.render.paths import base, clean, is_under


def to_text(raw: bytes) -> str:
    """Return ``raw`` as a template sees it."""
    return raw.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """Return what ``to_text`` was given."""
    return text.encode("utf-8", "surrogateescape")


class KVPair(NamedTuple):
    """A key, with the prefix taken off, and its value; ``Key`` and ``Value`` are confd's spelling."""

    key: str
    value: str

    @property
    def Key(self) -> str:  # noqa: N802 - confd's templates say .Key
        """The key."""
        return self.key

    @property
    def Value(self) -> str:  # noqa: N802 - confd's templates say .Value
        """The value."""
        return self.value


_GONE_MAX = 10_000
"""Keys of which is remembered that they were deleted, at the least."""
_OUR_KEYS = "/fairlead/"
"""Where agents write of themselves: what they answer to must not be what they say."""


def _newest(written: Mapping[str, int]) -> int:
    return max((at for key, at in written.items() if not key.startswith(_OUR_KEYS)), default=0)


class Snapshot:
    """Every key under the agent's prefixes at one revision.

    Attributes:
        revision: of the store.
        newest_write: the revision of the latest write that was not the agents' own.
    """

    def __init__(
        self,
        items: Mapping[str, str] | None = None,
        *,
        revision: int = 0,
        written: Mapping[str, int] | None = None,
    ) -> None:
        """Hold ``items`` as of ``revision``; ``written`` says when each of them was, where that is known."""
        self.revision = revision
        self._values: Any = SortedDict(items or {})
        self._written = dict(written or {})
        self.newest_write = _newest(self._written)

    def __repr__(self) -> str:
        return f"<Snapshot of {len(self._values)} keys at revision {self.revision}>"

    def replace(
        self, items: Mapping[str, str], *, revision: int, written: Mapping[str, int] | None = None
    ) -> set[str]:
        """Become ``items``; return the keys whose value differs from before."""
        before = self._values
        self._values = SortedDict(items)
        self._written = dict(written or {})
        self.newest_write = max(self.newest_write, _newest(self._written))
        self.revision = revision
        changed = {key for key, value in items.items() if before.get(key) != value}
        changed.update(key for key in before if key not in items)
        return changed

    def update(
        self,
        puts: Mapping[str, str],
        deletes: Iterable[str],
        *,
        revision: int,
        written: Mapping[str, int] | None = None,
    ) -> set[str]:
        """Apply one or more whole store revisions; return the keys that were touched.

        A put of an equal value does not count: it cannot change any file.
        """
        values = self._values
        changed = {key for key, value in puts.items() if values.get(key) != value}
        values.update(puts)
        self._written.update(written or {})
        self.newest_write = max(self.newest_write, _newest(written or {}))
        if len(self._written) > 2 * len(values) + _GONE_MAX:
            self._written = {key: at for key, at in self._written.items() if key in values}
        for key in deletes:
            if values.pop(key, None) is not None:
                changed.add(key)
                # The key is gone, and that it went is news all the same.
                self._written[key] = revision
                if not key.startswith(_OUR_KEYS):
                    self.newest_write = max(self.newest_write, revision)
        self.revision = revision
        return changed

    def get(self, key: str) -> str | None:
        """Return the value of ``key``."""
        value: str | None = self._values.get(key)
        return value

    def newest(self, dependencies: "Dependencies") -> int:
        """Return the revision of the latest write among what was read; the same on every host that read the same."""
        return max((self._written.get(key, 0) for key in dependencies.touching(self._written)), default=0)

    def starting_with(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield the pairs whose key starts with ``prefix``, in order."""
        for key in self._values.irange(minimum=prefix):
            if not key.startswith(prefix):
                return
            yield key, self._values[key]


@dataclass(slots=True)
class Dependencies:
    """What one render has read.

    Attributes:
        keys: full store names, also of keys that are not there.
        prefixes: everything that starts so.
        world: what was asked of the host and the DNS, such as ``lookupIP db.example``, and after how many seconds the
            answer may be another; None where it stays as long as the process.
    """

    keys: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    world: dict[str, float | None] = field(default_factory=dict)

    @property
    def refresh_s(self) -> float | None:
        """After how many seconds to look again; None for never."""
        return min((refresh_s for refresh_s in self.world.values() if refresh_s is not None), default=None)

    def touching(self, changed: Iterable[str]) -> set[str]:
        """Return those of the changed keys that may change the output."""
        prefixes = tuple(self.prefixes)
        return {key for key in changed if key in self.keys or key.startswith(prefixes)}


class View:
    """confd's functions over keys, for one template.

    Args:
        snapshot: the keys.
        root: the prefix that is taken off, ``/`` for none; cleaned.
        visible: the full paths the template may see, each with all below it; cleaned.
    """

    def __init__(self, snapshot: Snapshot, *, root: str, visible: Iterable[str]) -> None:
        self.dependencies = Dependencies()
        self._snapshot = snapshot
        self._root = "" if root == "/" else root
        self._visible = tuple(visible)

    def exists(self, key: str) -> bool:
        """Whether exactly this key is there."""
        return self._value(key) is not None

    def get(self, key: str) -> KVPair:
        """Return the pair.

        Raises:
            MissingKeyError: there is no such key among the visible ones.
        """
        return KVPair(key, self.getv(key))

    def getv(self, key: str, *default: str) -> str:
        """Return the value, or the default where one is given.

        Raises:
            MissingKeyError: there is no such key among the visible ones, and no default.
        """
        value = self._value(key)
        if value is not None:
            return value
        if default:
            return default[0]
        raise MissingKeyError(self.full_name(key))

    def gets(self, pattern: str) -> list[KVPair]:
        """Return the pairs whose key matches the glob, by key; none is an empty list."""
        matches = compile_glob(pattern).fullmatch
        start = literal_prefix(pattern)
        if start and not start.startswith("/"):
            # Every key starts with a slash: no need to look at one.
            return []
        return [KVPair(key, value) for key, value in self._pairs(start) if matches(key)]

    def getvs(self, pattern: str) -> list[str]:
        """Return the values whose key matches the glob, sorted by value as confd sorts them."""
        return sorted(value for _, value in self.gets(pattern))

    def ls(self, path: str) -> list[str]:
        """Return the names directly below ``path``, sorted; an exact key gives its own base name."""
        names = {below.partition("/")[0] for below in self._below(path)}
        if self.exists(path):
            names.add(base(path))
        return sorted(names)

    def lsdir(self, path: str) -> list[str]:
        """Return those names directly below ``path`` that have something below them, sorted."""
        return sorted({below.partition("/")[0] for below in self._below(path) if "/" in below})

    def _below(self, path: str) -> Iterator[str]:
        stem = clean("/" + path).rstrip("/") + "/"
        return (key[len(stem) :] for key, _ in self._pairs(stem) if len(key) > len(stem))

    def revision(self) -> int:
        """Return the store revision of all the keys.

        A file that shows it differs at every render; it is rendered when something else it reads has changed.
        """
        return self._snapshot.revision

    def full_name(self, key: str) -> str:
        """Return the name that ``key`` has in the store."""
        return self._root + key

    def _value(self, key: str) -> str | None:
        full = self.full_name(key)
        self.dependencies.keys.add(full)
        return self._snapshot.get(full) if self._sees(full) else None

    def _pairs(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield the visible pairs whose short key starts with ``prefix``."""
        # A key without its leading slash is under no root; the range must not run into the root's neighbour.
        if not prefix.startswith("/"):
            prefix = "/"
        full = self.full_name(prefix)
        self.dependencies.prefixes.add(full)
        pairs = self._snapshot.starting_with(full)
        if not any(full.startswith(path.rstrip("/") + "/") for path in self._visible):
            # The range may reach beyond what is visible; inside, nothing needs to be asked key by key.
            pairs = ((key, value) for key, value in pairs if self._sees(key))
        cut = len(self._root)
        return ((key[cut:], value) for key, value in pairs)

    def _sees(self, full: str) -> bool:
        return any(is_under(full, path) for path in self._visible)
