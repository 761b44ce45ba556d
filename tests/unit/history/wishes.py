"""What clients may ask next, seen what the store holds: few keys, so that they meet."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.history import (
    Compact,
    Compare,
    Delete,
    Grant,
    KeepAlive,
    Put,
    Range,
    Relation,
    Request,
    Revoke,
    Target,
    Txn,
)
from tests.history.model import State


@dataclass(kw_only=True)
class Wishes:
    """Requests without end."""

    rng: random.Random
    keys: int
    ttls_s: tuple[float, ...]
    compacts: bool = True
    _count: int = 0

    def next(self, state: State) -> Request:
        """Return a request; many refer to what ``state`` holds, which may be past when it is done."""
        makers: dict[Callable[[State], Request], int] = {
            self._put: 30,
            self._get: 30,
            self._delete: 8,
            self._swap: 10,
            self._several: 5,
            self._grant: 3,
            self._revoke: 1,
            self._keep_alive: 4,
            self._compact: int(self.compacts),
        }
        (make,) = self.rng.choices(list(makers), list(makers.values()))
        return make(state)

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _key(self) -> bytes:
        return b"k%d" % self.rng.randrange(self.keys)

    def _value(self) -> bytes:
        # Some values repeat, as those of real users do.
        self._count += 1
        return b"v%d" % (self._count if self._chance(0.8) else self.rng.randrange(3))

    def _lease(self, state: State) -> int:
        return self.rng.choice([*state.leases, 77])

    def _put(self, state: State) -> Put:
        lease = self._lease(state) if self._chance(0.2) else 0
        return Put(key=self._key(), value=self._value(), lease=lease, prev_kv=self._chance(0.3))

    def _get(self, state: State) -> Range:
        revision = self.rng.randint(max(state.revision - 20, 1), state.revision) if self._chance(0.1) else 0
        is_wide = self._chance(0.3)
        return Range(
            key=self._key(),
            range_end=b"\0" if is_wide else b"",
            revision=revision,
            limit=self.rng.choice((0, 3)) if is_wide else 0,
            count_only=is_wide and self._chance(0.2),
            serializable=self._chance(0.2),
        )

    def _delete(self, _: State) -> Delete:
        return Delete(
            key=self._key(), range_end=b"k5" if self._chance(0.1) else b"", prev_kv=self._chance(0.5)
        )

    def _swap(self, state: State) -> Txn:
        """Compare-and-swap on what the key holds now."""
        key = self._key()
        kv = state.keys.get(key)
        if kv is not None and self._chance(0.3):
            compare = Compare(key=key, target=Target.VALUE, operand=kv.value)
        else:
            compare = Compare(key=key, target=Target.MOD, operand=kv.mod_revision if kv else 0)
        put = Put(key=key, value=self._value())
        return Txn(compares=(compare,), success=(put,), failure=(Range(key=key),))

    def _several(self, _: State) -> Txn:
        first, second, third = (b"k%d" % name for name in self.rng.sample(range(self.keys), 3))
        puts = (Put(key=key, value=self._value(), prev_kv=True) for key in (first, second))
        compare = Compare(key=b"k0", target=Target.VERSION, relation=Relation.GREATER, operand=0)
        return Txn(
            compares=(compare,) if self._chance(0.5) else (),
            success=(*puts, Delete(key=third), Range(key=b"k", range_end=b"\0", limit=4)),
            failure=(Delete(key=self._key()),),
        )

    def _grant(self, _: State) -> Grant:
        return Grant(lease_id=self.rng.choice((0, 7, 8)), ttl_s=self.rng.choice(self.ttls_s))

    def _revoke(self, state: State) -> Revoke:
        return Revoke(lease_id=self._lease(state))

    def _keep_alive(self, state: State) -> KeepAlive:
        return KeepAlive(lease_id=self._lease(state))

    def _compact(self, state: State) -> Compact:
        return Compact(revision=max(state.revision - 50, 1))
