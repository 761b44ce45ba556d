"""Back to how the keys were: one transaction made of the store's own history.

Keys on a lease are left alone: they say who is alive now, and that cannot be taken back.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fairlead.client import Client, CompactedError, Compare, KeyValue, RequestError, op_delete, op_put

OPERATIONS_MAX = 128
"""What etcd takes in a transaction unless told otherwise (--max-txn-ops)."""


class Undoing(NamedTuple):
    """What an undo changes.

    Attributes:
        puts: keys and the values that they had.
        deletes: keys that were not there.
        now: the revision of each of these keys today, 0 for none; the transaction holds only then.
        revision: the store's, when it was looked at.
    """

    puts: Mapping[bytes, bytes]
    deletes: Sequence[bytes]
    now: Mapping[bytes, int]
    revision: int

    def lines(self) -> list[str]:
        """Return what will happen, for people."""
        put = [f"{'restore' if self.now[key] else 're-create'} {_shown(key)}" for key in sorted(self.puts)]
        return put + [f"delete {_shown(key)}" for key in sorted(self.deletes)]


class UndoError(Exception):
    """It cannot be undone; the text says why, and what to do."""


async def plan_undo(client: Client, prefixes: Sequence[bytes], revision: int) -> Undoing:
    """Return what leads back to ``revision``.

    Raises:
        UndoError: the store does not have it any more, or not yet.
        ClientError: the store cannot be asked.
    """
    then: dict[bytes, KeyValue] = {}
    today: dict[bytes, KeyValue] = {}
    current = 0
    for prefix in prefixes:
        found = await client.get(prefix, prefix=True)
        current = max(current, found.revision)
        today |= {kv.key: kv for kv in found.kvs}
    if not 0 < revision <= current:
        raise UndoError(
            f"revision {revision} is not in the store, which is at {current}; give one from before"
        )
    for prefix in prefixes:
        try:
            found = await client.get(prefix, prefix=True, revision=revision)
        except CompactedError as error:
            raise UndoError(
                f"revision {revision} is gone: the store has been compacted; give a later one"
            ) from error
        then |= {kv.key: kv for kv in found.kvs}
    return difference(then, today, revision=current)


def difference(then: Mapping[bytes, KeyValue], today: Mapping[bytes, KeyValue], *, revision: int) -> Undoing:
    """Return what makes ``today`` what ``then`` was, but for keys on a lease."""
    puts = {
        key: kv.value
        for key, kv in then.items()
        if not kv.lease and (key not in today or (not today[key].lease and today[key].value != kv.value))
    }
    deletes = [key for key, kv in today.items() if key not in then and not kv.lease]
    now = {key: today[key].mod_revision if key in today else 0 for key in (*puts, *deletes)}
    return Undoing(puts, deletes, now, revision)


async def undo(client: Client, undoing: Undoing) -> int:
    """Do it; return the revision of the transaction.

    Raises:
        UndoError: somebody has changed one of the keys meanwhile, or there are too many of them.
        ClientError: the store cannot be asked.
    """
    conditions = [Compare.mod_revision(key).equals(revision) for key, revision in undoing.now.items()]
    operations = [op_put(key, value) for key, value in undoing.puts.items()]
    operations += [op_delete(key) for key in undoing.deletes]
    try:
        done = await client.txn(conditions, operations)
    except RequestError as error:
        if len(operations) > OPERATIONS_MAX:
            raise UndoError(
                f"{len(operations)} keys differ, more than the store takes in one transaction ({error});"
                " go back in smaller steps, or raise its --max-txn-ops"
            ) from error
        raise
    if not done.succeeded:
        raise UndoError("the keys are being changed by somebody else; look again, then repeat")
    return done.revision


def _shown(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")
