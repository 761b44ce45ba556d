"""What a process has counted, put together so that it can be sent to another and added up."""

from collections import Counter
from dataclasses import dataclass, field, replace

from fairlead.dns.around import Around
from fairlead.dns.model import Model
from fairlead.dns.names import Name
from fairlead.dns.server import DnsServer
from fairlead.dns.tallies import DURATIONS_MAX_S, Kind


@dataclass(slots=True)
class Numbers:
    """Counts.

    Attributes:
        ready: responses that were ready, by kind.
        parsed: responses to queries that were parsed, by kind.
        durations: queries by the class of time that they took.
        durations_sum_s: all of that time.
        counters: what only grows, by name.
        gauges: what comes and goes, by name.
        asked: how often names were asked for, of those asked for the most.
        missing: the same of names that do not exist.
    """

    ready: Counter[Kind] = field(default_factory=Counter)
    parsed: Counter[Kind] = field(default_factory=Counter)
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATIONS_MAX_S) + 1))
    durations_sum_s: float = 0.0
    counters: Counter[str] = field(default_factory=Counter)
    gauges: Counter[str] = field(default_factory=Counter)
    asked: Counter[Name] = field(default_factory=Counter)
    missing: Counter[Name] = field(default_factory=Counter)

    @classmethod
    def of(cls, model: Model, server: DnsServer, around: Around) -> "Numbers":
        """Return what has been counted so far."""
        limiter = server.gate.limiter
        numbers = cls(
            ready=Counter(dict(model.table.count())), parsed=Counter(dict(server.responder.tallies))
        )
        for udp in server.udp:
            numbers.durations = [a + b for a, b in zip(numbers.durations, udp.durations.counts, strict=True)]
            numbers.durations_sum_s += udp.durations.sum_s
        numbers.counters = Counter(
            udp_unsent_responses=sum(udp.unsent for udp in server.udp),
            tcp_refused_connections=sum(tcp.refused for tcp in server.tcp),
            faults=server.responder.faults,
            tls_failed_handshakes=sum(tcp.failed_handshakes for tcp in server.tcp),
            rate_limited_dropped=limiter.dropped,
            rate_limited_truncated=limiter.slipped,
            suppressed_log_lines=server.log.suppressed if server.log is not None else 0,
            **server.zone_counts(),
        )
        numbers.gauges = Counter(
            table_entries=len(model.table.entries),
            tcp_connections=sum(map(len, server.tcp)),
            forwarding=server.responder.forwarding,
            rate_limit_accounts=len(limiter),
        )
        numbers.counters.update(around.counters())
        numbers.gauges.update(around.gauges())
        numbers.asked, numbers.missing = around.live.asked.counts(), around.live.missing.counts()
        return numbers

    def without_gauges(self) -> "Numbers":
        """Return what stays of a process that has ended."""
        return replace(self, gauges=Counter())

    def __add__(self, other: "Numbers") -> "Numbers":
        total = Numbers(
            durations=[a + b for a, b in zip(self.durations, other.durations, strict=True)],
            durations_sum_s=self.durations_sum_s + other.durations_sum_s,
        )
        for name in ("ready", "parsed", "counters", "gauges", "asked", "missing"):
            counts: Counter[object] = getattr(total, name)
            counts.update(getattr(self, name))
            counts.update(getattr(other, name))
        return total
