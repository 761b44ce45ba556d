"""The Lease service.  Grants and revocations go through the log; keep-alives do not."""

from collections import deque

from fairlead.api.replies import read_for, reply_to
from fairlead.api.status import status_of
from fairlead.member import LEASE_GRANT, LEASE_REVOKE, Member, TooManyRequestsError
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Call, Stream, Unary

_RENEWALS_MAX = 1_000
"""On one stream, without an answer."""


class Leases:
    """The methods of ``etcdserverpb.Lease``."""

    def __init__(self, member: Member) -> None:
        self._member = member

    def routes(self) -> dict[str, Unary | Stream]:
        """Return the service's methods by their paths."""
        return {
            "/etcdserverpb.Lease/LeaseGrant": Unary(self.grant),
            "/etcdserverpb.Lease/LeaseRevoke": Unary(self.revoke),
            "/etcdserverpb.Lease/LeaseKeepAlive": Stream(lambda call: KeepAlive(self._member, call)),
            "/etcdserverpb.Lease/LeaseTimeToLive": Unary(self.time_to_live),
            "/etcdserverpb.Lease/LeaseLeases": Unary(self.leases),
        }

    def grant(self, message: bytes, call: Call) -> None:
        """Propose a lease; the id is chosen here, since every member must use the same."""
        request = pb.LeaseGrantRequest.FromString(message)
        if request.ID == 0:
            request.ID = self._member.new_lease_id()
            message = request.SerializeToString()
        self._member.propose(LEASE_GRANT, message, request, reply_to(call))

    def revoke(self, message: bytes, call: Call) -> None:
        """Propose the end of a lease and of its keys."""
        request = pb.LeaseRevokeRequest.FromString(message)
        self._member.propose(LEASE_REVOKE, message, request, reply_to(call))

    def time_to_live(self, message: bytes, call: Call) -> None:
        """Ask the leader what is left of a lease; an unknown one has -1 seconds, and that is no error."""
        member = self._member
        reply = reply_to(call)
        member.time_to_live(
            message, lambda result: reply(member.header() + result if isinstance(result, bytes) else result)
        )

    def leases(self, message: bytes, call: Call) -> bytes | None:
        """List the ids of all leases, the one that ends first in front."""
        del message
        member = self._member

        def make() -> bytes:
            leases = [pb.LeaseStatus(ID=lease_id) for lease_id in member.leases.leases()]
            return member.header() + pb.LeaseLeasesResponse(leases=leases).SerializeToString()

        return read_for(call, member, make)


class KeepAlive:
    """One keep-alive stream: an answer to each request, in order, whatever order the leader's come in."""

    def __init__(self, member: Member, call: Call) -> None:
        self._member = member
        self._call = call
        self._waiting: deque[_Renewal] = deque()
        self._is_half_closed = False

    def on_message(self, message: bytes) -> None:
        """Renew one lease; a lease that is gone is answered with a TTL of 0, not with an error."""
        if len(self._waiting) >= _RENEWALS_MAX:
            raise TooManyRequestsError
        # As in etcd, the header is that of the moment before the renewal.
        renewal = _Renewal(self._member.header())
        self._waiting.append(renewal)

        def renewed(result: bytes | Exception) -> None:
            renewal.result = result
            self._send_what_is_due()

        self._member.keep_alive(message, renewed)

    def _send_what_is_due(self) -> None:
        while self._waiting and (result := self._waiting[0].result) is not None:
            renewal = self._waiting.popleft()
            if isinstance(result, Exception):
                self._waiting.clear()
                self._call.finish(*status_of(result))
                return
            self._call.send(renewal.header + result)
        if self._is_half_closed and not self._waiting:
            self._call.finish()

    def on_half_close(self) -> None:
        """The client has asked all it wanted."""
        self._is_half_closed = True
        self._send_what_is_due()

    def on_cancel(self) -> None:
        """The client is gone."""
        self._waiting.clear()
        self._is_half_closed = False

    def on_writable(self) -> None:
        """Nothing is ever held back."""


class _Renewal:
    """One request on a stream, and its answer once there is one."""

    __slots__ = ("header", "result")

    def __init__(self, header: bytes) -> None:
        self.header = header
        self.result: bytes | Exception | None = None
