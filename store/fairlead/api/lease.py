"""The Lease service.  Grants and revocations go through the log; keep-alives do not."""

from fairlead.api.replies import reply_to
from fairlead.lease import LeaseNotFoundError
from fairlead.member import LEASE_GRANT, LEASE_REVOKE, Member
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Call, Stream, Unary

_GONE_TTL_S = -1


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

    def time_to_live(self, message: bytes, call: Call) -> bytes:
        """Say what is left of a lease; an unknown one has -1 seconds, and that is no error."""
        del call
        member = self._member
        member.check_readable(serializable=False)
        request = pb.LeaseTimeToLiveRequest.FromString(message)
        try:
            status = member.leases.time_to_live(request.ID, now_s=member.now_s())
        except LeaseNotFoundError:
            answer = pb.LeaseTimeToLiveResponse(ID=request.ID, TTL=_GONE_TTL_S)
        else:
            answer = pb.LeaseTimeToLiveResponse(
                ID=request.ID,
                TTL=status.remaining_s,
                grantedTTL=status.ttl_s,
                keys=status.keys if request.keys else (),
            )
        return member.header() + answer.SerializeToString()

    def leases(self, message: bytes, call: Call) -> bytes:
        """List the ids of all leases, the one that ends first in front."""
        del message, call
        member = self._member
        member.check_readable(serializable=False)
        leases = [pb.LeaseStatus(ID=lease_id) for lease_id in member.leases.leases()]
        return member.header() + pb.LeaseLeasesResponse(leases=leases).SerializeToString()


class KeepAlive:
    """One keep-alive stream: an answer to each request, in order."""

    def __init__(self, member: Member, call: Call) -> None:
        self._member = member
        self._call = call

    def on_message(self, message: bytes) -> None:
        """Renew one lease; a lease that is gone is answered with a TTL of 0, not with an error."""
        request = pb.LeaseKeepAliveRequest.FromString(message)
        # As in etcd, the header is that of the moment before the renewal.
        header = self._member.header()
        ttl_s = self._member.keep_alive(request.ID)
        self._call.send(header + pb.LeaseKeepAliveResponse(ID=request.ID, TTL=ttl_s).SerializeToString())

    def on_half_close(self) -> None:
        """The client has asked all it wanted."""
        self._call.finish()

    def on_cancel(self) -> None:
        """Nothing is kept for a stream."""

    def on_writable(self) -> None:
        """Nothing is ever held back."""
