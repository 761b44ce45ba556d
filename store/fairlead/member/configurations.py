"""Configurations of the cluster in the database: which one was in force at which entry.

The log begins at an entry that the database has applied; the consensus core wants to know the configuration
there.  Those of later entries it finds in the log itself.
"""

from fairlead.mvcc import Backend, BucketName
from fairlead.raft import Configuration, decode_configuration, encode_configuration


def save_configuration(backend: Backend, index: int, configuration: Configuration) -> None:
    """Note the configuration that entry ``index`` brings; 0 for the one that the cluster begins with."""
    backend.put(BucketName.CLUSTER, index.to_bytes(8), encode_configuration(configuration))


def configuration_at(backend: Backend, index: int) -> Configuration | None:
    """Return the configuration in force after entry ``index``; None if none is known."""
    found = None
    for key, value in backend.items(BucketName.CLUSTER):
        if int.from_bytes(key) > index:
            break
        found = value
    return None if found is None else decode_configuration(found)[0]


def forget_configurations(backend: Backend, *, before: int) -> None:
    """Drop those that were replaced at or before entry ``before``, where the log begins."""
    keys = [key for key, _ in backend.items(BucketName.CLUSTER) if int.from_bytes(key) <= before]
    for key in keys[:-1]:
        backend.delete(BucketName.CLUSTER, key)
