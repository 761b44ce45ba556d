"""Tens of thousands of broken packets: each gets a proper answer or none, and none takes the server along."""

import random
import struct

import dns.message
import pytest
from tests.unit.dns.site import Site

PACKETS = 20_000
RECORDS = {
    **{f"{n}.web.skydns.test": {"host": f"10.0.0.{n}", "port": 80} for n in range(1, 20)},
    "six.skydns.test": {"host": "2001:db8::1", "text": "t" * 300},
    "www.skydns.test": {"host": "web.skydns.test"},
    "mx.skydns.test": {"host": "web.skydns.test", "mail": True},
    "a.ns.dns.skydns.test": {"host": "10.0.0.2"},
}
NAMES = [
    "web.skydns.test",
    "six.skydns.test",
    "www.skydns.test",
    "*.skydns.test",
    "skydns.test",
    "x.example",
    ".",
]
TYPES = ["A", "AAAA", "SRV", "TXT", "MX", "NS", "SOA", "CNAME", "PTR", "ANY", "AXFR", "HTTPS"]


def seeds() -> list[bytes]:
    packets = []
    for name in NAMES:
        for rtype in TYPES:
            packets.append(dns.message.make_query(name, rtype, id=7).to_wire())
            packets.append(dns.message.make_query(name, rtype, id=7, use_edns=0, want_dnssec=True).to_wire())
    packets.append(dns.message.make_query("version.bind", "TXT", rdclass="CH", id=7).to_wire())
    return packets


def mutated(packet: bytes, rng: random.Random) -> bytes:
    data = bytearray(packet)
    for _ in range(rng.choice((0, 1, 1, 2, 4, 16))):
        kind = rng.randrange(5)
        at = rng.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[at] = rng.choice((0, 1, 0x0C, 0x3F, 0x40, 0xC0, 0xFF))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        else:
            data += struct.pack("!BHHIH", 0, 41, rng.randrange(65536), rng.randrange(2**32), rng.randrange(8))
    return bytes(data)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_comes_in_only_proper_answers_go_out(seed: int) -> None:
    rng = random.Random(seed)
    site = Site(RECORDS)
    originals = seeds()
    for number in range(PACKETS):
        packet = mutated(rng.choice(originals), rng)
        response = site.send(packet, tcp=number % 4 == 0)
        if len(packet) < 12 or packet[2] & 0x80:
            assert response is None
            continue
        assert response is not None
        assert response[:2] == packet[:2]
        assert response[2] & 0x80
        assert number % 4 == 0 or len(response) <= 1232
        dns.message.from_wire(response)  # parses, to its last byte


@pytest.mark.parametrize("packet", seeds()[::5])
def test_a_query_cut_anywhere_is_an_error_and_no_more(packet: bytes) -> None:
    site = Site(RECORDS)
    for length in range(12, len(packet)):
        response = site.send(packet[:length])
        assert response is not None
        assert response[3] & 0xF == 1, "a format error"
