"""TSIG records: queries that are signed by a shared key, and responses signed in turn (RFC 8945)."""

import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from fairlead.dns import message
from fairlead.dns.errors import MessageError
from fairlead.dns.message import HEADER_BYTES, RECORD, Class, Rcode, TsigError, Type
from fairlead.dns.names import Name
from fairlead.dns.transfer.keyring import Keyring, SharedKey

_TIMERS: Final = struct.Struct("!HIH")  # time signed in 48 bits, fudge
_LENGTH: Final = struct.Struct("!H")
_TIME_BYTES: Final = 6
_MAC_BYTES_MIN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A TSIG record (RFC 8945, section 4.2).

    Attributes:
        key_name: in lower case.
        algorithm: its name, in lower case.
        timers: time signed and fudge, as they came.
        mac: empty in a response to a signature that says nothing.
        original_id: what the message's id was when it was signed.
        error: a `TsigError`, or 0.
        other: the server's time, with BADTIME.
    """

    key_name: Name
    algorithm: Name
    timers: bytes
    mac: bytes = b""
    original_id: bytes
    error: int = 0
    other: bytes = b""

    @classmethod
    def parse(cls, packet: bytes, start: int) -> "Signature":
        """Return the signature that begins at ``start`` and ends ``packet``.

        Raises:
            MessageError: FORMERR.
        """
        key_name, head_at = message.name_at(packet, start)
        at = head_at + RECORD.size
        if packet[head_at:at] != RECORD.pack(Type.TSIG, Class.ANY, 0, len(packet) - at):
            raise MessageError(Rcode.FORMERR, "a signature of another class, or with a TTL")
        algorithm, at = message.name_at(packet, at)
        timers, at = packet[at : at + _TIMERS.size], at + _TIMERS.size
        mac, at = _sized(packet, at)
        original_id, error = packet[at : at + 2], int.from_bytes(packet[at + 2 : at + 4], "big")
        other, at = _sized(packet, at + 4)
        if at != len(packet):
            raise MessageError(Rcode.FORMERR, "a signature that is cut short, or not the end")
        return cls(
            key_name=key_name,
            algorithm=algorithm,
            timers=timers,
            mac=mac,
            original_id=original_id,
            error=error,
            other=other,
        )

    def append_to(self, response: bytes) -> bytes:
        """Return ``response`` with this record at its end."""
        data = b"".join(
            (
                *(self.algorithm, self.timers),
                *(_LENGTH.pack(len(self.mac)), self.mac),
                *(self.original_id, _LENGTH.pack(self.error)),
                *(_LENGTH.pack(len(self.other)), self.other),
            )
        )
        head = RECORD.pack(Type.TSIG, Class.ANY, 0, len(data))
        return _counted(response, 1) + self.key_name + head + data

    def signed_s(self) -> tuple[int, int]:
        """Return when it was signed, in seconds since 1970, and by how much that may be wrong."""
        high, low, fudge_s = _TIMERS.unpack(self.timers)
        return high << 32 | low, fudge_s


def _sized(packet: bytes, at: int) -> tuple[bytes, int]:
    """Return the bytes at ``at`` whose number stands before them, and the offset after them."""
    size = int.from_bytes(packet[at : at + 2], "big")
    return packet[at + 2 : at + 2 + size], at + 2 + size


class Session:
    """One signed query, and the responses to it."""

    def __init__(self, key: SharedKey, *, request_mac: bytes, fudge_s: int) -> None:
        self._key = key
        self._mac = request_mac
        self._fudge_s = fudge_s
        self._is_begun = False

    @property
    def overhead_bytes(self) -> int:
        """By how much a signature makes a response longer."""
        key = self._key
        fixed = RECORD.size + _TIMERS.size + 4 * _LENGTH.size
        return fixed + len(key.name) + len(key.algorithm_name) + key.mac_bytes

    def seal(self, response: bytes, *, now_s: int) -> bytes:
        """Return ``response``, the next to the query, with its signature (RFC 8945, sections 5.3 and 5.3.1)."""
        timers = timers_of(now_s, self._fudge_s)
        rest = timers if self._is_begun else self._key.variables(timers)
        self._is_begun = True
        return self._seal(response, rest, timers=timers)

    def seal_error(self, response: bytes, error: TsigError, *, timers: bytes, other: bytes = b"") -> bytes:
        """Return ``response``, signed, which says what is wrong with the query's signature."""
        rest = self._key.variables(timers, error, other)
        return self._seal(response, rest, timers=timers, error=error, other=other)

    def _seal(
        self, response: bytes, rest: bytes, *, timers: bytes, error: int = 0, other: bytes = b""
    ) -> bytes:
        key = self._key
        self._mac = key.mac(_LENGTH.pack(len(self._mac)), self._mac, response, rest)
        return Signature(
            key_name=key.name,
            algorithm=key.algorithm_name,
            timers=timers,
            mac=self._mac,
            original_id=response[:2],
            error=error,
            other=other,
        ).append_to(response)


def timers_of(now_s: int, fudge_s: int) -> bytes:
    """Return the time, in 48 bits, and by how much it may be wrong, as TSIG has them."""
    return _TIMERS.pack(now_s >> 32, now_s & 0xFFFFFFFF, fudge_s)


class SignatureRefusedError(MessageError):
    """A signature that does not hold; the response is NOTAUTH and says why (RFC 8945, section 5.2).

    Attributes:
        seal: puts into that response what is wrong.
    """

    def __init__(self, why: str, seal: Callable[[bytes], bytes]) -> None:
        super().__init__(Rcode.NOTAUTH, why)
        self.seal = seal


def open_signed(packet: bytes, keyring: Keyring, *, now_s: int, fudge_s: int) -> tuple[bytes, Session] | None:
    """Return ``packet`` without its signature, and the session that answers it; None when it has none.

    Raises:
        SignatureRefusedError: key, MAC, time or size of the MAC, in this order, are not right.
        MessageError: FORMERR.
    """
    start = message.find_tsig(packet)
    if start is None:
        return None
    signature = Signature.parse(packet, start)
    if signature.error or signature.other:
        raise MessageError(Rcode.FORMERR, "a query with the signature of an error")
    key = keyring.keys.get(signature.key_name)
    if key is None or key.algorithm_name != signature.algorithm:
        raise _unsigned(signature, TsigError.BADKEY, "a key that is not ours", timers_of(now_s, fudge_s))
    # Section 5.2.2.1: others "MUST" be FORMERR.
    if not max(_MAC_BYTES_MIN, key.mac_bytes // 2) <= len(signature.mac) <= key.mac_bytes:
        raise MessageError(Rcode.FORMERR, "a MAC of a size that cannot be")
    bare = _counted(packet[:start], -1)
    mac = key.mac(signature.original_id + bare[2:], key.variables(signature.timers))
    if not hmac.compare_digest(mac[: len(signature.mac)], signature.mac):
        raise _unsigned(signature, TsigError.BADSIG, "it does not hold", timers_of(now_s, fudge_s))
    session = Session(key, request_mac=signature.mac, fudge_s=fudge_s)
    signed_s, fudge_theirs_s = signature.signed_s()
    if abs(signed_s - now_s) > min(fudge_s, fudge_theirs_s):
        # Section 5.2.3: the client is given its own time back, and ours, which it can believe: the response is signed.
        ours = timers_of(now_s, 0)[:_TIME_BYTES]
        raise SignatureRefusedError(
            "a signature of another time",
            partial(session.seal_error, error=TsigError.BADTIME, timers=signature.timers, other=ours),
        )
    if len(signature.mac) < key.mac_bytes:
        raise SignatureRefusedError(
            "a MAC that is cut short",
            partial(session.seal_error, error=TsigError.BADTRUNC, timers=timers_of(now_s, fudge_s)),
        )
    return bare, session


def _unsigned(signature: Signature, error: TsigError, why: str, timers: bytes) -> SignatureRefusedError:
    """Return an error of the key or the MAC; a signed response to it would help who guesses (section 5.3.2)."""
    answer = replace(signature, timers=timers, mac=b"", error=error)
    return SignatureRefusedError(why, answer.append_to)


def _counted(packet: bytes, more: int) -> bytes:
    """Return ``packet`` with ``more`` additional records counted."""
    count = int.from_bytes(packet[10:HEADER_BYTES], "big") + more
    return packet[:10] + count.to_bytes(2, "big") + packet[HEADER_BYTES:]
