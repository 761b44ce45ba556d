"""Which deletions are held back.  Without IO; keys come in groups, one for each zone."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """What counts as a mass disappearance.

    Attributes:
        share_max: a group may lose this share of its keys within ``window_s``; 1 or more switches the guard off.
        keys_min: fewer lost keys than this are never one.
        window_s: seconds.
    """

    share_max: float = 0.3
    keys_min: int = 50
    window_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """A key that is gone from the store, and served all the same.

    Attributes:
        value: what it held last.
        revision: when it went.
    """

    value: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is in force of a change.

    Attributes:
        puts: key to value.
        deletes: keys.
        has_news: other keys than before are held.
    """

    puts: dict[bytes, bytes]
    deletes: list[bytes]
    has_news: bool = False


@dataclass(slots=True)
class _Group:
    keys: int = 0
    held: dict[bytes, Held] = field(default_factory=dict)
    lost: dict[bytes, tuple[float, Held]] = field(default_factory=dict)
    """What went within the window and has not come back, the oldest first."""


class Guard:
    """Rules on changes.

    Args:
        settings: what counts as a mass disappearance.
        group_of: the zone of a key; keys of one group are counted together.
    """

    def __init__(self, settings: GuardSettings, *, group_of: Callable[[bytes], Hashable]) -> None:
        self._settings = settings
        self._group_of = group_of
        self._values: dict[bytes, bytes] = {}
        self._groups: dict[Hashable, _Group] = {}
        self._is_loaded = False
        self._revision = 0
        self._accepted = 0

    @property
    def held(self) -> dict[bytes, Held]:
        """Every key that is held."""
        return {key: held for group in self._groups.values() for key, held in group.held.items()}

    def restore(self, held: Mapping[bytes, Held]) -> None:
        """Hold what was held before a restart; ahead of the first change."""
        for key, one in held.items():
            self._group(key).held[key] = one

    def rule(
        self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes], *, revision: int, now_s: float
    ) -> Ruling:
        """Return what is in force of a change, which may bring back what went a moment before.

        Args:
            puts: key to value.
            deletes: keys that are gone.
            revision: the store's.
            now_s: of any clock that only goes forward.
        """
        if revision < self._revision:
            self._accepted = 0  # a store restored from a backup: nobody has accepted what goes by that
        self._revision = revision
        in_force = dict(puts)
        groups, has_news = self._take_puts(puts)
        if not self._is_loaded:
            self._is_loaded = True
            in_force.update((key, held.value) for key, held in self.held.items())
        gone: list[bytes] = []
        for key in deletes:
            value = self._values.pop(key, None)
            group = self._group(key)
            if value is not None:
                group.keys -= 1
                if revision > self._accepted:
                    group.lost[key] = (now_s, Held(value, revision))
                groups[id(group)] = group
            if key not in group.held:
                gone.append(key)
        for group in groups.values():
            has_news |= self._weigh(group, in_force, gone, now_s=now_s)
        return Ruling(in_force, [key for key in gone if key not in in_force], has_news)

    def accept(self, revision: int) -> Ruling:
        """Return the deletions up to ``revision`` that were held: they were meant, and so are those not yet heard of."""
        self._accepted = max(self._accepted, revision)
        deletes: list[bytes] = []
        for group in self._groups.values():
            meant = [key for key, held in group.held.items() if held.revision <= revision]
            for key in meant:
                del group.held[key]
            deletes += meant
        return Ruling({}, deletes, bool(deletes))

    def _take_puts(self, puts: Mapping[bytes, bytes]) -> tuple[dict[int, _Group], bool]:
        """Take note of ``puts``; return the groups that have grown, and whether a held key came back."""
        grown: dict[int, _Group] = {}
        has_news = False
        for key, value in puts.items():
            if key not in self._values:
                group = self._group(key)
                group.keys += 1
                group.lost.pop(key, None)
                has_news |= group.held.pop(key, None) is not None
                grown[id(group)] = group
            self._values[key] = value
        return grown, has_news

    def _weigh(self, group: _Group, in_force: dict[bytes, bytes], gone: list[bytes], *, now_s: float) -> bool:
        """Hold what is lost, or let go of what is held; return whether other keys than before are held."""
        settings = self._settings
        oldest_s = now_s - settings.window_s
        while group.lost and next(iter(group.lost.values()))[0] <= oldest_s:
            del group.lost[next(iter(group.lost))]
        count = len(group.lost) + len(group.held)
        if count >= settings.keys_min and count > settings.share_max * (group.keys + count):
            lost = {key: held for key, (_, held) in group.lost.items()}
            group.lost.clear()
            group.held.update(lost)
            in_force.update((key, held.value) for key, held in lost.items())
            return bool(lost)
        # It was never much, or so much has come back that the rest is not.
        has_held = bool(group.held)
        gone.extend(group.held)
        group.held.clear()
        return has_held

    def _group(self, key: bytes) -> _Group:
        return self._groups.setdefault(self._group_of(key), _Group())
