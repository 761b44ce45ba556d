"""Joining a cluster that runs already: ask one of its members who belongs, and find oneself among them."""

import asyncio

import structlog

from fairlead.member.cluster import ClusterMember
from fairlead.member.config import MemberConfig
from fairlead.member.errors import JoinError
from fairlead.member.identity import Identity
from fairlead.member.opening import Founding
from fairlead.member.reconfigure import find_own_id
from fairlead.peer import PeerError, ask
from fairlead.proto import rpc_pb2 as pb

_log = structlog.get_logger("fairlead.store")

MEMBERS = "Members"
"""What a guest asks: the answer is an encoded MemberListResponse."""
_ASK_TIMEOUT_S = 3.0
_ATTEMPTS = 5
_PAUSE_S = 1.0


async def founding_by_asking(config: MemberConfig, *, pause_s: float = _PAUSE_S) -> Founding:
    """Return what a member begins with that joins a running cluster.

    Args:
        config: what this member was told.
        pause_s: between attempts.

    Raises:
        JoinError: nobody answers, or the cluster does not know this member; says what to do.
    """
    urls = [url for name, urls in config.initial_cluster.items() if name != config.name for url in urls]
    if not urls:
        raise JoinError(
            "--initial-cluster-state existing needs the other members in --initial-cluster; "
            "write it as etcdctl member list says"
        )
    refusal: PeerError | JoinError | None = None
    for attempt in range(_ATTEMPTS):
        try:
            return await _ask_once(config, urls)
        except (PeerError, JoinError) as error:
            refusal = error
            # The member that was asked may not have heard yet that this one was added.
            if attempt + 1 < _ATTEMPTS:
                _log.warning("cannot join yet", error=str(error))
                await asyncio.sleep(pause_s)
    if isinstance(refusal, JoinError):
        raise refusal
    raise JoinError(
        f"no member of the cluster answers ({refusal}); start one, or mend --initial-cluster"
    ) from refusal


async def _ask_once(config: MemberConfig, urls: list[str]) -> Founding:
    answer = await ask(urls, MEMBERS, b"", tls=config.peer_tls, timeout_s=_ASK_TIMEOUT_S)
    response = pb.MemberListResponse.FromString(answer)
    members = [ClusterMember.from_proto(member) for member in response.members]
    own_id = find_own_id(members, name=config.name, initial_cluster=config.initial_cluster)
    identity = Identity(cluster_id=response.header.cluster_id, member_id=own_id)
    return Founding(identity=identity, members=members, is_join=True)
