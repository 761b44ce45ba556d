"""The bounds of everything that forwarding could make grow, and how long it waits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardLimits:
    """The bounds of everything that forwarding could make grow, and how long it waits.

    Attributes:
        cache_bytes_max: what the cache may hold, its own bookkeeping counted roughly.
        ttl_s_max: how long an answer is kept at most.
        negative_ttl_s_max: how long "no" is kept at most (RFC 2308, section 5: one to three hours work well).
        failure_ttl_s: how long a SERVFAIL is kept; five minutes at most (RFC 2308, section 7.1).
        stale_s_max: how long after its end an answer may still be given when no upstream answers; 0 never
            (RFC 8767, section 5).
        stale_ttl_s: the TTL that a stale answer is given with (RFC 8767, section 4: 30 is recommended).
        stale_recheck_s: how long a failed refresh is not tried again while its stale answer serves (section 5).
        patience_s: how long a client waits before it is given a stale answer, if there is one (section 5: 1.8).
        prefetch_hits_min: hits after which an answer is fetched anew before its end.
        prefetch_share: ... in this last part of its life.
        attempts_max: queries to upstreams for one question.
        deadline_s: how long one question may take over all attempts.
        tcp_s: how long one answer over TCP may take.
        in_flight_max: questions under way at once.
        waiters_max: clients that wait for the same question.
        tcp_in_flight_max: connections to upstreams at once.
        bogus_max: wrong answers to one question before it is asked over TCP, where nobody can forge.
        udp_bytes_max: what upstreams may send in one datagram (DNS flag day 2020).
    """

    cache_bytes_max: int = 32 * 1024 * 1024
    ttl_s_max: int = 86_400
    negative_ttl_s_max: int = 3600
    failure_ttl_s: int = 5
    stale_s_max: float = 86_400.0
    stale_ttl_s: int = 30
    stale_recheck_s: float = 30.0
    patience_s: float = 1.8
    prefetch_hits_min: int = 3
    prefetch_share: float = 0.1
    attempts_max: int = 4
    deadline_s: float = 4.5
    tcp_s: float = 4.0
    in_flight_max: int = 1024
    waiters_max: int = 256
    tcp_in_flight_max: int = 64
    bogus_max: int = 8
    udp_bytes_max: int = 1232

    def __post_init__(self) -> None:
        assert 0 < self.failure_ttl_s <= 300, "RFC 2308, section 7.1"
