"""What can go wrong with a lease.

LeaseError
├── LeaseNotFoundError      the caller names a lease that is unknown or already dead
├── LeaseExistsError        the caller grants an id that is alive
├── LeaseTtlTooLargeError   the caller asks for more than etcd allows
└── LeaseNotPrimaryError    this member does not lead, so it cannot know what is left of a lease
"""


class LeaseError(Exception):
    """Anything that this package raises on purpose."""


class LeaseNotFoundError(LeaseError):
    """The lease is unknown, revoked, or past its deadline."""

    def __init__(self, lease_id: int) -> None:
        super().__init__(f"lease {lease_id:x} is unknown or has expired; grant a new one")
        self.lease_id = lease_id


class LeaseExistsError(LeaseError):
    """A grant named an id that is alive."""

    def __init__(self, lease_id: int) -> None:
        super().__init__(f"lease {lease_id:x} exists already; grant with another id, or with 0 for any")
        self.lease_id = lease_id


class LeaseTtlTooLargeError(LeaseError):
    """A grant asked for a TTL beyond ``TTL_S_MAX``."""

    def __init__(self, lease_id: int, ttl_s: int) -> None:
        super().__init__(f"lease {lease_id:x}: a TTL of {ttl_s} s is too large; ask for less")
        self.lease_id = lease_id
        self.ttl_s = ttl_s


class LeaseNotPrimaryError(LeaseError):
    """Deadlines live on the leader only; ask it."""

    def __init__(self, lease_id: int) -> None:
        super().__init__(f"lease {lease_id:x}: this member does not lead; ask the leader")
        self.lease_id = lease_id
