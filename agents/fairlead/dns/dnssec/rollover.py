"""The keys of one zone, and how one takes the place of another without anybody failing to validate.

Each key is in the DNSKEY RRset and signs it; one signs the rest (RFC 6781, section 4.1.2, "Double-DS" turned around, as RFC 7583
section 3.3.2 has it for keys with both roles).  The parent is told by CDS and CDNSKEY (RFC 7344) of the newest, once nobody
remembers the key set without it: a DS of a key that a validator cannot have yet is the end of the zone for it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from fairlead.dns.dnssec.errors import RolloverError
from fairlead.dns.dnssec.keys import Algorithm, SigningKey
from fairlead.dns.dnssec.limits import SigningLimits


class State(Enum):
    """What a key does, besides being published and signing the DNSKEY RRset."""

    COMING = "coming"  # the parent is to vouch for it
    ACTIVE = "active"  # it signs the zone
    GOING = "going"  # signatures of it may be remembered


@dataclass(frozen=True, slots=True)
class ZoneKey:
    """A key, what it does, and since when, in seconds since 1970."""

    key: SigningKey
    state: State
    since_s: int


Keys = tuple[ZoneKey, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What a command did: the keys from now on, and what the operator does next."""

    keys: Keys
    done: str
    next: str


def first(key: SigningKey, *, now_s: int) -> Step:
    """Return a zone's first key, which signs at once: without a DS at the parent nobody asks for signatures."""
    return Step(
        (ZoneKey(key, State.ACTIVE, now_s),),
        f"key {key.tag} signs the zone",
        "give the DS record to the zone's parent",
    )


def advance(
    keys: Keys, *, make: Callable[[], SigningKey], now_s: int, limits: SigningLimits, force: bool = False
) -> Step:
    """Go one step further: a new key comes, it takes over, the old one goes.

    Args:
        keys: as they are; at least one is active.
        make: gives a new key.
        now_s: seconds since 1970.
        limits: how long things are remembered.
        force: do not wait for what others may remember.

    Raises:
        RolloverError: it is too early.
    """
    if going := _in_state(keys, State.GOING):
        wait_s = going.since_s + limits.ds_ttl_s - now_s
        _require(wait_s, f"signatures and DS of key {going.key.tag} may still be remembered", force=force)
        return Step(
            tuple(key for key in keys if key is not going),
            f"key {going.key.tag} is gone",
            "the roll-over is complete; remove the old DS from the parent if it is still there",
        )
    if coming := _in_state(keys, State.COMING):
        wait_s = coming.since_s + limits.key_ttl_s - now_s
        _require(wait_s, f"the key set without key {coming.key.tag} may still be remembered", force=force)
        return Step(
            tuple(replace(key, state=_TAKEN_OVER[key.state], since_s=now_s) for key in keys),
            f"key {coming.key.tag} signs the zone",
            f"in {limits.ds_ttl_s} s, or the longest TTL of the zone's records if that is more, roll again, so that the old key goes",
        )
    key = make()
    return Step(
        (*keys, ZoneKey(key, State.COMING, now_s)),
        f"key {key.tag} is published",
        f"in {limits.key_ttl_s} s, and not before, have the parent replace its DS by this one (CDS asks for it by itself then); "
        "see that it did, and roll again",
    )


def signers(keys: Keys) -> list[SigningKey]:
    """Return the keys that sign the zone's data: one of each algorithm in the key set (RFC 4035, section 2.2)."""
    by_algorithm: dict[Algorithm, SigningKey] = {}
    for state in (State.ACTIVE, State.GOING, State.COMING):
        for key in keys:
            if key.state is state:
                by_algorithm.setdefault(key.key.algorithm, key.key)
    return list(by_algorithm.values())


def newest(keys: Keys) -> SigningKey:
    """Return the key that the parent vouches for in the end: the one that comes, or else the active one."""
    chosen = _in_state(keys, State.COMING) or _in_state(keys, State.ACTIVE)
    assert chosen is not None
    return chosen.key


def wanted_by_parent(keys: Keys, *, now_s: float, limits: SigningLimits) -> SigningKey:
    """Return the key that the parent is to vouch for now."""
    if turns_s(keys, limits=limits) <= now_s:
        return newest(keys)
    active = _in_state(keys, State.ACTIVE)
    assert active is not None
    return active.key


def turns_s(keys: Keys, *, limits: SigningLimits) -> float:
    """Return when `wanted_by_parent` becomes, or became, the newest, in seconds since 1970 (RFC 7583, section 3.3.2)."""
    coming = _in_state(keys, State.COMING)
    return coming.since_s + limits.key_ttl_s if coming is not None else -math.inf


_TAKEN_OVER: Final = {
    State.COMING: State.ACTIVE,
    State.ACTIVE: State.GOING,
    State.GOING: State.GOING,
}


def _in_state(keys: Keys, state: State) -> ZoneKey | None:
    return next((key for key in keys if key.state is state), None)


def _require(wait_s: int, why: str, *, force: bool) -> None:
    if wait_s > 0 and not force:
        raise RolloverError(f"{why} for {wait_s} s; wait, or give --force to break validation for some")
