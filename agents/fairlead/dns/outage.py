"""How old what we serve is, and what that changes: the store is away, the answers are not.

While the store is silent nothing is taken away: keys on leases stay, since only the store can say that one has ended.  After a
while clients are told to come back soon, and why (RFC 8767's spirit, RFC 8914).
"""

import math
from dataclasses import dataclass
from enum import Enum

from fairlead.dns.edns import Ede, EdeCode


class Freshness(Enum):
    """What the answers are worth."""

    LIVE = "live"
    STALE = "stale"
    """The store has been silent for longer than answers should be remembered without its word."""
    EXPIRED = "expired"
    """... for longer than records on leases are believed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageSettings:
    """What an operator says about outages of the store.

    Attributes:
        stale_after_s: silence of the store after which answers count as stale.
        ttl_s: no answer may be remembered for longer then (RFC 8767, section 5: 30 is recommended).
        leased_s_max: silence after which records on leases are not served any more; 0: they are served for as long
            as it takes.
    """

    stale_after_s: float = 10.0
    ttl_s: int = 30
    leased_s_max: float = 0.0

    def freshness(self, age_s: float, *, is_live: bool, uptime_s: float) -> Freshness:
        """Return what answers are worth.

        Args:
            age_s: since the store was last heard of; infinite when it never was, as after a start from the copy: then
                nobody knows how old that is, and it is stale at once.
            is_live: whether the store is followed right now.
            uptime_s: since the start, which is what leases are counted from when the age is not known.
        """
        if is_live or age_s < self.stale_after_s:
            return Freshness.LIVE
        if self.leased_s_max and min(age_s, uptime_s) >= self.leased_s_max:
            return Freshness.EXPIRED
        return Freshness.STALE


def lag(age_s: float, *, uptime_s: float) -> str:
    """Return, for people, since when the store is silent."""
    if math.isinf(age_s):
        return f"the store was not heard of since the start {uptime_s:.0f} s ago"
    return f"the store was last heard of {age_s:.0f} s ago"


STALE = Ede(EdeCode.STALE_ANSWER, "the store is out of reach")
