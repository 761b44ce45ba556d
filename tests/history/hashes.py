"""Members that hold the same history hash to the same value (etcd's ``HashKV``)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.history.verdict import OK, Verdict, broken


@dataclass(frozen=True, slots=True, kw_only=True)
class HashSample:
    """What one member answered to ``HashKV``: the hash of its revisions from the compacted one on."""

    member: str
    revision: int
    compact_revision: int
    hash: int


def check_hashes(samples: Iterable[HashSample]) -> Verdict:
    """Judge that samples of one revision and one compaction are equal; others cannot be compared."""
    groups: dict[tuple[int, int], list[HashSample]] = defaultdict(list)
    for sample in samples:
        groups[sample.revision, sample.compact_revision].append(sample)
    faults = []
    for (revision, compacted), group in sorted(groups.items()):
        if len({sample.hash for sample in group}) > 1:
            values = ", ".join(f"{sample.member} {sample.hash:08x}" for sample in group)
            faults.append(f"members differ at revision {revision}, compacted to {compacted}: {values}")
    return broken("\n".join(faults)) if faults else OK
