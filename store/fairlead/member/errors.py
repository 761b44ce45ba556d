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
    ├── MembershipError           the members are not changed thus, or not now
    │   ├── MemberUrlsError
    │   ├── MemberNotFoundError
    │   ├── MemberExistsError
    │   ├── PeerUrlExistsError
    │   ├── NotLearnerError
    │   ├── LearnerNotReadyError
    │   ├── TooManyLearnersError
    │   ├── NotEnoughStartedError
    │   ├── UnhealthyClusterError
    │   ├── LeadershipElsewhereError
    │   ├── BadTransfereeError
    │   └── TransferTimedOutError
    ├── NoSpaceError              the quota is reached: compact, defragment, disarm
    ├── CorruptClusterError       members disagree: an operator must look
    ├── DataDirError              the data directory cannot be made or written to
    ├── LogBehindError            the data directory was put together from two
    ├── LogAheadError             ... the other way round
    ├── BackupError               a snapshot file cannot be restored
    ├── JoinError                 the cluster to be joined is not there, or does not know this member
    ├── CorruptMemberError        this member's data is not what the others have
    ├── RemovedError              this member was removed from its cluster
    ├── LearnerError              this member only listens yet
    ├── TooManyRequestsError      too much is waiting: slow down
    └── UnavailableError          this member cannot answer now
        ├── NoLeaderError
        ├── StoppedError
        └── TimedOutError         the write may or may not have happened
            └── LeaderLostError   ... and a leader was lost meanwhile

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


class MembershipError(MemberError):
    """A change of the members, or of who leads them, that is not made."""


class MemberUrlsError(MembershipError):
    """Peer URLs that nobody could listen at."""


class MemberNotFoundError(MembershipError):
    """No member has this id, or none has it any more."""


class MemberExistsError(MembershipError):
    """A member has this id already."""


class PeerUrlExistsError(MembershipError):
    """Another member listens at this peer URL."""


class NotLearnerError(MembershipError):
    """A promotion of somebody who votes already."""


class LearnerNotReadyError(MembershipError):
    """A promotion of a learner that has not caught up with the leader."""


class TooManyLearnersError(MembershipError):
    """One learner more than ``learners_max``, or too many members that are still joining."""


class NotEnoughStartedError(MembershipError):
    """Too few of the voters would have started to be a majority of the members then."""


class UnhealthyClusterError(MembershipError):
    """Too few of the voters are connected to be a majority of the members then."""


class LeadershipElsewhereError(MembershipError):
    """Leadership can be handed over by the leader only."""


class BadTransfereeError(MembershipError):
    """Leadership cannot be handed to who does not vote."""


class TransferTimedOutError(MembershipError):
    """The other member did not take over in time."""


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


class LogAheadError(MemberError):
    """The log begins beyond what the database has applied, and the snapshot between them is missing.

    Attributes:
        path: the data directory.
    """

    def __init__(self, path: Path, *, first_index: int, applied: int) -> None:
        super().__init__(
            f"{path}: the database has applied entry {applied}, but the log begins at entry {first_index} and no "
            "snapshot fills the gap; they do not belong together: restore both from one backup, or remove this "
            "member, empty its data directory and add it again"
        )
        self.path = path


class BackupError(MemberError):
    """A snapshot file cannot be restored.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, problem: str, *, hint: str) -> None:
        super().__init__(f"snapshot {path}: {problem}; {hint}")
        self.path = path


class JoinError(MemberError):
    """The cluster to be joined does not answer, or does not know this member."""


class CorruptMemberError(MemberError):
    """This member's history is not that of another member at the same revision."""

    def __init__(self, path: Path, *, other: int, revision: int) -> None:
        super().__init__(
            f"{path}: the data differs from member {other:x}'s at revision {revision}; if that one is right: member "
            "remove, empty this directory, member add, and start with --initial-cluster-state existing"
        )
        self.path = path


class RemovedError(MemberError):
    """This member was removed from its cluster and can never come back under its id."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "this member was removed from its cluster; to let it join again: member add, then start it with an "
            f"empty data directory (this one is {path}) and --initial-cluster-state existing"
        )
        self.path = path


class TooManyRequestsError(MemberError):
    """More proposals are waiting than ``pending_max`` or ``pending_bytes_max`` allow."""


class UnavailableError(MemberError):
    """This member cannot answer now; another one, or a later try, may."""


class LearnerError(MemberError):
    """This member does not vote yet, and serves serializable reads at most."""


class NoLeaderError(UnavailableError):
    """Nobody leads, so nothing can be ordered."""


class StoppedError(UnavailableError):
    """The member is stopping or has stopped."""


class TimedOutError(UnavailableError):
    """No answer within the request timeout; the write may still happen."""


class LeaderLostError(TimedOutError):
    """No answer within the request timeout, and a leader was lost meanwhile; the write may still happen."""
