"""Shared keys: queries that are signed, and responses signed in turn (RFC 8945)."""

import binascii
import hmac
import stat
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fairlead.dns import message, names
from fairlead.dns.client import LATER, Answerer, Client, Transport
from fairlead.dns.errors import BadNameError, MessageError
from fairlead.dns.message import HEADER_BYTES, Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.transfer.errors import TsigKeyError

ALGORITHMS: Final = {f"hmac-{digest}": digest for digest in ("sha256", "sha384", "sha512")}
_CLASS_ANY: Final = 255
_SECRET_BYTES_MIN: Final = 16
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_TIMERS: Final = struct.Struct("!HIH")  # time signed in 48 bits, fudge
_LENGTH: Final = struct.Struct("!H")
_TAIL: Final = struct.Struct("!HHH")  # original id, error, length of other data


@dataclass(frozen=True, slots=True, repr=False)
class SharedKey:
    """One shared key; its secret is in no text."""

    name: Name
    algorithm: str
    secret: bytes

    def __repr__(self) -> str:
        return f"SharedKey({names.to_text(self.name)})"

    @property
    def algorithm_name(self) -> Name:
        """The algorithm, as TSIG names it."""
        return names.from_text(self.algorithm)

    def mac(self, *parts: bytes) -> bytes:
        """Return the MAC of ``parts`` in a row."""
        return hmac.digest(self.secret, b"".join(parts), ALGORITHMS[self.algorithm])

    def variables(self, timers: bytes) -> bytes:
        """Return what is signed beside a message (RFC 8945, section 4.3.3), without an error."""
        return self.name + struct.pack("!HI", _CLASS_ANY, 0) + self.algorithm_name + timers + bytes(4)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Shared keys by name."""

    keys: dict[Name, SharedKey] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def __repr__(self) -> str:
        return f"Keyring({' '.join(map(names.to_text, self.keys))})"

    @classmethod
    def read(cls, path: Path) -> "Keyring":
        """Return the keys in a file of lines ``NAME ALGORITHM BASE64``; ``#`` begins a comment.

        Raises:
            TsigKeyError: the file cannot be used.
        """
        try:
            if path.stat().st_mode & _OTHERS:
                raise TsigKeyError(f"{path} can be read by others; run: chmod 600 {path}")
            lines = path.read_text().splitlines()
        except (OSError, UnicodeError) as error:
            raise TsigKeyError(f"cannot read {path}: {error}") from error
        keys = {}
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if words:
                try:
                    key = _key_of(words)
                except (ValueError, BadNameError) as error:
                    # Neither the line nor the error may show the secret.
                    raise TsigKeyError(f"{path}, line {number}: write NAME hmac-sha256 BASE64") from error
                keys[key.name] = key
        if not keys:
            raise TsigKeyError(f"{path} holds no key; write NAME hmac-sha256 BASE64")
        return cls(keys)


def _key_of(words: list[str]) -> SharedKey:
    name, algorithm, secret = words
    raw = binascii.a2b_base64(secret, strict_mode=True)
    if algorithm.lower() not in ALGORITHMS or len(raw) < _SECRET_BYTES_MIN:
        raise ValueError("no such algorithm, or too short a secret")
    return SharedKey(names.from_text(name), algorithm.lower(), raw)


class Session:
    """One signed query, and the responses to it."""

    def __init__(self, key: SharedKey, *, request_mac: bytes, fudge_s: int) -> None:
        self._key = key
        self._mac = request_mac
        self._fudge_s = fudge_s
        self._is_begun = False

    def seal(self, response: bytes, *, now_s: int) -> bytes:
        """Return ``response``, the next to the query, with its signature (RFC 8945, sections 5.3 and 5.3.1)."""
        key = self._key
        timers = _TIMERS.pack(now_s >> 32, now_s & 0xFFFFFFFF, self._fudge_s)
        rest = timers if self._is_begun else key.variables(timers)
        mac = key.mac(_LENGTH.pack(len(self._mac)), self._mac, response, rest)
        self._mac, self._is_begun = mac, True
        data = key.algorithm_name + timers + _LENGTH.pack(len(mac)) + mac + response[:2] + bytes(4)
        head = message.record_head(Type.TSIG, _CLASS_ANY, 0, len(data))
        return _counted(response, 1) + key.name + head + data


def open_signed(packet: bytes, keyring: Keyring, *, now_s: int, fudge_s: int) -> tuple[bytes, Session] | None:
    """Return ``packet`` without its signature, and the session that answers it; None when it has none.

    Raises:
        MessageError: FORMERR, or NOTAUTH for a signature that we cannot vouch for (RFC 8945, section 5.2).
    """
    start = message.find_tsig(packet)
    if start is None:
        return None
    owner, head_at = message.name_at(packet, start)
    at = head_at + message.RECORD_HEAD_BYTES
    if packet[head_at:at] != message.record_head(Type.TSIG, _CLASS_ANY, 0, len(packet) - at):
        raise MessageError(Rcode.FORMERR, "a signature of another class, or with a TTL")
    algorithm, at = message.name_at(packet, at)
    try:
        high, low, fudge_theirs_s = _TIMERS.unpack_from(packet, at)
        timers, at = packet[at : at + _TIMERS.size], at + _TIMERS.size
        (size,) = _LENGTH.unpack_from(packet, at)
        mac, at = packet[at + 2 : at + 2 + size], at + 2 + size
        original_id, error, other_size = _TAIL.unpack_from(packet, at)
    except struct.error as cause:
        raise MessageError(Rcode.FORMERR, "a signature that is cut short") from cause
    if error or other_size:
        raise MessageError(Rcode.FORMERR, "a query with the signature of an error")
    key = keyring.keys.get(owner)
    if key is None or key.algorithm_name != algorithm:
        raise MessageError(Rcode.NOTAUTH, "signed by a key that is not ours")
    bare = _counted(packet[:start], -1)
    signed = original_id.to_bytes(2, "big") + bare[2:]
    if not hmac.compare_digest(key.mac(signed, key.variables(timers)), mac):
        raise MessageError(Rcode.NOTAUTH, "a signature that does not hold")
    if abs((high << 32 | low) - now_s) > min(fudge_s, fudge_theirs_s):
        raise MessageError(Rcode.NOTAUTH, "a signature of another time: set the clocks")
    return bare, Session(key, request_mac=mac, fudge_s=fudge_s)


def _counted(packet: bytes, more: int) -> bytes:
    """Return ``packet`` with ``more`` additional records counted."""
    count = int.from_bytes(packet[10:HEADER_BYTES], "big") + more
    return packet[:10] + count.to_bytes(2, "big") + packet[HEADER_BYTES:]


class SignedClient:
    """A client whose query was signed; what it is sent is signed too."""

    def __init__(self, client: Client, session: Session, clock: Callable[[], float]) -> None:
        self._client = client
        self._session = session
        self._clock = clock

    @property
    def ip(self) -> str:
        """As the client's."""
        return self._client.ip

    @property
    def transport(self) -> Transport:
        """As the client's."""
        return self._client.transport

    def send(self, response: bytes) -> None:
        """Send ``response``, signed."""
        self._client.send(self._session.seal(response, now_s=int(self._clock())))

    def abandon(self) -> None:
        """Give up."""
        self._client.abandon()

    def stream(self, messages: Iterator[bytes]) -> None:
        """Send ``messages``, each signed."""
        self._client.stream(self._session.seal(one, now_s=int(self._clock())) for one in messages)


class SignedAnswerer:
    """Answers signed queries by signed responses, and all others as ``answerer`` does."""

    def __init__(
        self, answerer: Answerer, keyring: Keyring, *, clock: Callable[[], float], fudge_s: int
    ) -> None:
        self._answerer = answerer
        self._keyring = keyring
        self._clock = clock
        self._fudge_s = fudge_s
        self.from_table = answerer.from_table
        self.from_table_whole = answerer.from_table_whole

    def respond(self, packet: bytes, client: Client) -> bytes | None:
        """Return the response, as `Answerer.respond` does."""
        if not message.may_be_signed(packet):
            return self._answerer.respond(packet, client)
        try:
            opened = open_signed(packet, self._keyring, now_s=int(self._clock()), fudge_s=self._fudge_s)
        except MessageError as error:
            return message.error_response(packet, error.rcode)
        if opened is None:
            return self._answerer.respond(packet, client)
        bare, session = opened
        response = self._answerer.respond(bare, SignedClient(client, session, self._clock))
        if response is None or response == LATER:
            return response
        return session.seal(response, now_s=int(self._clock()))


def answering_signed(answerer: Answerer, keyring: Keyring, *, fudge_s: int) -> Answerer:
    """Return ``answerer``, or, where there are keys, one that answers signed queries too."""
    return SignedAnswerer(answerer, keyring, clock=time.time, fudge_s=fudge_s) if keyring else answerer
