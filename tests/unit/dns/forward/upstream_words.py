"""What upstreams say in these tests, made by dnspython."""

from collections.abc import Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from fairlead.dns import names
from fairlead.dns.forward.packet import Question, Response, parse_response, query_packet, question_bytes

SOA = "example. 900 IN SOA ns.example. root.example. 1 2 3 4 60"


def rrset_of(line: str) -> dns.rrset.RRset:
    """The RRset of a line such as ``www.example. 60 IN A 192.0.2.1``."""
    owner, ttl_s, rclass, rtype, data = line.split(" ", 4)
    return dns.rrset.from_text(owner, int(ttl_s), rclass, rtype, data)


def question(name: str = "www.example.", rtype: int = 1, *, dnssec_ok: bool = False) -> Question:
    return Question(name=names.from_text(name), qtype=rtype, dnssec_ok=dnssec_ok)


def said(
    query: bytes,
    *answer: str,
    authority: Sequence[str] = (),
    additional: Sequence[str] = (),
    rcode: str = "NOERROR",
    flags: int = dns.flags.RA,
    edns: bool = True,
) -> bytes:
    """An answer to ``query`` in bytes, with an OPT record at its end."""
    asked = dns.message.from_wire(query)
    response = dns.message.make_response(asked, recursion_available=True)
    response.flags |= flags
    response.set_rcode(dns.rcode.from_text(rcode))
    for section, lines in (
        (response.answer, answer),
        (response.authority, authority),
        (response.additional, additional),
    ):
        section += [rrset_of(line) for line in lines]
    if not edns:
        response.use_edns(False)
    return response.to_wire(max_size=65535)


def parsed(asked: Question, *answer: str, **options: object) -> Response:
    """The answer to ``asked`` as our own parser reads it."""
    words = question_bytes(asked)
    query = query_packet(asked, words, ident=7, udp_bytes_max=1232, token=b"")
    return parse_response(said(query, *answer, **options), asked=words, ident=7)  # type: ignore[arg-type]
