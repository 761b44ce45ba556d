"""What the proxy sends on is read alike by whoever stands behind it, or it sends nothing."""

import random
from collections.abc import Iterable

import h11
import pytest
from tests.unit.proxy import fuzz
from tests.unit.proxy.smuggling import POST, SMUGGLED, payloads
from tests.unit.proxy.wired import Seen, Wired, by_h11

STREAMS = 1_000
"""Mutated streams in one run; ``python -m tests.unit.proxy.fuzz`` is for more."""


async def test_all_public_shapes_are_refused_or_read_alike() -> None:
    wired, rng = Wired(), random.Random(1)
    for payload in payloads():
        assert fuzz.disagreement(wired, payload, rng) == "", payload[:300]


@pytest.mark.parametrize("seed", range(4))
async def test_mutated_streams_are_refused_or_read_alike(seed: int) -> None:
    wired = Wired()
    for number in range(seed * STREAMS // 4, (seed + 1) * STREAMS // 4):
        rng = random.Random(number)
        data = fuzz.mutated(rng)
        assert fuzz.disagreement(wired, data, rng) == "", f"python -m tests.unit.proxy.fuzz --seed {number}"


class Relay(Wired):
    """A proxy that checks nothing."""

    def send(self, pieces: Iterable[bytes]) -> tuple[bytes, list[bytes], list[Seen]]:
        data = b"".join(pieces)
        return b"", [data], by_h11(data)


@pytest.mark.parametrize("end", [b"\n", b"\r\nX : y\r\n"])
def test_the_judge_notices_what_is_read_differently(end: bytes) -> None:
    """One that says yes to everything would be worth nothing."""
    data = POST[:-2] + end + b"Content-Length: 5\r\n\r\nhello" + SMUGGLED
    try:
        verdict = fuzz.disagreement(Relay(), data, random.Random(1))
    except (ValueError, h11.RemoteProtocolError) as error:
        verdict = repr(error)
    assert verdict
