"""What an operator says about the choice among a name's records."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChooseSettings:
    """What an operator says about the choice among a name's records.

    Attributes:
        is_tiered: of addresses, only the records of the least priority are answered.
        slow_start_s: until a new record has its whole share of first places; 0: at once.
        answers_max: records of one RRset over UDP; 0: all, and TC when they do not fit.
    """

    is_tiered: bool = False
    slow_start_s: float = 0.0
    answers_max: int = 0
