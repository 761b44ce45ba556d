"""All keys of all prefixes, at one revision, in pages."""

from typing import Any

from fairlead.client import GetResult, KeyValue
from fairlead.render.reading import read_snapshot

KEYS = [b"/a", b"/a/1", b"/a/2", b"/a/3", b"/ab", b"/b/1", b"/c"]


class Store:
    """Answers ranges, two pairs at a time at most, and notes the revisions that were asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def get(
        self, key: bytes, *, range_end: bytes = b"", revision: int = 0, limit: int = 0
    ) -> GetResult:
        self.asked.append(revision)
        end = range_end or key + b"\0"
        found = [name for name in KEYS if key <= name < end]
        page = found[: min(limit, 2) or 2]
        pairs = tuple(
            KeyValue(key=name, value=b"v", create_revision=1, mod_revision=1, version=1) for name in page
        )
        return GetResult(kvs=pairs, count=len(found), more=len(page) < len(found), revision=9)


async def test_a_prefix_takes_in_what_is_below_it_and_not_its_neighbour() -> None:
    store: Any = Store()
    snapshot = await read_snapshot(store, ["/a", "/b"])
    assert [key for key, _ in snapshot.starting_with("/")] == ["/a", "/a/1", "/a/2", "/a/3", "/b/1"]
    # The first answer says which revision all the others are read at.
    assert (store.asked[0], set(store.asked[1:]), snapshot.revision) == (0, {9}, 9)
    assert snapshot.newest_write == 1


async def test_everything_and_an_earlier_revision_can_be_read() -> None:
    store: Any = Store()
    snapshot = await read_snapshot(store, ["/"], revision=5)
    assert [key for key, _ in snapshot.starting_with("/")] == [key.decode() for key in KEYS]
    assert (set(store.asked), snapshot.revision) == ({5}, 5)
