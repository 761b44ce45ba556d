"""Where SkyDNS and CoreDNS's etcd plugin read the same keys differently, as one table.

A site that moves from one of the two keeps its clients' answers by naming it: ``--dialect``.
"""

from dataclasses import dataclass

from fairlead.dns.message import Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one of the two reads the keys.  Times in seconds.

    Attributes:
        ttl_default_s: the TTL of a record that names none.
        soa_ttl_s: the TTL of the SOA record itself.
        soa_timers_s: refresh, retry and expire of the SOA record.
        negative_ttl_s: the SOA record's minimum, and the TTL of negative answers (RFC 2308).
        srv_weight_min: the least weight that an SRV record is given.
        srv_port_hidden: the port by which a record keeps itself out of SRV answers, or None.
        services_collapse: whether records that say the same make one SRV record, and count once as a weight.
        target_types: the address types added for SRV and MX targets inside our zones.
        mx_is_grouped: whether ``group`` chooses among MX records.
        ns_target_is_stripped: whether ``targetstrip`` shortens the names of name servers.
        txt_follows_cname: whether a record without text that points to a name is followed for TXT.
        apex_label: the label below ``dns.<zone>`` that holds the apex's own addresses, or None.
        ptr_reads_subtree: whether PTR answers from the keys below a name, or from its own key only.
        reverse_zones_are_implied: whether PTR keys answer without ``arpa`` zones in ``--domain``, and then
            without claiming authority.
        chain_max: CNAMEs followed one after another.
        lease_ttl_s: the least and the largest TTL that a lease gives.
        reads_config: whether ``<prefix>/config`` holds settings.
    """

    name: str
    ttl_default_s: int
    soa_ttl_s: int
    soa_timers_s: tuple[int, int, int]
    negative_ttl_s: int
    srv_weight_min: int
    srv_port_hidden: int | None
    services_collapse: bool
    target_types: tuple[int, ...]
    mx_is_grouped: bool
    ns_target_is_stripped: bool
    txt_follows_cname: bool
    apex_label: bytes | None
    ptr_reads_subtree: bool
    reverse_zones_are_implied: bool
    chain_max: int
    lease_ttl_s: tuple[int, int]
    reads_config: bool


SKYDNS = Dialect(
    name="skydns",
    ttl_default_s=3600,
    soa_ttl_s=3600,
    soa_timers_s=(28800, 7200, 604800),
    negative_ttl_s=60,
    srv_weight_min=0,
    srv_port_hidden=None,
    services_collapse=True,
    target_types=(Type.A, Type.AAAA),
    mx_is_grouped=False,
    ns_target_is_stripped=False,
    txt_follows_cname=False,
    apex_label=None,
    ptr_reads_subtree=False,
    reverse_zones_are_implied=True,
    chain_max=8,
    lease_ttl_s=(1, 2**31 - 1),
    reads_config=True,
)

COREDNS = Dialect(
    name="coredns",
    ttl_default_s=300,
    soa_ttl_s=30,
    soa_timers_s=(7200, 1800, 86400),
    negative_ttl_s=30,
    srv_weight_min=1,
    srv_port_hidden=-1,
    services_collapse=False,
    target_types=(Type.A,),
    mx_is_grouped=True,
    ns_target_is_stripped=True,
    txt_follows_cname=True,
    apex_label=b"apex",
    ptr_reads_subtree=True,
    reverse_zones_are_implied=False,
    chain_max=10,
    lease_ttl_s=(30, 24 * 3600),
    reads_config=False,
)

DIALECTS = {dialect.name: dialect for dialect in (SKYDNS, COREDNS)}
