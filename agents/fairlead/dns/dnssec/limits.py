"""The bounds and times of signing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningLimits:
    """The bounds and times of signing, in seconds.

    All replicas sign by the same calendar: a signature begins with a period, holds for some more, and is made anew in
    the next one.

    Attributes:
        signatures_max: signatures kept; each is of one RRset.
        keys_per_zone_max: keys of one zone at once.
        period_s: how long signatures are used.
        validity_s: how long after the end of their period they still hold: the time that an outage may last.
        backdate_s: how long before their period they hold already, for clocks that are behind.
        key_ttl_s: how long DNSKEY, CDS and CDNSKEY may be remembered.
        ds_ttl_s: how long a DS may be remembered that the parent had; what a roll-over waits for.
        reload_s: how often the key files are looked at.
    """

    signatures_max: int = 100_000
    keys_per_zone_max: int = 8
    period_s: int = 24 * 3600
    validity_s: int = 7 * 24 * 3600
    backdate_s: int = 3 * 3600
    key_ttl_s: int = 3600
    ds_ttl_s: int = 24 * 3600
    reload_s: float = 1.0

    def __post_init__(self) -> None:
        assert self.signatures_max > 0
        assert self.period_s > 0
