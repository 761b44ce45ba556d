"""Who the members are: one set of voters, or two during joint consensus (Raft, section 6).

An entry that changes the configuration holds the whole configuration that results, not the change: a member
that joins, or that begins at a snapshot, needs no history to know it.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fairlead.raft.quorum import VoteResult, agreed, count_votes

_HEAD = struct.Struct("<BHHHH")
_VERSION = 1
_AUTO_LEAVE = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The members, and what each is.

    Attributes:
        voters: the voters; during joint consensus those of C_new.
        outgoing: the voters of C_old during joint consensus, empty otherwise.
        learners: they get the log, and neither vote nor count.
        learners_next: voters of C_old that become learners when joint consensus ends.
        auto_leave: the leader ends joint consensus by itself, once it is committed.
    """

    voters: frozenset[int] = frozenset()
    outgoing: frozenset[int] = frozenset()
    learners: frozenset[int] = frozenset()
    learners_next: frozenset[int] = frozenset()
    auto_leave: bool = False

    def __str__(self) -> str:
        parts = [f"voters={_ids(self.voters)}"]
        parts += [f"outgoing={_ids(self.outgoing)}"] if self.outgoing else []
        parts += [f"learners={_ids(self.learners)}"] if self.learners else []
        parts += [f"learners_next={_ids(self.learners_next)}"] if self.learners_next else []
        return " ".join(parts) + (" auto_leave" if self.auto_leave else "")

    @property
    def is_joint(self) -> bool:
        """Whether both C_old and C_new have to agree."""
        return bool(self.outgoing)

    def is_alone(self, member: int) -> bool:
        """Return whether ``member`` is a quorum by itself."""
        return len(self.voters) == 1 and member in self.voters and not self.outgoing

    @property
    def members(self) -> frozenset[int]:
        """Everybody who gets the log."""
        return self.voters | self.outgoing | self.learners | self.learners_next

    def is_voter(self, member: int) -> bool:
        """Return whether ``member`` votes, in either set."""
        return member in self.voters or member in self.outgoing

    def vote_result(self, votes: Mapping[int, bool]) -> VoteResult:
        """Return how a vote stands: both sets have to be won, one is enough to lose."""
        results = {count_votes(self.voters, votes), count_votes(self.outgoing, votes)}
        if VoteResult.LOST in results:
            return VoteResult.LOST
        return VoteResult.PENDING if VoteResult.PENDING in results else VoteResult.WON

    def agreed(self, reached: Callable[[int], int]) -> int:
        """Return the highest number that a majority of each set has reached."""
        current = agreed(self.voters, reached)
        return min(current, agreed(self.outgoing, reached)) if self.outgoing else current


def encode_configuration(configuration: Configuration, *, context: bytes = b"") -> bytes:
    """Return the payload of a configuration entry; ``context`` is the application's own."""
    sets = (configuration.voters, configuration.outgoing, configuration.learners, configuration.learners_next)
    version = _VERSION | (_AUTO_LEAVE if configuration.auto_leave else 0)
    head = _HEAD.pack(version, *map(len, sets))
    members = [member for each in sets for member in sorted(each)]
    return head + struct.pack(f"<{len(members)}Q", *members) + context


def decode_configuration(data: bytes) -> tuple[Configuration, bytes]:
    """Read the payload of a configuration entry; return it and the application's context.

    Raises:
        ValueError: the bytes are not one.
    """
    if len(data) < _HEAD.size or data[0] & ~_AUTO_LEAVE != _VERSION:
        raise ValueError("not a configuration of this version")
    version, *sizes = _HEAD.unpack_from(data)
    end = _HEAD.size + 8 * sum(sizes)
    if len(data) < end:
        raise ValueError("the configuration is incomplete")
    ids = iter(struct.unpack_from(f"<{sum(sizes)}Q", data, _HEAD.size))
    voters, outgoing, learners, learners_next = (frozenset(next(ids) for _ in range(size)) for size in sizes)
    configuration = Configuration(
        voters=voters,
        outgoing=outgoing,
        learners=learners,
        learners_next=learners_next,
        auto_leave=bool(version & _AUTO_LEAVE),
    )
    return configuration, data[end:]


def _ids(members: frozenset[int]) -> str:
    return "{" + " ".join(f"{member:x}" for member in sorted(members)) + "}"
