"""The bytes that signatures are over, and records that deny (RFC 4034, RFC 9824).  All names here are lower case already."""

import struct
from collections.abc import Iterable
from typing import Final

from fairlead.dns import names
from fairlead.dns.answer import RRset
from fairlead.dns.dnssec.keys import SigningKey
from fairlead.dns.message import RECORD, Class, Type
from fairlead.dns.names import Name

_SIGNATURE: Final = struct.Struct("!HBBIIIH")


def rrsig_data(rrset: RRset, *, zone: Name, key: SigningKey, inception_s: int, expiration_s: int) -> bytes:
    """Return the data of the RRSIG record of ``rrset`` (RFC 4034, section 3)."""
    labels = names.labels(rrset.owner)
    count = len(labels) - (labels[:1] == [b"*"])
    head = (
        _SIGNATURE.pack(
            rrset.rtype,
            key.algorithm,
            count,
            rrset.ttl_s,
            expiration_s & 0xFFFFFFFF,
            inception_s & 0xFFFFFFFF,
            key.tag,
        )
        + zone
    )
    prefix = rrset.owner + RECORD.pack(rrset.rtype, Class.IN, rrset.ttl_s, 0)[:-2]
    records = b"".join(prefix + struct.pack("!H", len(data)) + data for data in sorted(rrset.rdatas))
    return head + key.sign(head + records)


def nsec_data(owner: Name, types: Iterable[int]) -> bytes:
    """Return the data of an NSEC record that covers nothing but ``owner``, which has ``types`` and no other."""
    return successor(owner) + type_bitmap(types)


def successor(name: Name) -> Name:
    r"""Return the name after ``name`` in canonical order, ``\000.name`` (RFC 9824, section 3.1).

    Where that is too long, a byte is added to the first label, or counted up in it (RFC 4471, section 3.1.2).
    """
    if len(name) + 2 <= names.NAME_BYTES_MAX:
        return names.child(b"\0", name)
    size = name[0]
    label, rest = name[1 : 1 + size], name[1 + size :]
    if size < names.LABEL_BYTES_MAX and len(name) < names.NAME_BYTES_MAX:
        return names.child(label + b"\0", rest)
    stem = label.rstrip(b"\xff")
    # A label of nothing but 0xff would need its parent's successor; it cannot be compared wrongly, only covers more.
    return names.child(stem[:-1] + bytes((stem[-1] + 1,)), rest) if stem else successor(rest)


def type_bitmap(types: Iterable[int]) -> bytes:
    """Return the types as windows of bits (RFC 4034, section 4.1.2)."""
    windows: dict[int, bytearray] = {}
    for rtype in sorted(set(types)):
        window = windows.setdefault(rtype >> 8, bytearray())
        at = (rtype & 0xFF) >> 3
        window.extend(bytes(at + 1 - len(window)))
        window[at] |= 0x80 >> (rtype & 7)
    return b"".join(bytes((number, len(bits))) + bytes(bits) for number, bits in windows.items())


SIGNED_ALWAYS: Final = frozenset({int(Type.RRSIG), int(Type.NSEC)})
