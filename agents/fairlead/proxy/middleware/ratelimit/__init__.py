"""``ratelimit``: token buckets per client."""

from fairlead.proxy.middleware.ratelimit.buckets import NS, Bucket, BucketSet, Rate, unambiguous
from fairlead.proxy.middleware.ratelimit.limiter import RateLimit, go_duration, make, rates_in, refusal

__all__ = [
    "NS",
    "Bucket",
    "BucketSet",
    "Rate",
    "RateLimit",
    "go_duration",
    "make",
    "rates_in",
    "refusal",
    "unambiguous",
]
