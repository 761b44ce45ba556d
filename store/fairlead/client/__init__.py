"""An asyncio client of the store, or of any other that speaks the etcd v3 API, and the Mirror on top.

``Client`` makes calls and survives the loss of endpoints; ``Mirror`` keeps some prefixes in memory, and on
disk, as the store has them.  This package never imports anything of the store but its messages, and never
decides what a key means.  Source: etcd's api/etcdserverpb/rpc.proto and the rules of its client/v3.
"""

from fairlead.client.backoff import Backoff
from fairlead.client.client import Client
from fairlead.client.config import Credentials, Endpoint, Patience, Tls
from fairlead.client.errors import (
    AuthError,
    ClientError,
    CompactedError,
    EndpointError,
    HistoryLostError,
    LeaseLostError,
    RequestError,
    UnavailableError,
)
from fairlead.client.lease import Lease
from fairlead.client.mirror import Changes, Mirror, MirrorLimits
from fairlead.client.mirror_copy import CopyError
from fairlead.client.mirror_state import Change, IndexKey
from fairlead.client.txn import Compare, op_delete, op_get, op_put
from fairlead.client.values import (
    FROM_KEY,
    Alarm,
    DeleteResult,
    Event,
    GetResult,
    KeyValue,
    LeaseInfo,
    Member,
    PutResult,
    Status,
    TxnResult,
    WatchBatch,
    prefix_end,
)
from fairlead.client.watch import Watch

__all__ = [
    "FROM_KEY",
    "Alarm",
    "AuthError",
    "Backoff",
    "Change",
    "Changes",
    "Client",
    "ClientError",
    "CompactedError",
    "Compare",
    "CopyError",
    "Credentials",
    "DeleteResult",
    "Endpoint",
    "EndpointError",
    "Event",
    "GetResult",
    "HistoryLostError",
    "IndexKey",
    "KeyValue",
    "Lease",
    "LeaseInfo",
    "LeaseLostError",
    "Member",
    "Mirror",
    "MirrorLimits",
    "Patience",
    "PutResult",
    "RequestError",
    "Status",
    "Tls",
    "TxnResult",
    "UnavailableError",
    "Watch",
    "WatchBatch",
    "op_delete",
    "op_get",
    "op_put",
    "prefix_end",
]
