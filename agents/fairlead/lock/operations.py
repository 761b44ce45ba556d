"""What may become of a group, and what has to be written for it.  Pure: a board in, a change out.

A change is one transaction that fails when the semaphore was written since the board was read, or when somebody
froze the group meanwhile.  An operation that changes nothing returns None.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead.lock import keys
from fairlead.lock.board import LOG_ENTRIES_MAX, POLICIES, Board, Holder
from fairlead.lock.errors import (
    FrozenError,
    LimitError,
    NotHeldError,
    OccupiedError,
    TwoHostsError,
    UnknownGroupError,
)
from fairlead.lock.semaphore import Semaphore


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who wants in.

    Attributes:
        holder: its id.
        hold_s: after how long it is overdue, by the store's clock; 0 is never.
        lives: it keeps a lease of its own, and is dead when that is gone.
        owner: a word that no other process has, where the permit is for one process and not for all who have the
            id; empty otherwise.
    """

    holder: str
    host: str = ""
    boot_id: str = ""
    reason: str = ""
    since_s: int = 0
    hold_s: int = 0
    lives: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transaction.

    Attributes:
        mod_revision: what the semaphore's key has to have still.
        is_thawed: the freeze key must still be missing.
        puts: values by key.
        deletes: keys.
        due: a key to put on a new lease, and the TTL of that in seconds.
        alive: a key to put on the lease that the holder keeps.
        token: the fencing token of who gets in by it.
    """

    group: str
    mod_revision: int
    is_thawed: bool = False
    puts: Mapping[str, bytes] = field(default_factory=dict)
    deletes: tuple[str, ...] = ()
    due: tuple[str, int] | None = None
    alive: str = ""
    token: int = 0


def acquire(board: Board, claim: Claim) -> Change | None:
    """Let ``claim`` in; None when it is in.

    A group that is not there begins with one permit, as locksmith's do.  Holders that may go make room.

    Raises:
        FullError: as many are in as may be.
        FrozenError: nobody may come in now.
        TwoHostsError: another host is in by this id.
        OccupiedError: another process is.
    """
    held = board.find(claim.holder)
    if held is not None and not held.is_dead:
        if held.host and claim.host and held.host != claim.host:
            raise TwoHostsError(claim.holder, held_by=held.host, asked_by=claim.host)
        if held.owner != claim.owner:
            raise OccupiedError(claim.holder, reason=held.reason)
        return None
    if board.frozen_because:
        raise FrozenError(board.group, reason=board.frozen_because)
    semaphore = board.semaphore or Semaphore()
    gone = [one for one in board.holders if board.may_go(one)]
    for one in gone:
        semaphore = semaphore.released(one.holder)
    change = _change(
        board,
        semaphore.acquired(claim.holder),
        what="acquired",
        who=claim.holder,
        why=claim.reason,
        at_s=claim.since_s,
        puts={keys.child(board.group, "holders", claim.holder): encode(_record(claim, token=board.revision))},
        deletes=tuple(
            key for one in gone if one.holder != claim.holder for key in _records(board.group, one.holder)
        ),
    )
    return replace(
        change,
        is_thawed=True,
        token=board.revision,
        due=(keys.child(board.group, "due", claim.holder), claim.hold_s) if claim.hold_s else None,
        alive=keys.child(board.group, "alive", claim.holder) if claim.lives else "",
    )


def renew(board: Board, holder: str) -> Change:
    """Give ``holder``, who is in, its whole time again: asked for just before it goes down.

    What was left of its time may be less than a reboot takes, and whoever is overdue may be let out.

    Raises:
        UnknownGroupError: there is no such group.
        NotHeldError: it is not in any more.
    """
    semaphore = _known(board)
    held = board.find(holder)
    if held is None:
        raise NotHeldError(holder, holders=semaphore.holders)
    due = (keys.child(board.group, "due", holder), held.hold_s) if held.hold_s else None
    return Change(
        group=board.group,
        mod_revision=board.mod_revision,
        puts={keys.semaphore_key(board.group): semaphore.encode()},
        due=due,
    )


def release(board: Board, holder: str, *, why: str, at_s: int, owner: str = "") -> Change:
    """Let ``holder`` out; where ``owner`` is given, only if it is that process that is in.

    Raises:
        UnknownGroupError: there is no such group.
        NotHeldError: it is not in.
    """
    semaphore = _known(board).released(holder)
    if owner and (held := board.find(holder)) is not None and held.owner != owner:
        raise NotHeldError(holder, holders=semaphore.holders)
    return _change(
        board,
        semaphore,
        what="released",
        who=holder,
        why=why,
        at_s=at_s,
        deletes=_records(board.group, holder),
    )


def set_max(board: Board, permits: int, *, at_s: int) -> Change | None:
    """Give the group another maximum; make the group when it is not there.

    Raises:
        LimitError: no such maximum can be.
        FrozenError: it is frozen by word, and would come back to another.
    """
    if board.freeze is not None:
        raise FrozenError(board.group, reason=board.frozen_because)
    semaphore = (board.semaphore or Semaphore()).resized(permits)
    if semaphore == board.semaphore:
        return None
    return _change(board, semaphore, what=f"maximum {permits}", who="", why="", at_s=at_s)


def freeze(board: Board, *, reason: str, by: str, at_s: int) -> Change | None:
    """Let nobody in: the maximum becomes 0, which locksmith's hosts heed too, and is remembered."""
    if board.freeze is not None:
        return None
    semaphore = board.semaphore or Semaphore()
    record = {"reason": reason, "by": by, "since_s": at_s, "max": semaphore.permits}
    return _change(
        board,
        semaphore.resized(0),
        what="frozen",
        who=by,
        why=reason,
        at_s=at_s,
        puts={f"{keys.root_of(board.group)}freeze": encode(record)},
    )


def unfreeze(board: Board, *, by: str, at_s: int) -> Change | None:
    """Let hosts in again, up to the maximum of before; None when the group is not frozen by word.

    Raises:
        UnknownGroupError: there is no such group.
    """
    semaphore = _known(board)
    if board.freeze is None:
        return None
    before = board.freeze.get("max")
    permits = before if isinstance(before, int) and not isinstance(before, bool) and before >= 0 else 1
    return _change(
        board,
        semaphore.resized(permits),
        what="unfrozen",
        who=by,
        why="",
        at_s=at_s,
        deletes=(f"{keys.root_of(board.group)}freeze",),
    )


def set_policy(board: Board, on_overdue: str) -> Change:
    """Say what is to become of who is overdue.

    Raises:
        LimitError: it is none of POLICIES.
        UnknownGroupError: there is no such group.
    """
    _known(board)
    if on_overdue not in POLICIES:
        raise LimitError(f"no policy {on_overdue!r}; there are {', '.join(POLICIES)}")
    return Change(
        group=board.group,
        mod_revision=board.mod_revision,
        puts={f"{keys.root_of(board.group)}policy": encode({"on_overdue": on_overdue})},
    )


def tend(board: Board, *, by: str, at_s: int) -> tuple[Change, Holder, str] | None:
    """Return what the policy has one do about the first holder that is overdue or dead, or None.

    ``hold`` leaves it; ``page`` has it said, once; ``release`` lets it out.  Who promised to stay alive and died is
    let out under each.

    Returns:
        the change, the holder, and ``paged`` or ``released``.
    """
    for one in board.holders:
        if board.may_go(one):
            how = "dead" if one.is_dead else "overdue"
            return (
                release(board, one.holder, why=f"it is {how}, says {by}", at_s=at_s),
                one,
                "released",
            )
        if one.is_overdue and board.on_overdue == "page" and not one.is_paged:
            return _paged(board, one), one, "paged"
    return None


def _paged(board: Board, one: Holder) -> Change:
    claim = Claim(
        holder=one.holder,
        host=one.host,
        boot_id=one.boot_id,
        reason=one.reason,
        since_s=one.since_s,
        hold_s=one.hold_s,
        lives=one.lives,
        owner=one.owner,
    )
    # The semaphore is written as it is, so that of several who want to tell it only the first does.
    return Change(
        group=board.group,
        mod_revision=board.mod_revision,
        puts={
            keys.semaphore_key(board.group): _known(board).encode(),
            keys.child(board.group, "holders", one.holder): encode(
                {**_record(claim, token=one.token), "paged": True}
            ),
        },
    )


def _record(claim: Claim, *, token: int) -> dict[str, Any]:
    return {
        "id": claim.holder,
        "host": claim.host,
        "boot_id": claim.boot_id,
        "reason": claim.reason,
        "since_s": claim.since_s,
        "hold_s": claim.hold_s,
        "lives": claim.lives,
        "owner": claim.owner,
        "token": token,
    }


def _change(
    board: Board,
    semaphore: Semaphore,
    *,
    what: str,
    who: str,
    why: str,
    at_s: int,
    puts: Mapping[str, bytes] | None = None,
    deletes: tuple[str, ...] = (),
) -> Change:
    root = keys.root_of(board.group)
    entry = {"what": what, "who": who, "why": why, "at_s": at_s}
    old = list(board.entries)[: max(0, len(board.entries) + 1 - LOG_ENTRIES_MAX)]
    return Change(
        group=board.group,
        mod_revision=board.mod_revision,
        puts={
            keys.semaphore_key(board.group): semaphore.encode(),
            **(puts or {}),
            f"{root}log/{board.mod_revision:020d}": encode(entry),
        },
        deletes=(*deletes, *old),
    )


def _records(group: str, holder: str) -> tuple[str, ...]:
    return tuple(keys.child(group, kind, holder) for kind in ("holders", "due", "alive"))


def _known(board: Board) -> Semaphore:
    if board.semaphore is None:
        raise UnknownGroupError(board.group)
    return board.semaphore


def encode(value: Mapping[str, Any]) -> bytes:
    """Return a record as its key holds it."""
    return json.dumps(value, ensure_ascii=False).encode()
