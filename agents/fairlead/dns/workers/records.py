"""The records of a worker: what the first process tells it, in the place of a mirror of the store."""

import asyncio
from collections.abc import Iterator

from fairlead.client import Change, KeyValue
from fairlead.dns.workers.feed import Pulse


class FedRecords:
    """Answers as a mirror does.  What it cannot know it knows from the last `Pulse`."""

    def __init__(self) -> None:
        self._pulse = Pulse(age_s=0.0, is_live=True, revision=0)
        self._heard_s = asyncio.get_running_loop().time()

    def take(self, pulse: Pulse) -> None:
        """Take up how the store is."""
        self._pulse = pulse
        self._heard_s = asyncio.get_running_loop().time()

    @property
    def age_s(self) -> float:
        """Time since the store was last heard of."""
        return self._pulse.age_s + asyncio.get_running_loop().time() - self._heard_s

    @property
    def is_live(self) -> bool:
        """Whether the first process follows the store."""
        return self._pulse.is_live

    @property
    def revision(self) -> int:
        """The revision that the first process is at."""
        return self._pulse.revision

    def items(self, prefix: bytes) -> Iterator[KeyValue]:
        """Nothing: what an outage changes, the first process tells as a `Change`."""
        del prefix
        return iter(())


def as_sent(change: Change) -> Change:
    """Return ``change`` in a form that can be pickled."""
    return Change(
        revision=change.revision,
        puts=dict(change.puts),
        deletes=change.deletes,
        is_snapshot=change.is_snapshot,
    )
