"""Two hundred who want in at once, on three members whose leader is killed meanwhile."""

import asyncio
from pathlib import Path

from tests.support.cluster import StoreCluster
from tests.support.store import FairleadStore, StoreServer

from fairlead.client import Client, ClientError
from fairlead.lock import Claim, ContentionError, FullError, Lock, NotHeldError

CONTENDERS, PERMITS = 200, 5


async def test_never_more_than_the_maximum_are_in_and_all_have_been(tmp_path: Path) -> None:
    with StoreCluster(FairleadStore, tmp_path) as cluster:
        members = list(cluster.members.values())
        inside: set[int] = set()
        been: set[int] = set()
        tokens: list[int] = []
        quarter = asyncio.Event()

        async with Client([member.endpoint for member in members], timeout_s=20) as client:
            await Lock(client).set_max(PERMITS)

            async def contend(number: int) -> None:
                lock, name = Lock(client), f"host-{number}"
                while True:
                    try:
                        token = await lock.acquire_within(Claim(holder=name), within_s=120)
                        break
                    except (FullError, ContentionError, ClientError):
                        continue
                inside.add(number)
                tokens.append(token)
                assert len(inside) <= PERMITS
                await asyncio.sleep(0.01)
                inside.discard(number)
                been.add(number)
                if len(been) == CONTENDERS // 4:
                    quarter.set()
                while True:
                    try:
                        await lock.release(name)
                    except NotHeldError:
                        return
                    except (ContentionError, ClientError):
                        continue
                    return

            async def kill_the_leader() -> None:
                await quarter.wait()
                statuses = {member: await _leader(member) for member in members}
                leader = next(member for member, is_leader in statuses.items() if is_leader)
                leader.kill()

            await asyncio.gather(*(contend(number) for number in range(CONTENDERS)), kill_the_leader())
            board = await Lock(client).read()
        assert been == set(range(CONTENDERS))
        assert len(set(tokens)) == CONTENDERS, "two had one fencing token"
        assert board.holders == ()


async def _leader(member: StoreServer) -> bool:
    async with Client([member.endpoint]) as client:
        (status,) = await client.status()
        return status.member_id == status.leader_id
