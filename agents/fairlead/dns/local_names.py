"""Names that no server may ask others about, and that are answered here unless a zone or a key of ours says otherwise.

They are localhost (RFC 6761) and the reverse zones of addresses without a global meaning (RFC 6303).
"""

import struct
from typing import Final

from fairlead.dns import names
from fairlead.dns.answer import Answer, RRset
from fairlead.dns.message import Rcode, Type
from fairlead.dns.names import Name

_TTL_S: Final = 3600
_ARPA: Final = names.from_text("arpa")
_LOCALHOST: Final = names.from_text("localhost")
_LOOPBACK: Final = {Type.A: bytes((127, 0, 0, 1)), Type.AAAA: bytes(15) + b"\x01"}
_POINTERS: Final = frozenset(
    map(names.from_text, ("1.0.0.127.in-addr.arpa", f"1.{'0.' * 31}ip6.arpa"))
)  # of the two loopback addresses

# RFC 6303, sections 4.1 to 4.5, and RFC 7793 (100.64/10).
_V4: Final = (
    "0", "127", "10", "254.169", "168.192", "2.0.192", "100.51.198", "113.0.203", "255.255.255.255",
    *(f"{second}.172" for second in range(16, 32)),
    *(f"{second}.100" for second in range(64, 128)),
)  # fmt: skip
_V6: Final = ("0." * 32, f"1.{'0.' * 31}", "d.f.", "8.e.f.", "9.e.f.", "a.e.f.", "b.e.f.", "8.b.d.0.1.0.0.2.")

# invalid: RFC 6761, section 6.4; onion: RFC 7686, section 2.
_ZONES: Final = frozenset(
    {
        _LOCALHOST,
        *map(names.from_text, ("invalid", "onion")),
        *(names.from_text(f"{labels}.in-addr.arpa") for labels in _V4),
        *(names.from_text(f"{labels}ip6.arpa") for labels in _V6),
    }
)


def answer_locally(name: Name, qtype: int, *, is_reverse_ours: bool = True) -> Answer | None:
    """Return the answer to ``name``, in lower case, and ``qtype``; None when the name is not one of these.

    Args:
        name: asked for.
        qtype: asked for.
        is_reverse_ours: whether reverse zones are answered here, those of loopback aside.
    """
    zone = next((suffix for suffix in names.suffixes(name) if suffix in _ZONES), None)
    if zone is None or (not is_reverse_ours and zone.endswith(_ARPA) and name not in _POINTERS):
        return None
    data: bytes | None = None
    if zone == _LOCALHOST and qtype in _LOOPBACK:
        data = _LOOPBACK[Type(qtype)]
    elif name in _POINTERS and qtype == Type.PTR:
        data = _LOCALHOST
    if data is not None:
        return Answer(zone=None, is_local=True, answer=(RRset(name, qtype, _TTL_S, (data,)),))
    exists = zone in {_LOCALHOST, name} or any(p.endswith(name) for p in _POINTERS)
    return Answer(
        zone=None,
        is_local=True,
        rcode=Rcode.NOERROR if exists else Rcode.NXDOMAIN,
        authority=(RRset(zone, Type.SOA, _TTL_S, (_soa(zone),)),),
    )


def _soa(zone: Name) -> bytes:
    """Return the SOA record's data as RFC 6303, section 3, has it."""
    mailbox = names.from_text("nobody.invalid")
    return zone + mailbox + struct.pack("!IIIII", 1, 3600, 1200, 604800, 10800)
