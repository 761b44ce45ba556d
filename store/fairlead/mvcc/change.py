"""One change of one key, as transactions make it and the log gives it back."""

from typing import NamedTuple

from fairlead.mvcc.codec import deleted_key_value, key_of


class Change(NamedTuple):
    """One event before it is encoded.

    Attributes:
        revision: main revision; the changes of one transaction share it.
        key: the key.
        kv: the encoded KeyValue that the event shows; of a deletion the key and mod_revision alone.
        is_delete: whether the key was deleted; put otherwise.
    """

    revision: int
    key: bytes
    kv: bytes
    is_delete: bool

    @classmethod
    def from_log(cls, position: int, kv: bytes) -> "Change":
        """Return the change that an entry of the revision log records."""
        main, key = position >> 32, key_of(kv)
        if position & 1:
            return cls(main, key, deleted_key_value(kv, main), True)
        return cls(main, key, kv, False)
