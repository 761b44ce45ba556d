"""Names that no name server outside may be asked for (RFC 6761, sections 6.3 and 6.4; RFC 7686)."""

from typing import Final

from fairlead.dns import names
from fairlead.dns.answer import Answer, RRset
from fairlead.dns.message import Rcode, Type
from fairlead.dns.names import Name

_TTL_S: Final = 3600
_LOCALHOST: Final = names.from_text("localhost")
_NOWHERE: Final = frozenset({names.from_text("invalid"), names.from_text("onion")})
_LOOPBACK: Final[dict[int, bytes]] = {Type.A: b"\x7f\0\0\1", Type.AAAA: bytes(15) + b"\1"}


def answer_local(name: Name, qtype: int) -> Answer | None:
    """Return the answer for a name that stays on this host, or that exists nowhere; None for all others."""
    labels = names.labels(name)
    top = names.from_labels(labels[-1:])
    if top in _NOWHERE:
        return Answer(rcode=Rcode.NXDOMAIN, zone=None)
    if top != _LOCALHOST:
        return None
    data = _LOOPBACK.get(qtype)
    return Answer(zone=None, answer=(RRset(name, qtype, _TTL_S, (data,)),) if data else ())
