"""The query log: a fair sample, whatever the packets are."""

import random
from typing import Any

import dns.message
import pytest
from tests.unit.dns.site import Site

from fairlead.dns.client import Transport
from fairlead.dns.query_log import LINES_PER_S_MAX, QueryLog


class Lines:
    def __init__(self, share: float = 1.0) -> None:
        self.now_s = 0.0
        self.written: list[dict[str, Any]] = []
        self.log = QueryLog(self._write, share, rng=random.Random(1), monotonic=lambda: self.now_s)

    def _write(self, event: str, **fields: Any) -> None:
        self.written.append({"event": event, **fields})


def test_a_line_says_who_asked_what_and_what_came_of_it() -> None:
    lines, site = Lines(), Site({"web.skydns.test": {"host": "10.0.0.1"}})
    packet = dns.message.make_query("WEB.skydns.test", "A", want_dnssec=True).to_wire()
    lines.log.write(packet, site.send(packet), "192.0.2.1", Transport.UDP)
    assert lines.written == [{
        "event": "query", "client": "192.0.2.1", "transport": "udp", "bytes": 44, "name": "web.skydns.test.", "type": "A",
        "rd": True, "do": True, "rcode": "NOERROR", "answer_bytes": 60, "tc": False,
    }]  # fmt: skip


@pytest.mark.parametrize("packet", [b"", b"x" * 11, bytes(12), b"\xff" * 40])
def test_a_packet_that_is_no_query_has_a_line_too(packet: bytes) -> None:
    lines = Lines()
    lines.log.write(packet, None, "192.0.2.1", Transport.TCP)
    assert lines.written[0]["malformed"] is True


def test_a_share_of_all_is_picked_and_each_place_is_as_likely() -> None:
    log = Lines(0.05).log
    picks = [place for _ in range(20_000) for place in log.pick(10)]
    assert 9_000 < len(picks) < 11_000
    assert all(800 < picks.count(place) < 1_200 for place in range(10))


def test_a_share_of_one_picks_every_query() -> None:
    log = Lines().log
    assert [log.pick(count) for count in (3, 1, 0, 2)] == [[0, 1, 2], [0], [], [0, 1]]


def test_lines_are_bounded_in_a_second() -> None:
    lines = Lines()
    for _ in range(LINES_PER_S_MAX + 10):
        lines.log.write(b"", None, "192.0.2.1", Transport.UDP)
    assert (len(lines.written), lines.log.suppressed) == (LINES_PER_S_MAX, 10)
    lines.now_s = 1.0
    lines.log.write(b"", None, "192.0.2.1", Transport.UDP)
    assert len(lines.written) == LINES_PER_S_MAX + 1
