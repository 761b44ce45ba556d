"""Every live lease, the moment at which it dies, and the keys that die with it.

Which leases exist, and what is attached to them, follows from applied commands and is the same on every
member.  *When* a lease dies is the leader's business alone: deadlines run only on a promoted table, and
a new leader gives every lease its full TTL again, so that a TTL is a minimum (reference: etcd's lessor).
A due lease stays in the table until its revocation comes back through the log; it is offered again from
time to time, since the proposal may have been lost.
"""

import math
from dataclasses import dataclass

from sortedcontainers import SortedList

from fairlead.lease.errors import (
    LeaseExistsError,
    LeaseNotFoundError,
    LeaseNotPrimaryError,
    LeaseTtlTooLargeError,
)

TTL_S_MAX = 9_000_000_000
"""The largest TTL that etcd grants, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseStatus:
    """What is left of a lease, in whole seconds, and its keys in order."""

    lease_id: int
    ttl_s: int
    remaining_s: int
    keys: tuple[bytes, ...]


class _Lease:
    __slots__ = ("check_s", "deadline_s", "keys", "lease_id", "ttl_s")

    def __init__(self, lease_id: int, ttl_s: int) -> None:
        self.lease_id = lease_id
        self.ttl_s = ttl_s
        self.deadline_s = math.inf  # infinite on a member that does not lead
        self.check_s = math.inf  # its place in the expiry index: the deadline, later once it was offered
        self.keys: set[bytes] = set()


class LeaseTable:
    """All leases of one member.

    Times are seconds on a clock that never goes back; the caller reads it.  A new table is demoted:
    nothing expires before `promote`.

    Args:
        ttl_s_min: shorter TTLs are raised to this without a word, as etcd does (1.5 election timeouts,
            rounded up: 2 at defaults).
        retry_s: how long after `expire` named a lease that is still here it is named again.
    """

    def __init__(self, *, ttl_s_min: int = 2, retry_s: float = 3.0) -> None:
        self._ttl_s_min = ttl_s_min
        self._retry_s = retry_s
        self._is_promoted = False
        self._leases: dict[int, _Lease] = {}
        self._lease_of: dict[bytes, _Lease] = {}
        self._expiry: SortedList = SortedList()  # (check_s, lease_id); empty while demoted

    def __len__(self) -> int:
        return len(self._leases)

    def __contains__(self, lease_id: int) -> bool:
        return lease_id in self._leases

    def __repr__(self) -> str:
        role = "promoted" if self._is_promoted else "demoted"
        return f"<LeaseTable [{role}, {len(self._leases)} leases, {len(self._lease_of)} keys]>"

    @property
    def is_promoted(self) -> bool:
        """Whether deadlines run here."""
        return self._is_promoted

    def grant(self, lease_id: int, ttl_s: int, *, now_s: float) -> int:
        """Start a lease; return the TTL granted, in seconds.

        Raises:
            LeaseTtlTooLargeError: ``ttl_s`` is beyond ``TTL_S_MAX``.
            LeaseExistsError: the id is taken, be it by a lease that is due and not yet revoked.
        """
        if ttl_s > TTL_S_MAX:
            raise LeaseTtlTooLargeError(lease_id, ttl_s)
        if lease_id in self._leases:
            raise LeaseExistsError(lease_id)
        lease = _Lease(lease_id, max(ttl_s, self._ttl_s_min))
        self._leases[lease_id] = lease
        if self._is_promoted:
            lease.deadline_s = lease.check_s = now_s + lease.ttl_s
            self._expiry.add((lease.check_s, lease_id))
        return lease.ttl_s

    def revoke(self, lease_id: int) -> list[bytes]:
        """End a lease; return the keys that were attached, in key order, for the caller to delete.

        Raises:
            LeaseNotFoundError: the lease is unknown.
        """
        lease = self._known(lease_id)
        del self._leases[lease_id]
        if self._is_promoted:
            self._expiry.remove((lease.check_s, lease_id))
        for key in lease.keys:
            del self._lease_of[key]
        return sorted(lease.keys)

    def keep_alive(self, lease_id: int, *, now_s: float) -> int:
        """Move the deadline to one full TTL from now; return the TTL in seconds.

        Raises:
            LeaseNotPrimaryError: the table is demoted.
            LeaseNotFoundError: the lease is unknown, or due: its revocation may be in the log already.
        """
        lease = self._timed(lease_id)
        if lease.deadline_s <= now_s:
            raise LeaseNotFoundError(lease_id)
        self._expiry.remove((lease.check_s, lease_id))
        lease.deadline_s = lease.check_s = now_s + lease.ttl_s
        self._expiry.add((lease.check_s, lease_id))
        return lease.ttl_s

    def time_to_live(self, lease_id: int, *, now_s: float) -> LeaseStatus:
        """Say what is left of a lease: whole seconds, rounded down, never below 0.

        Raises:
            LeaseNotPrimaryError: the table is demoted.
            LeaseNotFoundError: the lease is unknown.
        """
        lease = self._timed(lease_id)
        return LeaseStatus(
            lease_id=lease_id,
            ttl_s=lease.ttl_s,
            remaining_s=max(0, math.floor(lease.deadline_s - now_s)),
            keys=tuple(sorted(lease.keys)),
        )

    def leases(self) -> list[int]:
        """List the ids, the one that dies first in front (by id where deadlines are equal or unknown)."""
        return sorted(self._leases, key=lambda lease_id: (self._leases[lease_id].deadline_s, lease_id))

    def attach(self, key: bytes, lease_id: int) -> None:
        """Let ``key`` die with the lease; it leaves the one that it was attached to.

        Raises:
            LeaseNotFoundError: the lease is unknown; the key then stays where it was.
        """
        lease = self._known(lease_id)
        self.detach(key)
        lease.keys.add(key)
        self._lease_of[key] = lease

    def detach(self, key: bytes) -> None:
        """Let ``key`` live on without a lease, if it had one."""
        lease = self._lease_of.pop(key, None)
        if lease is not None:
            lease.keys.discard(key)

    def lease_of(self, key: bytes) -> int:
        """Return the id of the lease that ``key`` is attached to, 0 for none."""
        lease = self._lease_of.get(key)
        return 0 if lease is None else lease.lease_id

    def expire(self, *, now_s: float, limit: int) -> list[int]:
        """Return at most ``limit`` ids of leases that are due, for the caller to propose their revocation.

        They stay in the table.  One that is still there ``retry_s`` later is returned again.
        """
        due: list[int] = []
        while len(due) < limit and self._expiry and self._expiry[0][0] <= now_s:
            lease = self._leases[self._expiry.pop(0)[1]]
            lease.check_s = now_s + self._retry_s
            due.append(lease.lease_id)
        for lease_id in due:
            self._expiry.add((self._leases[lease_id].check_s, lease_id))
        return due

    def next_deadline_s(self) -> float | None:
        """Return the moment at which `expire` is next worth calling, None while there is none."""
        return self._expiry[0][0] if self._expiry else None

    def clear(self) -> None:
        """Forget every lease: the state they belonged to was replaced by another member's."""
        self._leases.clear()
        self._lease_of.clear()
        self._expiry.clear()

    def promote(self, *, now_s: float, extend_s: float) -> None:
        """Let deadlines run here: each lease gets its full TTL and ``extend_s`` from now.

        Nobody knows what was left of a lease under the last leader, so that nothing may be taken off.
        """
        self._is_promoted = True
        for lease in self._leases.values():
            lease.deadline_s = lease.check_s = now_s + lease.ttl_s + extend_s
        self._expiry = SortedList((lease.check_s, lease.lease_id) for lease in self._leases.values())

    def demote(self) -> None:
        """Let no lease expire on this member: another one leads."""
        self._is_promoted = False
        self._expiry = SortedList()
        for lease in self._leases.values():
            lease.deadline_s = lease.check_s = math.inf

    def _known(self, lease_id: int) -> _Lease:
        lease = self._leases.get(lease_id)
        if lease is None:
            raise LeaseNotFoundError(lease_id)
        return lease

    def _timed(self, lease_id: int) -> _Lease:
        if not self._is_promoted:
            raise LeaseNotPrimaryError(lease_id)
        return self._known(lease_id)
