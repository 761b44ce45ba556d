"""A site that gives whole zones, and dnspython as its secondary."""

import ipaddress

import dns.message
import dns.rcode
import dns.rdatatype
import dns.xfr
import dns.zone
from tests.unit.dns.site import Asker, Site

from fairlead.dns import names
from fairlead.dns.client import Transport
from fairlead.dns.transfer import SignedAnswerer, TransferLimits, Transfers, TransferSettings
from fairlead.dns.transfer.keyring import SharedKey

NOW_S = 1_800_000_000
KEY = SharedKey(names.from_text("k1.example"), "hmac-sha256", b"0123456789abcdef" * 2)
RECORDS: dict[str, object] = {
    "a.ns.dns.skydns.test": {"host": "10.0.0.53"},
    "1.web.skydns.test": {"host": "10.0.0.1", "port": 80},
    "2.web.skydns.test": {"host": "10.0.0.2", "port": 80},
    "www.skydns.test": {"host": "web.skydns.test"},
    "ext.skydns.test": {"host": "www.example.com"},
    "both.skydns.test": {"host": "www.skydns.test", "text": "and a text"},
    "out.skydns.test": {"host": "www.example.com", "text": "and a text"},
    "svc.skydns.test": {"host": "web.skydns.test", "port": 8080},
    "note.skydns.test": {"text": "hello"},
    "x.mail.skydns.test": {"host": "web.skydns.test", "mail": True},
    "caa.skydns.test": {"caa": '0 issue "ca.example"', "records": ["TYPE65280 \\# 2 abcd"]},
    "*.apps.skydns.test": {"host": "10.0.0.9"},
    "sub.skydns.test": {"ns": ["ns1.sub.skydns.test", "ns.example.com"], "ds": "1 13 2 " + "AB" * 32},
    "ns1.sub.skydns.test": {"host": "10.1.0.1"},
    "hidden.sub.skydns.test": {"host": "10.1.0.2"},
}


class PrimarySite(Site):
    """A site that gives whole zones."""

    def __init__(
        self,
        records: dict[str, object] | None = None,
        *,
        settings: TransferSettings | None = None,
        limits: TransferLimits | None = None,
        is_signed: bool = False,
        **options: object,
    ) -> None:
        super().__init__(RECORDS if records is None else records, **options)  # type: ignore[arg-type]
        settings = settings or TransferSettings(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
        self.transfers = Transfers(
            settings,
            limits or TransferLimits(),
            tree=self.model.tree,
            zones=self.model.zones,
            is_signed_here=lambda _: is_signed,
        )
        self.responder.hooks.transfer = self.transfers.answer
        self.answerer = SignedAnswerer(self.responder, settings.keyring, clock=lambda: NOW_S, fudge_s=300)

    def transfer(self, query: dns.message.Message, *, ip: str = "127.0.0.1") -> list[bytes]:
        asker = Asker(Transport.TCP, ip=ip)
        response = self.answerer.respond(query.to_wire(), asker)
        assert response is not None
        return [response] if response else asker.sent

    def axfr(self, zone: str = "skydns.test", **options: str) -> dns.zone.Zone:
        query = dns.message.make_query(zone, "AXFR")
        return read(self.transfer(query, **options), zone)


def read(messages: list[bytes], origin: str) -> dns.zone.Zone:
    zone = dns.zone.Zone(origin, relativize=False)
    with dns.xfr.Inbound(zone, rdtype=dns.rdatatype.AXFR) as inbound:
        for number, message in enumerate(messages, 1):
            is_done = inbound.process_message(dns.message.from_wire(message, xfr=True))
            assert is_done == (number == len(messages))
    zone.check_origin()
    return zone


def lines(zone: dns.zone.Zone) -> list[str]:
    return sorted(
        f"{name} {rdataset.ttl} {dns.rdatatype.to_text(rdataset.rdtype)} {rdata}"
        for name, rdataset in zone.iterate_rdatasets()
        for rdata in rdataset
        if rdataset.rdtype != dns.rdatatype.SOA
    )


def of(zone: dns.zone.Zone, name: str) -> list[str]:
    return [line.partition(" ")[2].partition(" ")[2] for line in lines(zone) if line.startswith(f"{name}. ")]


def refused(messages: list[bytes]) -> str:
    (message,) = messages
    return dns.rcode.to_text(dns.rcode.from_flags(int.from_bytes(message[2:4], "big"), 0))
