"""What a member refuses, by who is to blame.

::

    MemberError
    ├── RequestError              the caller's mistake: asking again will not help
    │   ├── EmptyKeyError
    │   ├── KeyMissingError
    │   ├── ValueProvidedError
    │   ├── LeaseProvidedError
    │   ├── TooManyOpsError
    │   ├── DuplicateKeyError
    │   ├── InvalidSortOptionError
    │   ├── RequestTooLargeError
    │   └── NotSupportedError
    ├── NoSpaceError              the quota is reached: compact, defragment, disarm
    ├── CorruptClusterError       members disagree: an operator must look
    ├── DataDirError              the data directory cannot be made or written to
    ├── LogBehindError            the data directory was put together from two
    ├── TooManyRequestsError      too much is waiting: slow down
    └── UnavailableError          this member cannot answer now
        ├── NoLeaderError
        ├── StoppedError
        └── TimedOutError         the write may or may not have happened

The texts that clients see are etcd's and stand in ``fairlead.api.status``, nowhere else.
"""

from pathlib import Path


class MemberError(Exception):
    """Base of everything a member refuses."""


class RequestError(MemberError):
    """The request itself is wrong."""


class EmptyKeyError(RequestError):
    """A request without a key."""


class KeyMissingError(RequestError):
    """ignore_value or ignore_lease on a key that does not exist, or an empty operation in a transaction."""


class ValueProvidedError(RequestError):
    """ignore_value together with a value."""


class LeaseProvidedError(RequestError):
    """ignore_lease together with a lease."""


class TooManyOpsError(RequestError):
    """A transaction with more operations than the member takes."""


class DuplicateKeyError(RequestError):
    """A transaction that would write one key twice."""


class InvalidSortOptionError(RequestError):
    """A sort order or target that the API does not know."""


class RequestTooLargeError(RequestError):
    """A command larger than ``request_bytes_max``."""


class NotSupportedError(RequestError):
    """A request that this member does not serve yet."""


class NoSpaceError(MemberError):
    """The database has reached its quota."""


class CorruptClusterError(MemberError):
    """The CORRUPT alarm is raised."""


class DataDirError(MemberError):
    """The data directory cannot be made or written to."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: cannot keep data there ({problem}); give another --data-dir")
        self.path = path


class LogBehindError(MemberError):
    """The database has applied entries that the log does not have.

    Attributes:
        path: the data directory.
    """

    def __init__(self, path: Path, *, last_index: int, applied: int) -> None:
        super().__init__(
            f"{path}: the log ends at entry {last_index}, but the database has applied entry {applied}; "
            "they do not belong together: restore both from one backup"
        )
        self.path = path


class TooManyRequestsError(MemberError):
    """More proposals are waiting than ``pending_max`` or ``pending_bytes_max`` allow."""


class UnavailableError(MemberError):
    """This member cannot answer now; another one, or a later try, may."""


class NoLeaderError(UnavailableError):
    """Nobody leads, so nothing can be ordered."""


class StoppedError(UnavailableError):
    """The member is stopping or has stopped."""


class TimedOutError(UnavailableError):
    """No answer within the request timeout; the write may still happen."""
