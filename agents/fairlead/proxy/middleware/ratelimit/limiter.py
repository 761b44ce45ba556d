"""``ratelimit``: so many requests in a period for each client, host or value of a header.

    {"Requests": 10, "PeriodSeconds": 1, "Burst": 20, "Variable": "client.ip", "RateVar": "request.header.X-Rates"}

``RateVar`` names a header that may carry other rates, ``[{"PeriodSeconds": 1, "Requests": 2, "Burst": 3}]``;
what cannot be read there leaves the rate as it is.  With ``"Cluster": true`` all proxies of the store share the
rate; see ``shares``.  Refused requests get 429 with Retry-After and X-Retry-In.
Source: vulcand, plugin/ratelimit.
"""

import json
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.limits import RATES_MAX, SOURCES_MAX
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.ratelimit.buckets import NS, BucketSet, Rate, unambiguous
from fairlead.proxy.middleware.shares import WHOLE, Share
from fairlead.proxy.middleware.sources import Bounded, Source, read_counted, read_source
from fairlead.proxy.middleware.spec import Spec

_PERIOD_MAX = 31_536_000


class RateLimit(Middleware):
    """The limiter of one frontend."""

    def __init__(
        self,
        *,
        rates: tuple[Rate, ...],
        source: Source,
        rates_of: Source | None = None,
        share: Share | None = None,
        workers: int = 1,
        clients: Bounded[BucketSet] | None = None,
    ) -> None:
        self.clients = Bounded[BucketSet](SOURCES_MAX) if clients is None else clients
        self.refused = 0
        self._workers = workers
        self._rates = rates
        self._source = source
        self._rates_of = rates_of
        self._share = share
        self._parts = WHOLE
        self._our_rates = rates
        self._keep_s = _keep_s(rates)

    def on_request(self, call: Call) -> Answer | None:
        """Take a token of the client's, or say when there will be one."""
        rates = self._effective(call)
        wait_ns = self.take(self._source(call), rates=rates, now_s=call.now_s) if rates else NS
        if wait_ns == 0:
            return None
        self.refused += 1
        return refusal(wait_ns)

    def take(self, client: bytes, *, rates: tuple[Rate, ...], now_s: float) -> int | None:
        """Take a token; return 0, or the nanoseconds to wait, or None when no waiting helps."""
        now_ns = round(now_s * NS)
        keep_s = self._keep_s if rates is self._our_rates else _keep_s(rates)
        buckets = self.clients.get(client, now_s=now_s, keep_s=keep_s)
        if buckets is None:
            buckets = BucketSet(rates, now_ns=now_ns)
            self.clients.put(client, buckets, now_s=now_s, keep_s=keep_s)
        else:
            buckets.follow(rates, now_ns=now_ns)
        return buckets.take(1, now_ns=now_ns)

    def _effective(self, call: Call) -> tuple[Rate, ...]:
        """Return the rates of this request; none while other proxies hold all of them."""
        text = self._rates_of(call) if self._rates_of is not None else b""
        rates = self._rates
        if text:
            rates = tuple(each.over(self._workers) for each in rates_in(text)) or rates
        share = self._share
        if share is None:
            return rates
        share.demand += 1
        if rates is not self._rates:
            return tuple(rate.part(share.parts) for rate in rates) if share.parts else ()
        if share.parts != self._parts:
            self._parts = share.parts
            self._our_rates = tuple(rate.part(share.parts) for rate in rates) if share.parts else ()
        return self._our_rates

    def describe(self) -> dict[str, Any]:
        """Return how many clients are told apart, and how many requests were refused."""
        return {"clients": len(self.clients), "refused": self.refused}


def _keep_s(rates: tuple[Rate, ...]) -> float:
    """Return how long a silent client is remembered: after ten periods it finds full buckets anyway."""
    return max(rate.period_ns for rate in rates) * 10 / NS + 1


def refusal(wait_ns: int | None) -> Answer:
    """Return the answer to who came too early."""
    wait_ns = NS if wait_ns is None else wait_ns
    fields = [
        (b"Content-Type", b"application/json"),
        (b"Retry-After", b"%d" % -(-wait_ns // NS)),
        (b"X-Retry-In", go_duration(wait_ns).encode()),
    ]
    body = b'{"error":"max rate reached: retry-in %b"}' % go_duration(wait_ns).encode()
    return Answer(429, body, fields=fields, flag="RL")


def rates_in(text: bytes) -> tuple[Rate, ...]:
    """Return the rates that a header carries, or none when it cannot be read."""
    try:
        values = json.loads(text)
        if not isinstance(values, list) or not 0 < len(values) <= RATES_MAX:
            return ()
        return unambiguous(_read_rate(Spec(each)) for each in values)
    except (ValueError, TypeError, AttributeError, RecursionError, KeyProblem):
        return ()


def _read_rate(spec: Spec) -> Rate:
    requests = spec.whole("Requests")
    period_s = spec.whole("PeriodSeconds", low=1, high=_PERIOD_MAX)
    return Rate(period_s * NS, requests, spec.number("Burst", 0, low=0) or requests)


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> RateLimit:
    """Read the JSON above; the buckets of ``previous`` stay, as far as their periods do."""
    rate = Rate(
        spec.whole("PeriodSeconds", low=1, high=_PERIOD_MAX) * NS,
        spec.whole("Requests"),
        spec.whole("Burst"),
    )
    is_cluster = spec.flag("Cluster")
    workers = 1 if is_cluster else tools.workers
    rates_of = spec.text("RateVar") or spec.text("ConfigVar")
    return RateLimit(
        rates=(rate.over(workers),),
        workers=workers,
        source=read_source(spec.text("Variable", "client.ip"), client=read_counted(spec)),
        rates_of=read_source(rates_of) if rates_of else None,
        share=tools.share.wanted() if is_cluster else None,
        clients=previous.clients if isinstance(previous, RateLimit) else None,
    )


def go_duration(nanoseconds: int) -> str:
    """Return a duration as Go prints it: ``1.5s``, ``20ms``, ``1m0s``."""
    if nanoseconds < NS:
        for unit, size in (("ms", 1_000_000), ("µs", 1000), ("ns", 1)):
            if nanoseconds >= size:
                return f"{_trimmed(nanoseconds, size)}{unit}"
        return "0s"
    minutes, rest = divmod(nanoseconds, 60 * NS)
    hours, minutes = divmod(minutes, 60)
    text = f"{_trimmed(rest, NS)}s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text


def _trimmed(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    digits = str(part).rjust(len(str(size)) - 1, "0").rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)
