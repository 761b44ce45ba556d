"""A DNS server that answers from keys in SkyDNS's layout.

The records are kept in memory by a watch, and answers are compiled to bytes once; answering a query never reads the store.
It never takes zones or updates from others, nor looks for an answer from the root down.  Sources: RFC 1035, 2181, 2308, 6891, 7766, 8020 and 8482 for the
protocol; SkyDNS and CoreDNS's etcd plugin for what keys mean.
"""

from fairlead.dns.config import DnsConfig
from fairlead.dns.dialect import COREDNS, SKYDNS, Dialect
from fairlead.dns.limits import Limits
from fairlead.dns.model import Model
from fairlead.dns.responder import Responder

__all__ = ["COREDNS", "SKYDNS", "Dialect", "DnsConfig", "Limits", "Model", "Responder"]
