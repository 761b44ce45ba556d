"""Signed queries (RFC 8945), by dnspython as the secondary; what it does not look at is taken apart by hand."""

import hashlib
import hmac
import struct
from dataclasses import dataclass, replace

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig
import pytest
from tests.unit.dns.site import Asker
from tests.unit.dns.transfer.primary_site import KEY, NOW_S, RECORDS, PrimarySite, refused

from fairlead.dns import names
from fairlead.dns.client import Transport
from fairlead.dns.transfer import Keyring, TransferSettings
from fairlead.dns.transfer.keyring import SharedKey


def ring(key: SharedKey = KEY) -> dict[dns.name.Name, dns.tsig.Key]:
    name = names.to_text(key.name)
    return {dns.name.from_text(name): dns.tsig.Key(name, key.secret, key.algorithm)}


def signed(rtype: str = "AXFR", key: SharedKey = KEY) -> dns.message.Message:
    query = dns.message.make_query("skydns.test", rtype)
    query.use_tsig(ring(key), algorithm=key.algorithm)
    return query


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> PrimarySite:
    monkeypatch.setattr("dns.message.time.time", lambda: NOW_S)
    many: dict[str, object] = {f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(600)}
    return PrimarySite(RECORDS | many, settings=TransferSettings(keyring=Keyring({KEY.name: KEY})))


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha384", "hmac-sha512"])
def test_a_signed_query_gets_a_zone_of_signed_messages(
    monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    monkeypatch.setattr("dns.message.time.time", lambda: NOW_S)
    key = SharedKey(KEY.name, algorithm, KEY.secret)
    many: dict[str, object] = {f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(600)}
    site = PrimarySite(RECORDS | many, settings=TransferSettings(keyring=Keyring({key.name: key})))
    query = signed(key=key)
    messages = site.transfer(query)
    assert len(messages) > 1
    context = None
    for number, message in enumerate(messages):
        parsed = dns.message.from_wire(
            message,
            keyring=ring(key),
            request_mac=query.mac,
            xfr=True,
            tsig_ctx=context,
            multi=True,
            origin=dns.name.from_text("skydns.test"),
        )
        assert parsed.had_tsig, number
        context = parsed.tsig_ctx


def test_an_ordinary_signed_query_gets_a_signed_answer(keyed: PrimarySite) -> None:
    """A secondary asks for SOA in the same way."""
    query = signed("SOA")
    for _ in range(2):
        (response,) = keyed.transfer(query)
        parsed = dns.message.from_wire(response, keyring=ring(), request_mac=query.mac)
        assert parsed.had_tsig
        assert parsed.answer[0].rdtype == dns.rdatatype.SOA


def test_without_a_signature_there_is_no_zone(keyed: PrimarySite) -> None:
    assert refused(keyed.transfer(dns.message.make_query("skydns.test", "AXFR"))) == "REFUSED"
    assert keyed.ask("n1.skydns.test").rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize(
    "key",
    [
        SharedKey(KEY.name, KEY.algorithm, b"another secret, as long as that"),
        SharedKey(names.from_text("k2.example"), KEY.algorithm, KEY.secret),
        SharedKey(KEY.name, "hmac-sha512", KEY.secret),
    ],
    ids=["another secret", "another name", "another algorithm"],
)
def test_a_signature_of_another_key_is_noticed(keyed: PrimarySite, key: SharedKey) -> None:
    assert refused(keyed.transfer(signed(key=key))) == "NOTAUTH"


def test_a_signature_of_another_time_is_noticed(keyed: PrimarySite, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8945, section 5.2.3: what was recorded cannot be sent again."""
    for offset_s, is_fine in ((-301, False), (-299, True), (299, True), (301, False)):
        monkeypatch.setattr("dns.message.time.time", lambda offset_s=offset_s: NOW_S + offset_s)
        messages = keyed.transfer(signed())
        assert (len(messages) > 1) is is_fine


def test_a_changed_byte_is_noticed(keyed: PrimarySite) -> None:
    wire = signed().to_wire()
    for at in range(2, len(wire)):
        asker = Asker(Transport.TCP)
        changed = wire[:at] + bytes((wire[at] ^ 1,)) + wire[at + 1 :]
        keyed.answerer.respond(changed, asker)
        assert len(asker.sent) <= 1, at


def test_a_signed_query_cut_short_anywhere_is_no_accident(keyed: PrimarySite) -> None:
    wire = signed().to_wire()
    for end in range(len(wire)):
        asker = Asker(Transport.TCP)
        keyed.answerer.respond(wire[:end], asker)
        assert asker.sent == []


# Responses to signatures that do not hold: section 5.2 and 5.3.2


@dataclass(frozen=True, slots=True)
class Tsig:
    """The fields of a TSIG record of `KEY`, and the message before it."""

    message: bytes
    timers: bytes
    mac: bytes
    tail: bytes  # original id, error, length of other data, other data

    @classmethod
    def of(cls, wire: bytes, owner: bytes = KEY.name) -> "Tsig":
        start = wire.index(owner + b"\x00\xfa\x00\xff")
        at = start + len(owner) + 10 + len(KEY.algorithm_name)
        end = at + 10 + int.from_bytes(wire[at + 8 : at + 10], "big")
        bare = wire[:10] + (int.from_bytes(wire[10:12], "big") - 1).to_bytes(2, "big") + wire[12:start]
        return cls(bare, wire[at : at + 8], wire[at + 10 : end], wire[end:])

    @property
    def error(self) -> int:
        return int.from_bytes(self.tail[2:4], "big")

    @property
    def other(self) -> bytes:
        return self.tail[6:]

    def to_wire(self, owner: bytes = KEY.name) -> bytes:
        data = KEY.algorithm_name + self.timers + struct.pack("!H", len(self.mac)) + self.mac + self.tail
        head = self.message[:10] + (int.from_bytes(self.message[10:12], "big") + 1).to_bytes(2, "big")
        return head + self.message[12:] + owner + struct.pack("!HHIH", 250, 255, 0, len(data)) + data

    def mac_after(self, request_mac: bytes) -> bytes:
        """Section 4.3: the MAC of a response to a query with ``request_mac``."""
        variables = KEY.name + b"\x00\xff\x00\x00\x00\x00" + KEY.algorithm_name + self.timers + self.tail[2:]
        signed_bytes = struct.pack("!H", len(request_mac)) + request_mac + self.message + variables
        return hmac.new(KEY.secret, signed_bytes, hashlib.sha256).digest()


def answer_to(site: PrimarySite, wire: bytes, transport: Transport = Transport.TCP) -> bytes:
    response = site.answerer.respond(wire, Asker(transport))
    assert response
    return response


def header_and_question(query: bytes) -> bytes:
    """NOTAUTH without records, to the query's question."""
    return query[:2] + b"\x81\x09\x00\x01" + bytes(6) + query[12 : query.index(KEY.name)]


@pytest.mark.parametrize(("name", "error"), [("k1.example", 16), ("k2.example", 17)])
def test_a_signature_that_proves_nothing_is_told_so_without_one(
    keyed: PrimarySite, name: str, error: int
) -> None:
    """BADSIG and BADKEY: "It MUST NOT send back a signed error message" (section 5.3.2)."""
    key = SharedKey(names.from_text(name), KEY.algorithm, b"another secret, as long as that")
    query = signed(key=key).to_wire()
    told = Tsig.of(answer_to(keyed, query), key.name)
    assert (told.error, told.mac, told.other) == (error, b"", b"")
    assert told.message == query[:2] + b"\x81\x09\x00\x01" + bytes(6) + query[12 : query.index(key.name)]


def test_a_clock_that_is_wrong_is_told_the_time_under_a_signature(
    keyed: PrimarySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BADTIME (section 5.2.3): the client's time signed, the server's in 48 bits of other data, so that it can tell by how much."""
    monkeypatch.setattr("dns.message.time.time", lambda: NOW_S + 2**33)
    query = signed().to_wire()
    asked, told = Tsig.of(query), Tsig.of(answer_to(keyed, query))
    assert told.message == header_and_question(query)
    assert (told.error, told.other) == (18, NOW_S.to_bytes(6, "big"))
    assert told.timers[:6] == (NOW_S + 2**33).to_bytes(6, "big")
    assert told.mac == told.mac_after(asked.mac)


def test_a_response_is_never_answered_whatever_its_signature(keyed: PrimarySite) -> None:
    """Two servers that tell each other what is wrong with their signatures would do so for ever."""
    asked = Tsig.of(signed("SOA").to_wire())
    for mac in (asked.mac, bytes(32), bytes(3)):
        wire = bytearray(replace(asked, mac=mac).to_wire())
        wire[2] |= 0x80
        assert keyed.answerer.respond(bytes(wire), Asker()) is None


@pytest.mark.parametrize("size", [16, 31])
def test_a_mac_that_is_cut_short_is_not_enough_here(keyed: PrimarySite, size: int) -> None:
    """BADTRUNC (section 5.2.4), signed in full: the key is the right one."""
    asked = Tsig.of(signed().to_wire())
    asked = replace(asked, mac=asked.mac[:size])
    told = Tsig.of(answer_to(keyed, asked.to_wire()))
    assert (told.error, told.other) == (22, b"")
    assert told.mac == told.mac_after(asked.mac)


@pytest.mark.parametrize("size", [0, 9, 15, 33, 64])
def test_a_mac_of_a_size_that_cannot_be_is_malformed(keyed: PrimarySite, size: int) -> None:
    """Section 5.2.2.1: less than half of it, less than 10 bytes, or more than there are."""
    asked = Tsig.of(signed().to_wire())
    wire = replace(asked, mac=(asked.mac + asked.mac)[:size]).to_wire()
    assert refused([answer_to(keyed, wire)]) == "FORMERR"


def test_a_mac_cut_short_that_is_wrong_is_wrong(keyed: PrimarySite) -> None:
    """Key, MAC, time and truncation, in this order (section 5.2)."""
    asked = Tsig.of(signed().to_wire())
    told = Tsig.of(answer_to(keyed, replace(asked, mac=bytes(16)).to_wire()))
    assert (told.error, told.mac) == (16, b"")


def test_the_name_of_a_key_may_be_compressed(keyed: PrimarySite) -> None:
    """It is an owner like others; the digest is over all of it (section 4.3.3)."""
    key = SharedKey(names.from_text("k.skydns.test"), KEY.algorithm, KEY.secret)
    site = PrimarySite(settings=TransferSettings(keyring=Keyring({key.name: key})))
    wire = signed("SOA", key=key).to_wire()
    assert b"\x01k\xc0\x0c\x00\xfa" in wire, "dnspython does"
    assert refused([answer_to(site, wire)]) == "NOERROR"


@pytest.mark.parametrize("payload", [0, 512, 600, 1232])
@pytest.mark.parametrize("count", [20, 24, 28, 29, 30, 60, 72])
def test_a_signed_answer_is_no_larger_than_the_client_said(
    monkeypatch: pytest.MonkeyPatch, payload: int, count: int
) -> None:
    """What the signature leaves too little room for is truncated (section 5.3)."""
    monkeypatch.setattr("dns.message.time.time", lambda: NOW_S)
    pool: dict[str, object] = {f"{n}.pool.skydns.test": {"host": f"10.0.0.{n}"} for n in range(count)}
    site = PrimarySite(pool, settings=TransferSettings(keyring=Keyring({KEY.name: KEY})))
    options = {"use_edns": 0, "payload": payload} if payload else {}
    query = dns.message.make_query("pool.skydns.test", "A", **options)  # type: ignore[arg-type]
    query.use_tsig(ring(), algorithm=KEY.algorithm)
    wire = answer_to(site, query.to_wire(), Transport.UDP)
    assert len(wire) <= (payload or 512)
    response = dns.message.from_wire(wire, keyring=ring(), request_mac=query.mac)
    assert response.had_tsig
    found = sum(len(rrset) for rrset in response.answer)
    assert found == (0 if response.flags & dns.flags.TC else count)
