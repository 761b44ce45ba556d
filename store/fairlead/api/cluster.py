"""The Cluster service, as far as a lone member can serve it."""

from fairlead.member import Member, NotSupportedError
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Call, Unary


class Cluster:
    """MemberList of ``etcdserverpb.Cluster``; changes of membership come with replication."""

    def __init__(self, member: Member) -> None:
        self._member = member

    def routes(self) -> dict[str, Unary]:
        """Return the service's methods by their paths."""
        prefix = "/etcdserverpb.Cluster/Member"
        changes = {prefix + verb: Unary(self.change) for verb in ("Add", "Remove", "Update", "Promote")}
        return {prefix + "List": Unary(self.list), **changes}

    def list(self, message: bytes, call: Call) -> bytes:
        """List the members."""
        del call
        member, config = self._member, self._member.config
        request = pb.MemberListRequest.FromString(message)
        member.check_readable(serializable=not request.linearizable)
        this = pb.Member(
            ID=member.identity.member_id,
            name=config.name,
            peerURLs=config.peer_urls,
            clientURLs=config.client_urls,
        )
        # Headers of this service carry no revision, as in etcd.
        return member.machine.headers.at(0) + pb.MemberListResponse(members=[this]).SerializeToString()

    def change(self, message: bytes, call: Call) -> bytes:
        """Refuse: a single member has nobody to join or to leave."""
        del message, call
        raise NotSupportedError
