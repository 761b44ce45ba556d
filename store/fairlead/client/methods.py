"""The calls of the etcd v3 API that the client makes, as a table.

There are no generated stubs: what a stub adds to a channel is the path, the two converters and the kind of
call, which is one line here; it would also bind every call to one channel, while ours choose theirs anew at
each attempt.  ``is_read`` says whether a call may be repeated when nobody knows if it arrived: reads, and
what has the same effect twice.
"""

from typing import Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from fairlead.proto import rpc_pb2

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)


class Method(NamedTuple, Generic[RequestT, ResponseT]):
    """One method: its path, its messages, and whether repeating it is safe."""

    path: str
    request: type[RequestT]
    response: type[ResponseT]
    is_read: bool = False


RANGE = Method("/etcdserverpb.KV/Range", rpc_pb2.RangeRequest, rpc_pb2.RangeResponse, is_read=True)
PUT = Method("/etcdserverpb.KV/Put", rpc_pb2.PutRequest, rpc_pb2.PutResponse)
DELETE_RANGE = Method("/etcdserverpb.KV/DeleteRange", rpc_pb2.DeleteRangeRequest, rpc_pb2.DeleteRangeResponse)
TXN = Method("/etcdserverpb.KV/Txn", rpc_pb2.TxnRequest, rpc_pb2.TxnResponse)
COMPACT = Method("/etcdserverpb.KV/Compact", rpc_pb2.CompactionRequest, rpc_pb2.CompactionResponse)

WATCH = Method("/etcdserverpb.Watch/Watch", rpc_pb2.WatchRequest, rpc_pb2.WatchResponse, is_read=True)

LEASE_GRANT = Method("/etcdserverpb.Lease/LeaseGrant", rpc_pb2.LeaseGrantRequest, rpc_pb2.LeaseGrantResponse)
LEASE_REVOKE = Method(
    "/etcdserverpb.Lease/LeaseRevoke", rpc_pb2.LeaseRevokeRequest, rpc_pb2.LeaseRevokeResponse
)
LEASE_KEEP_ALIVE = Method(
    "/etcdserverpb.Lease/LeaseKeepAlive",
    rpc_pb2.LeaseKeepAliveRequest,
    rpc_pb2.LeaseKeepAliveResponse,
    is_read=True,
)
LEASE_TIME_TO_LIVE = Method(
    "/etcdserverpb.Lease/LeaseTimeToLive",
    rpc_pb2.LeaseTimeToLiveRequest,
    rpc_pb2.LeaseTimeToLiveResponse,
    is_read=True,
)
LEASE_LEASES = Method(
    "/etcdserverpb.Lease/LeaseLeases",
    rpc_pb2.LeaseLeasesRequest,
    rpc_pb2.LeaseLeasesResponse,
    is_read=True,
)

MEMBER_LIST = Method(
    "/etcdserverpb.Cluster/MemberList", rpc_pb2.MemberListRequest, rpc_pb2.MemberListResponse, is_read=True
)
STATUS = Method(
    "/etcdserverpb.Maintenance/Status", rpc_pb2.StatusRequest, rpc_pb2.StatusResponse, is_read=True
)
SNAPSHOT = Method(
    "/etcdserverpb.Maintenance/Snapshot", rpc_pb2.SnapshotRequest, rpc_pb2.SnapshotResponse, is_read=True
)
ALARM = Method("/etcdserverpb.Maintenance/Alarm", rpc_pb2.AlarmRequest, rpc_pb2.AlarmResponse)
AUTHENTICATE = Method(
    "/etcdserverpb.Auth/Authenticate",
    rpc_pb2.AuthenticateRequest,
    rpc_pb2.AuthenticateResponse,
    is_read=True,
)
