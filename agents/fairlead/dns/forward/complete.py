"""Answers of ours that lead out of our zones: a CNAME to somebody else's name, a service on somebody else's host.

The open ends of an answer are found in the answer itself, asked for elsewhere, and what comes back is put in.
"""

from dataclasses import dataclass, replace
from typing import Final

from fairlead.dns.answer import Answer, RRsets
from fairlead.dns.forward.errors import BadResponseError
from fairlead.dns.forward.forwarder import Told
from fairlead.dns.forward.packet import Question, chain
from fairlead.dns.message import Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.zone import Zones

ENDS_MAX: Final = 16
"""Names asked for to complete one answer; the rest of a larger one has to be asked for by the client."""

_FOLLOWED: Final = frozenset({Type.A, Type.AAAA, Type.TXT})
_TARGET_AT: Final[dict[int, int]] = {Type.SRV: 6, Type.MX: 2}
"""Where in the data the target's name begins."""


@dataclass(frozen=True, slots=True)
class End:
    """A question that completes an answer.

    Attributes:
        question: what to ask.
        is_needed: the answer is none without it; else it is an address in the additional section.
    """

    question: Question
    is_needed: bool


def open_ends(answer: Answer, qtype: int, *, zones: Zones) -> list[End]:
    """Return what has to be asked elsewhere to complete ``answer`` to a question of ``qtype``."""
    if answer.zone is None or answer.rcode != Rcode.NOERROR:
        return []
    ends: dict[End, None] = {}
    for rrset in answer.answer:
        if rrset.rtype == Type.CNAME and qtype in _FOLLOWED:
            for target in rrset.rdatas:
                if zones.of(target) is None:
                    ends[End(Question(name=target, qtype=qtype), is_needed=True)] = None
        elif rrset.rtype == qtype and qtype in _TARGET_AT:
            for data in rrset.rdatas:
                target = data[_TARGET_AT[qtype] :].lower()
                if zones.of(target) is None:
                    for rtype in zones.settings.dialect.target_types:
                        ends[End(Question(name=target, qtype=rtype), is_needed=False)] = None
    return list(ends)[:ENDS_MAX]


def completed(answer: Answer, qtype: int, told: dict[End, Told]) -> Answer | None:
    """Return ``answer`` with what was ``told`` of its open ends; None when nothing of what was needed came."""
    records, additional = RRsets(), RRsets()
    for rrsets, section in ((records, answer.answer), (additional, answer.additional)):
        for rrset in section:
            for data in rrset.rdatas:
                rrsets.add(rrset.owner, rrset.rtype, rrset.ttl_s, data)
    rcode = Rcode.NOERROR
    lost = 0
    for end, one in told.items():
        found = _records(end, one)
        if found is None:
            lost += end.is_needed
            continue
        if end.is_needed and one.response is not None and one.response.rcode == Rcode.NXDOMAIN:
            rcode = Rcode.NXDOMAIN  # RFC 6604, section 3: of the last name in the chain
        for record in found:
            (records if end.is_needed else additional).add(*record)
    sections = records.sealed(ttl_s_max=records.ttl_s_min())
    has_data = any(rrset.rtype == qtype for rrset in sections)
    if lost and not has_data:
        return None
    return replace(
        answer,
        rcode=Rcode.NOERROR if has_data else rcode,
        answer=sections,
        additional=additional.sealed(),
    )


def _records(end: End, told: Told) -> list[tuple[Name, int, int, bytes]] | None:
    """Return the records with the TTLs that are left; None when nobody has answered."""
    response = told.response
    if response is None or response.rcode not in {Rcode.NOERROR, Rcode.NXDOMAIN}:
        return None
    try:
        return chain(replace(response, body=told.body), end.question)
    except BadResponseError:
        return None
