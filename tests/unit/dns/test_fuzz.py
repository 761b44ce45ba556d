"""Thousands of broken packets: each gets a proper answer or none, and none takes the server along.

``python -m tests.tools.fuzz_dns`` sends a million.
"""

import pytest
from tests.tools.fuzz_dns import RECORDS, Fuzz, seeds
from tests.unit.dns.site import Site

PACKETS = 8_000


@pytest.mark.parametrize("seed", range(2))
def test_whatever_comes_in_only_proper_answers_go_out(seed: int) -> None:
    fuzz = Fuzz(seed)
    for number in range(PACKETS):
        fuzz.step(number)
    assert fuzz.answered > PACKETS // 2
    assert len(fuzz.site.model.table.entries) < 2_000


@pytest.mark.parametrize("packet", seeds()[::9])
def test_a_query_cut_anywhere_is_an_error_and_no_more(packet: bytes) -> None:
    site = Site(RECORDS)
    for length in range(12, len(packet)):
        response = site.send(packet[:length])
        assert response is not None
        assert response[3] & 0xF == 1, "a format error"
