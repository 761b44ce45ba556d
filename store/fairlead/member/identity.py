"""Who a member is: ids that every member of a cluster computes alike.

As in etcd, so that tools which compare ids agree: a member's id is made of its sorted peer URLs and the
cluster token, the cluster's of the sorted ids of the members it began with.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The two numbers that stand in every response header, and in the head of the log."""

    cluster_id: int
    member_id: int

    def encode(self) -> bytes:
        """Return 16 bytes: cluster id, member id, big-endian."""
        return struct.pack(">QQ", self.cluster_id, self.member_id)

    @classmethod
    def decode(cls, data: bytes) -> "Identity":
        """The inverse of ``encode``."""
        cluster_id, member_id = struct.unpack(">QQ", data)
        return cls(cluster_id=cluster_id, member_id=member_id)


def _first_8(data: bytes) -> int:
    # A name, not a secret: the hash only has to be etcd's.
    return int.from_bytes(sha1(data, usedforsecurity=False).digest()[:8], "big")


def member_id_of(peer_urls: Sequence[str], token: str, *, added_at_s: int | None = None) -> int:
    """Return the id of the member that listens for its peers at ``peer_urls``.

    Args:
        peer_urls: in any order.
        token: of the cluster; empty for a member that is added to a running one, as in etcd.
        added_at_s: when that was, in seconds since 1970; None for a member of the beginning.
    """
    return _first_8(
        ("".join(sorted(peer_urls)) + token + ("" if added_at_s is None else str(added_at_s))).encode()
    )


def cluster_id_of(member_ids: Iterable[int]) -> int:
    """Return the id of the cluster that began with these members."""
    return _first_8(b"".join(struct.pack(">Q", member_id) for member_id in sorted(member_ids)))
