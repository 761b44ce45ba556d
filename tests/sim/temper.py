"""The character of one seed: what this world is prone to, drawn before it begins.

A world in which everything goes wrong at once makes no progress, and so shows little.  Each seed gets a few
troubles, each of its own strength, and several are calm in all other respects.
"""

import random
from dataclasses import dataclass, field

TEMPERS = (
    "calm", "lossy", "crashy", "partitioned", "disk", "churn", "transfer", "snapshots", "skewed", "mixed",
)  # fmt: skip


LULL_S = 1.5
"""What was written last stays the last for so long: the time for bugs about the newest revision."""
CLOCK_SKEW = 0.05
"""How far a clock may be off where nothing else is said."""


@dataclass(slots=True, kw_only=True)
class Temper:
    """What is drawn for a seed.  Times are in virtual seconds, chances between 0 and 1.

    Attributes:
        temper: the kind of trouble that prevails.
        weights: how often each kind of fault is chosen.
        fault_every_s: mean time between two faults.
        triggers: chances that a member that takes up a role meets a fault just then.
        depth: writes of one member that may be on their way to its disk.
        heal_s: when all faults end.
        lull_s: when clients fall silent for a while, but for one that deletes and compacts; never below 0.
        leader_bias: chance that a fault which comes by lot comes to the leader.
        is_encoded: messages travel as bytes, as over the wire.
        append_bytes_max, inflight_max: see ``fairlead.raft.Config``.
    """

    temper: str
    members: int = 3
    clients: int = 4
    watchers: int = 3
    keys: int = 6
    heal_s: float = 14.0
    lull_s: float = -1.0
    think_s: float = 0.15
    leader_bias: float = 0.0
    append_bytes_max: int = 1 << 20
    inflight_max: int = 256
    loss: float = 0.0
    double: float = 0.0
    delay_s: float = 0.002
    jitter_s: float = 0.002
    straggle: float = 0.0
    is_in_order: bool = False
    is_encoded: bool = False
    fault_every_s: float = 1.5
    trigger: float = 0.0
    write_s: float = 0.0005
    sync_s: float = 0.002
    depth: int = 1
    snapshot_count: int = 200
    catch_up_entries: int = 50
    segment_bytes: int = 1 << 15
    commit_interval_s: float = 0.1
    skew: float = 0.0
    compact_every_s: float = 3.0
    weights: dict[str, float] = field(default_factory=dict)

    def is_lull(self, now_s: float) -> bool:
        """Whether most clients are silent now."""
        return 0 < self.lull_s <= now_s < self.lull_s + LULL_S

    @property
    def clock_rate_max(self) -> float:
        """No clock of a member runs faster than this, in its seconds per true second."""
        return 1 + max(self.skew, CLOCK_SKEW if "clock" in self.weights else 0.0)


_EVERY: dict[str, float] = {
    "crash": 1, "power-cut": 1, "pause": 1, "isolate": 1, "cut-one-way": 1, "split": 1, "clog": 1,
    "transfer": 0.5, "slow-disk": 0.5, "clock": 0.3,
}  # fmt: skip
_BY_TEMPER: dict[str, dict[str, float]] = {
    "calm": {"crash": 1, "pause": 1},
    "lossy": {"clog": 2, "cut-one-way": 1, "isolate": 0.5},
    "crashy": {"crash": 2, "power-cut": 4, "stop-all": 0.5, "snapshot-cut": 1},
    "partitioned": {"isolate": 3, "split": 3, "cut-one-way": 2, "swizzle": 2, "pause": 0.5},
    "disk": {"sync-error": 2, "full-disk": 2, "slow-disk": 2, "rot-log": 1.5, "rot-snapshot": 1.5, "power-cut": 2},
    "churn": {"add": 3, "remove": 3, "replace": 1, "joint": 5, "crash": 1, "isolate": 2, "split": 1, "power-cut": 0.5},
    "transfer": {"transfer": 4, "crash": 1, "isolate": 1, "pause": 1},
    "snapshots": {"isolate": 2, "crash": 1, "snapshot-cut": 2, "power-cut": 2, "rot-snapshot": 0.5, "replace": 0.5},
    "skewed": {"clock": 3, "pause": 4, "isolate": 1, "slow-disk": 1},
    "mixed": {},
}  # fmt: skip


def draw_temper(rng: random.Random) -> Temper:
    """Draw the character of a world."""
    temper = rng.choice(TEMPERS)
    drawn = Temper(temper=temper, members=rng.choice((3, 3, 3, 5)))
    drawn.keys = rng.choice((2, 4, 6, 10))
    drawn.depth = rng.choice((1, 1, 2, 4))
    drawn.delay_s = rng.choice((0.0005, 0.002, 0.01, 0.03))
    drawn.jitter_s = drawn.delay_s * rng.choice((0.2, 1, 3))
    drawn.sync_s = rng.choice((0.0005, 0.002, 0.01))
    drawn.lull_s = rng.uniform(3.0, 9.0) if rng.random() < 0.4 else -1.0
    drawn.is_encoded = rng.random() < 0.1
    drawn.is_in_order = rng.random() < 0.3
    drawn.snapshot_count = rng.choice((20, 60, 200, 1000))
    drawn.catch_up_entries = rng.choice((0, 5, 50))
    drawn.segment_bytes = rng.choice((1 << 11, 1 << 13, 1 << 15))
    drawn.commit_interval_s = rng.choice((0.02, 0.1, 0.5))
    drawn.append_bytes_max = rng.choice((1, 60, 1 << 20, 1 << 20))
    drawn.inflight_max = rng.choice((1, 3, 256, 256))
    drawn.leader_bias = rng.choice((0.0, 0.3, 0.7))
    drawn.fault_every_s = 4.0 if temper == "calm" else rng.choice((0.6, 1.2, 2.0))
    drawn.trigger = 0.0 if temper == "calm" else rng.choice((0.0, 0.1, 0.3))
    drawn.weights = dict(_BY_TEMPER[temper]) or dict(_EVERY)
    if rng.random() < 0.5:
        other = rng.choice(TEMPERS)
        for kind, weight in _BY_TEMPER[other].items():
            drawn.weights[kind] = drawn.weights.get(kind, 0) + weight / 2
    if temper in {"churn", "lossy", "partitioned"}:
        drawn.members = rng.choice((3, 5))
    if temper in {"lossy", "mixed"} or rng.random() < 0.2:
        drawn.loss = rng.choice((0.01, 0.05, 0.15))
        drawn.double = rng.choice((0.0, 0.02, 0.1, 0.4))
        drawn.straggle = rng.choice((0.0, 0.01, 0.05))
    if temper == "skewed":
        drawn.skew = rng.choice((0.05, 0.3))
    if temper == "churn":
        drawn.snapshot_count = rng.choice((10, 60))
        drawn.catch_up_entries = rng.choice((0, 5))
    if temper == "snapshots":
        drawn.snapshot_count = rng.choice((5, 10, 20))
        drawn.catch_up_entries = rng.choice((0, 2, 5))
    return drawn
