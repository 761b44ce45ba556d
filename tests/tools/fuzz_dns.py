"""``python -m tests.tools.fuzz_dns [--packets N] [--seed S]``: broken packets against the responder, a million by default.

Each must get a proper answer or none; a response is never answered; memory stays flat.  CI runs a small part of it as a test.
"""

import random
import resource
import struct
import sys
import time

import click
import dns.message
import dns.tsig
from tests.unit.dns.site import Asker, Site

from fairlead.dns import names
from fairlead.dns.client import LATER, Transport
from fairlead.dns.message import is_answerable
from fairlead.dns.transfer import Keyring, SignedAnswerer
from fairlead.dns.transfer.keyring import SharedKey

RECORDS = {
    **{f"{n}.web.skydns.test": {"host": f"10.0.0.{n}", "port": 80} for n in range(1, 20)},
    "six.skydns.test": {"host": "2001:db8::1", "text": "t" * 300},
    "www.skydns.test": {"host": "web.skydns.test"},
    "mx.skydns.test": {"host": "web.skydns.test", "mail": True},
    "a.ns.dns.skydns.test": {"host": "10.0.0.2"},
    "*.wild.skydns.test": {"host": "10.0.0.3"},
}
NAMES = (
    "web.skydns.test", "six.skydns.test", "www.skydns.test", "*.skydns.test", "skydns.test", "a.wild.skydns.test",
    "x.example", "localhost", "1.0.0.10.in-addr.arpa", ".",
)  # fmt: skip
TYPES = ("A", "AAAA", "SRV", "TXT", "MX", "NS", "SOA", "CNAME", "PTR", "ANY", "AXFR", "HTTPS", "DS")
KEY = SharedKey(names.from_text("k1.skydns.test"), "hmac-sha256", bytes(32))
OPTIONS = (3, 8, 10, 11, 12, 15, 65001)
MEMORY_BYTES_MAX = 64 * 1024 * 1024
"""By how much the process may grow after the first tenth of the packets."""


def seeds() -> list[bytes]:
    """Return sound queries of every kind, to be broken."""
    packets = []
    for name in NAMES:
        for rtype in TYPES:
            packets.append(dns.message.make_query(name, rtype, id=7).to_wire())
            packets.append(dns.message.make_query(name, rtype, id=7, use_edns=0, want_dnssec=True).to_wire())
    packets.append(dns.message.make_query("version.bind", "TXT", rdclass="CH", id=7).to_wire())
    for _ in range(len(packets) // 8):
        query = dns.message.make_query("web.skydns.test", "A", id=7)
        query.use_tsig(dns.tsig.Key(names.to_text(KEY.name), KEY.secret, KEY.algorithm))
        packets.append(query.to_wire())
    return packets


def mutated(packet: bytes, rng: random.Random) -> bytes:
    """Return ``packet`` with some bytes turned, cut, added, or with records and options nobody asked for."""
    data = bytearray(packet)
    for _ in range(rng.choice((0, 1, 1, 2, 4, 16))):
        kind = rng.randrange(6)
        at = rng.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[at] = rng.choice((0, 1, 0x0C, 0x3F, 0x40, 0xC0, 0xFF))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 4:
            data += struct.pack("!BHHIH", 0, 41, rng.randrange(65536), rng.randrange(2**32), rng.randrange(8))
        elif len(data) > 12:
            size = rng.choice((0, 3, 8, 24, 60))
            data += struct.pack(
                "!BHHIHHH", 0, 41, 1232, 0, 4 + size, rng.choice(OPTIONS), size
            ) + rng.randbytes(size)
            data[11] = (data[11] + 1) & 0xFF
    return bytes(data)


class Fuzz:
    """Sends broken packets, and checks what comes of each."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._originals = seeds()
        self.site = Site(RECORDS)
        keyring = Keyring({KEY.name: KEY})
        self._answerer = SignedAnswerer(self.site.responder, keyring, clock=time.time, fudge_s=300)
        self.answered = 0

    def step(self, number: int) -> None:
        """Send one packet; AssertionError when its answer is not proper."""
        packet = mutated(self._rng.choice(self._originals), self._rng)
        transport = tuple(Transport)[number % len(Transport)]
        responder = self._answerer
        is_udp = transport is Transport.UDP
        response = (responder.from_table if is_udp else responder.from_table_whole)(packet)
        if response is None:
            response = responder.respond(packet, Asker(transport))
        if not is_answerable(packet):
            assert response is None, packet.hex()
            return
        assert response is not None, packet.hex()
        assert response != LATER, packet.hex()
        assert response[:2] == packet[:2], packet.hex()
        assert response[2] & 0x80, packet.hex()
        assert len(response) <= (1232 if is_udp else 65535), packet.hex()
        if number % 8 == 0:  # dnspython takes ten times as long as we do
            dns.message.from_wire(response, keyring=False)  # parses, to its last byte
        self.answered += 1


@click.command()
@click.option("--packets", default=1_000_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(packets: int, seed: int) -> None:
    """Send so many broken packets."""
    fuzz, began_s, settled = Fuzz(seed), time.monotonic(), 0
    for number in range(packets):
        fuzz.step(number)
        if number == packets // 10:
            settled = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - settled) * 1024
    print(
        f"{packets:,} packets of seed {seed}, {fuzz.answered:,} answered, {time.monotonic() - began_s:.0f} s, "
        f"memory grew by {grown / 2**20:.1f} MiB after the first tenth"
    )
    if grown > MEMORY_BYTES_MAX:
        sys.exit("memory is not flat")


if __name__ == "__main__":
    main()
