"""The keys of a site: written where they are missing, never over what somebody changed."""

from collections.abc import Mapping, Sequence

from fairlead.client import Client, Compare, op_put


async def seed(endpoints: Sequence[str], keys: Mapping[str, str]) -> int:
    """Write each key that does not exist; return how many did not."""
    written = 0
    async with Client(endpoints) as client:
        for key, value in keys.items():
            answer = await client.txn([Compare.version(key).equals(0)], [op_put(key, value)])
            written += answer.succeeded
    return written
