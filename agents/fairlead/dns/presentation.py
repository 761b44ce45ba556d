r"""Records written as in zone files: ``CAA 0 issue "ca.example"``, ``TYPE65280 \# 2 abcd`` (RFC 1035, 3597, 9460).

dnspython knows how each type is written.  Data comes out in canonical form (RFC 4034, section 6.2), which is right on the
wire too, and can be signed as it is.
"""

from typing import Final

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from fairlead.dns.errors import BadRecordError
from fairlead.dns.message import Type

LINES_MAX: Final = 256
"""Records that one key may bring."""

_DATA_BYTES_MAX: Final = 65535
_META: Final = range(128, 256)  # RFC 6895, section 3.1: questions and meta-types
_OURS: Final = {
    Type.SOA: "the server makes the SOA record itself",
    Type.CNAME: 'write {"host": "the.other.name"} instead',
    39: "names below a DNAME are not redirected here; write a key for each, or a wildcard",
    Type.OPT: "OPT is no record of a zone",
    46: "signatures are made when records are asked for",
    47: "denials are made when they are asked for",
    48: "keys come from --dnssec-keys",
    50: "denials are made when they are asked for",
    51: "denials are made when they are asked for",
}


def parse_line(line: str, *, field: str) -> tuple[int, bytes]:
    """Return type and data of ``line``, a type and its data.

    Raises:
        BadRecordError: naming ``field``.
    """
    kind, _, text = line.strip().partition(" ")
    return parse_data(kind, text, field=field)


def parse_data(kind: str, text: str, *, field: str) -> tuple[int, bytes]:
    """Return the number of type ``kind`` and the data that ``text`` writes; names in it are absolute.

    Raises:
        BadRecordError: naming ``field``.
    """
    try:
        rtype = dns.rdatatype.from_text(kind)
    except (dns.exception.DNSException, ValueError) as error:
        raise BadRecordError(f"{field}: {kind!r} is no record type; write one as TYPE65280") from error
    why = _OURS.get(rtype) or (f"{kind} is no type of records" if rtype in _META or not rtype else None)
    if why:
        raise BadRecordError(f"{field}: {why}")
    try:
        rdata = dns.rdata.from_text(dns.rdataclass.IN, rtype, text, origin=dns.name.root, relativize=False)
        data: bytes = rdata.to_digestable()
    except (dns.exception.DNSException, ValueError, AssertionError) as error:
        raise BadRecordError(f"{field}: {text!r} is no data of {kind}: {error}") from error
    if len(data) > _DATA_BYTES_MAX:
        raise BadRecordError(f"{field}: {len(data)} bytes of data, and DNS can carry {_DATA_BYTES_MAX}")
    return int(rtype), data
