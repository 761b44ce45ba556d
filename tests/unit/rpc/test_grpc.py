"""Timeouts and message framing, apart from any stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rpc.wire import message

from fairlead.rpc import Code, RpcError
from fairlead.rpc.grpc import Deframer, decompress_for, parsed_timeout


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1H", 3600),
        ("2M", 120),
        ("3S", 3),
        ("4m", 0.004),
        ("5u", 5e-6),
        ("6n", 6e-9),
        ("99999999S", 99999999),
    ],
)
def test_every_unit_of_a_timeout(text: str, seconds: float) -> None:
    assert parsed_timeout(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "S", "5", "5s", "-1S", "1.5S", "123456789S", "5S ", "٣S"])
def test_what_is_no_timeout(text: str) -> None:
    with pytest.raises(RpcError) as caught:
        parsed_timeout(text)
    assert caught.value.code is Code.INTERNAL


@given(st.lists(st.binary(max_size=200), max_size=20), st.lists(st.integers(1, 50), min_size=1, max_size=50))
def test_messages_come_out_as_they_went_in_however_they_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    deframer = Deframer(200, decompress_for(None))
    data = b"".join(map(message, sent))
    found: list[bytes] = []
    turn = 0
    while data:
        size = cuts[turn % len(cuts)]
        found += deframer.feed(data[:size])
        data = data[size:]
        turn += 1
    assert found == sent
    assert deframer.held_bytes == 0
