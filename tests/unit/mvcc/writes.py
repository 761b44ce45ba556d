"""Short forms of what tests do to a store."""

from fairlead.mvcc import Store
from fairlead.proto.kv_pb2 import KeyValue


def put(store: Store, key: bytes, value: bytes = b"v", lease: int = 0) -> int:
    txn = store.begin()
    txn.put(key, value, lease)
    return txn.end()


def delete(store: Store, key: bytes, range_end: bytes = b"") -> int:
    txn = store.begin()
    txn.delete_range(key, range_end)
    return txn.end()


def compact(store: Store, revision: int) -> None:
    """Compact all the way."""
    store.compact(revision)
    while not store.compact_step():
        pass


def pairs(encoded: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [(kv.key, kv.value) for kv in map(KeyValue.FromString, encoded)]


def latest(store: Store, key: bytes) -> KeyValue:
    found = store.latest(key)
    assert found is not None, key
    return KeyValue.FromString(found)
