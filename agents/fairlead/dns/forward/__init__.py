"""Questions that are not ours to answer: to other name servers, and into a cache.

Nothing here reads keys; `Routes` says who is asked, `Forwarder` asks and remembers.  Sources: RFC 2308 for the cache, 5452 for
what forgers must guess, 6891, 7766, 8767 for stale answers.
"""

from fairlead.dns.forward.forwarder import Forwarder, Told
from fairlead.dns.forward.limits import ForwardLimits
from fairlead.dns.forward.packet import LOOP_OPTION, Question, Response
from fairlead.dns.forward.routes import Routes, find_stubs
from fairlead.dns.forward.service import TOKEN_BYTES, Forwarding
from fairlead.dns.forward.settings import ForwardSettings, parse_nameservers, with_key
from fairlead.dns.forward.upstream import Pool, Upstream

__all__ = [
    "LOOP_OPTION",
    "TOKEN_BYTES",
    "ForwardLimits",
    "ForwardSettings",
    "Forwarder",
    "Forwarding",
    "Pool",
    "Question",
    "Response",
    "Routes",
    "Told",
    "Upstream",
    "find_stubs",
    "parse_nameservers",
    "with_key",
]
