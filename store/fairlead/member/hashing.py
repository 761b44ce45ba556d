"""Hashes of a large state, taken in slices between which the loop has its turn."""

import asyncio

from fairlead.member.machine import Machine
from fairlead.member.opening import APPLIED
from fairlead.mvcc import BackendHashRun, BucketName, KeyValueHash

SLICE = 500
"""Revisions or pairs hashed in one turn: about a millisecond."""

IGNORED = {(BucketName.META, APPLIED)}
"""How far each member has come is its own business."""


async def hash_kv(machine: Machine, revision: int = 0) -> KeyValueHash:
    """Hash the history up to ``revision``, 0 for the current one; see ``Store.begin_hash``.

    Raises:
        CompactedError, FutureRevisionError: as for a read; a compaction may come in between.
    """
    store = machine.store
    run = store.begin_hash(revision)
    while (found := run.step(SLICE)) is None:
        await asyncio.sleep(0)
        if machine.store is not store:  # a snapshot was installed
            store = machine.store
            run = store.begin_hash(revision)
    return found


async def hash_database(machine: Machine) -> int:
    """Hash all tables; see ``BackendHashRun``."""
    backend = machine.backend
    run = BackendHashRun(backend, ignored=IGNORED)
    while (found := run.step(SLICE)) is None:
        await asyncio.sleep(0)
        if machine.backend is not backend:
            backend = machine.backend
            run = BackendHashRun(backend, ignored=IGNORED)
    return found
