"""Reads the keys once, all at one revision."""

from collections.abc import Sequence

from fairlead.client import Client, KeyValue
from fairlead.render.view import Snapshot, to_bytes, to_text

_PAGE_KEYS = 1000


async def read_snapshot(client: Client, prefixes: Sequence[str], *, revision: int = 0) -> Snapshot:
    """Return the keys at or below ``prefixes``.

    Args:
        client: of the store.
        prefixes: paths, none below another; ``/foo`` does not take in ``/foobar``.
        revision: as of when; 0 is now.

    Raises:
        CompactedError: the revision is gone.
        ClientError: no store answers, or it refuses.
    """
    pairs: list[KeyValue] = []
    for prefix in prefixes:
        if prefix != "/":
            own = await client.get(to_bytes(prefix), revision=revision)
            # What is read first says which revision the rest is read at.
            revision = revision or own.revision
            pairs += own.kvs
        revision = await _read_below(client, prefix.rstrip("/") + "/", pairs, revision=revision)
    return Snapshot(
        {to_text(pair.key): to_text(pair.value) for pair in pairs},
        revision=revision,
        written={to_text(pair.key): pair.mod_revision for pair in pairs},
    )


async def _read_below(client: Client, stem: str, pairs: list[KeyValue], *, revision: int) -> int:
    start, end = to_bytes(stem), to_bytes(stem[:-1] + "0")
    while True:
        page = await client.get(start, range_end=end, revision=revision, limit=_PAGE_KEYS)
        revision = revision or page.revision
        pairs += page.kvs
        if not page.more:
            return revision
        start = page.kvs[-1].key + b"\0"
