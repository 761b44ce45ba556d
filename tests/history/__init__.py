"""Judges of what clients saw: a history goes in, a verdict comes out.

It knows nothing of where the operations ran, in a simulated world or against real processes, and it trusts
nothing of the store's own code: the model in here is a second, plain statement of etcd's semantics.  Users
translate their requests and answers into the records (``Operation``, ``Range``, ``PutResponse``, ...), and ask
``check_linearizable`` and the others.  Sources: etcd's robustness tests and their list of guarantees
(``tests/robustness``), Herlihy and Wing, "Linearizability" (1990), and Lowe, "Testing for linearizability" (2017).
"""

from tests.history.hashes import HashSample, check_hashes
from tests.history.leases import check_leases
from tests.history.linearizability import check_linearizable
from tests.history.operations import Ambiguous, Failed, History, Operation, Outcome, Recorder
from tests.history.requests import (
    Compact,
    Compare,
    Delete,
    Grant,
    KeepAlive,
    Put,
    Range,
    Relation,
    Request,
    Revoke,
    Target,
    Txn,
    TxnOp,
)
from tests.history.responses import (
    CompactResponse,
    DeleteResponse,
    Error,
    GrantResponse,
    KeepAliveResponse,
    KeyValue,
    PutResponse,
    RangeResponse,
    Refused,
    Response,
    RevokeResponse,
    TxnOpResponse,
    TxnResponse,
)
from tests.history.serializable import check_serializable
from tests.history.timeline import Event, Timeline, check_timeline
from tests.history.verdict import Status, Verdict
from tests.history.watches import Watch, WatchRequest, WatchResponse, check_watches

__all__ = [
    "Ambiguous",
    "Compact",
    "CompactResponse",
    "Compare",
    "Delete",
    "DeleteResponse",
    "Error",
    "Event",
    "Failed",
    "Grant",
    "GrantResponse",
    "HashSample",
    "History",
    "KeepAlive",
    "KeepAliveResponse",
    "KeyValue",
    "Operation",
    "Outcome",
    "Put",
    "PutResponse",
    "Range",
    "RangeResponse",
    "Recorder",
    "Refused",
    "Relation",
    "Request",
    "Response",
    "Revoke",
    "RevokeResponse",
    "Status",
    "Target",
    "Timeline",
    "Txn",
    "TxnOp",
    "TxnOpResponse",
    "TxnResponse",
    "Verdict",
    "Watch",
    "WatchRequest",
    "WatchResponse",
    "check_hashes",
    "check_leases",
    "check_linearizable",
    "check_serializable",
    "check_timeline",
    "check_watches",
]
