"""All that the store says of one group, as of one revision; and what to write to change it.  Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.lock import keys
from fairlead.lock.errors import MAX_IS_0, BrokenSemaphoreError
from fairlead.lock.semaphore import Semaphore

LOG_ENTRIES_MAX = 64
POLICIES = ("hold", "page", "release")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One holder, with what is known of it; a host that runs locksmith has an id and no more.

    Attributes:
        token: the store's revision before it got in: larger than that of everybody before it, so what it guards
            can refuse whoever comes late.  0 when it has no record.
        since_s: seconds since 1970 by its own clock, for people; 0 when not known.
        hold_s: how long it said it would take; 0 is for ever.
        lives: it keeps a lease of its own for as long as it holds.
        owner: the process that alone may go by this id; empty where whoever has the id may.
        is_overdue: that time is over, by the store's clock.
        is_dead: it promised to stay alive and has not.
        is_silent: it is overdue, and no agent on its host lives: down for good, or slow to boot.
    """

    holder: str
    token: int = 0
    host: str = ""
    boot_id: str = ""
    reason: str = ""
    since_s: int = 0
    hold_s: int = 0
    lives: bool = False
    owner: str = ""
    is_overdue: bool = False
    is_dead: bool = False
    is_silent: bool = False
    is_paged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A value, and when it was last written."""

    value: bytes
    mod_revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One group.

    Attributes:
        semaphore: None when the group is not there.
        mod_revision: of the semaphore's key; 0 when it is not there.
        freeze: the operator's record while frozen by word, else None.
        needs: hosts that somebody asked to reboot, with the reason.
        on_overdue: one of POLICIES.
        entries: of the log, oldest first, as they are kept: who changes the group needs to count them only.
    """

    group: str
    semaphore: Semaphore | None
    mod_revision: int
    revision: int
    holders: tuple[Holder, ...] = ()
    freeze: Mapping[str, Any] | None = None
    needs: Mapping[str, str] = field(default_factory=dict)
    on_overdue: str = "hold"
    entries: Mapping[str, Pair] = field(default_factory=dict)

    @property
    def log(self) -> list[dict[str, Any]]:
        """The records of the log, oldest first, each with the ``revision`` of its change."""
        return [{**_object(pair), "revision": pair.mod_revision} for pair in self.entries.values()]

    @property
    def frozen_because(self) -> str:
        """Why nobody's turn is now; empty when it may be somebody's."""
        if self.freeze is not None:
            return str(self.freeze.get("reason") or "no reason was given")
        return MAX_IS_0 if self.semaphore is not None and self.semaphore.permits == 0 else ""

    def may_go(self, one: Holder) -> bool:
        """Whether ``one`` may be let out without being asked; who is silent is so only by the policy."""
        return one.is_dead or (one.is_overdue and self.on_overdue == "release")

    def find(self, holder: str) -> Holder | None:
        """Return the holder of that id."""
        return next((one for one in self.holders if one.holder == holder), None)


def read_board(group: str, pairs: Mapping[str, Pair], *, hosts_alive: frozenset[str], revision: int) -> Board:
    """Return what the keys of a group say.

    Args:
        group: which.
        pairs: the semaphore's key and all below the group's root.
        hosts_alive: hosts of which an agent keeps its status key.
        revision: of the read.

    Raises:
        BrokenSemaphoreError: the semaphore's key holds something else.
    """
    key = keys.semaphore_key(group)
    pair = pairs.get(key)
    try:
        semaphore = None if pair is None else Semaphore.decode(pair.value)
    except BrokenSemaphoreError as error:
        raise BrokenSemaphoreError(error.reason, key=key) from None
    root = keys.root_of(group)
    logs = sorted(one for one in pairs if one.startswith(f"{root}log/"))
    policy = str(_object(pairs.get(f"{root}policy")).get("on_overdue", "hold"))
    return Board(
        group=group,
        semaphore=semaphore,
        mod_revision=0 if pair is None else pair.mod_revision,
        revision=revision,
        holders=tuple(
            _holder(one, group, pairs, hosts_alive=hosts_alive)
            for one in (() if semaphore is None else semaphore.holders)
        ),
        freeze=_object(pairs[f"{root}freeze"]) if f"{root}freeze" in pairs else None,
        needs={
            keys.name_of(one): str(_object(value).get("reason", ""))
            for one, value in pairs.items()
            if one.startswith(f"{root}need/")
        },
        on_overdue=policy if policy in POLICIES else "hold",
        entries={one: pairs[one] for one in logs},
    )


def _holder(holder: str, group: str, pairs: Mapping[str, Pair], *, hosts_alive: frozenset[str]) -> Holder:
    pair = pairs.get(keys.child(group, "holders", holder))
    if pair is None:
        return Holder(holder=holder)
    record = _object(pair)
    hold_s, host = _count(record.get("hold_s")), str(record.get("host", ""))
    is_overdue = bool(hold_s) and keys.child(group, "due", holder) not in pairs
    lives = bool(record.get("lives"))
    return Holder(
        holder=holder,
        token=_count(record.get("token")),
        host=host,
        boot_id=str(record.get("boot_id", "")),
        reason=str(record.get("reason", "")),
        since_s=_count(record.get("since_s")),
        hold_s=hold_s,
        lives=lives,
        owner=str(record.get("owner", "")),
        is_overdue=is_overdue,
        is_dead=lives and keys.child(group, "alive", holder) not in pairs,
        is_silent=is_overdue and bool(host) and host not in hosts_alive,
        is_paged=bool(record.get("paged")),
    )


def _object(pair: Pair | None) -> dict[str, Any]:
    """Return a record; what somebody else has broken counts as empty, for it is only words beside the semaphore."""
    try:
        value = json.loads(pair.value) if pair is not None else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
