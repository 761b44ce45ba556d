"""``python -m tests.unit.proxy.fuzz --seconds N [--seed S]``: mutated requests, and whether all read them alike.

For each stream of a client: either it is refused, or what every server connection got is read by a strict reader,
by h11 and by llhttp as the same requests.  A failure prints the seed and the bytes.
"""

import asyncio
import random
import re
import time
from collections.abc import Iterator

import click
import httptools
from tests.unit.proxy.smuggling import payloads
from tests.unit.proxy.wired import Wired, by_h11, by_llhttp, strictly

_CORPUS = [each for each in payloads() if len(each) < 2000]
_WORDS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\x0b", b";", b",", b"0", b"5", b"\xff", b"chunked", b"identity",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"Connection: close\r\n", b"0\r\n\r\n",
    b"\r\n\r\n", b"HTTP/1.0", b"HTTP/1.1", b"Expect: 100-continue\r\n", b"Upgrade: x\r\n", b"_", b"+", b"-", b"0x",
]  # fmt: skip

_FINAL = re.compile(rb"HTTP/1\.1 [2-5][0-9][0-9] ")


def mutated(rng: random.Random) -> bytes:
    """Return a stream that is one of the known ones with a few wounds."""
    data = bytearray(rng.choice(_CORPUS))
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                data[at:at] = rng.choice(_WORDS)
            case 1:
                del data[at : at + rng.choice((1, 1, 2, 5))]
            case 2:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 3:
                lines = bytes(data).split(b"\r\n")
                lines.insert(rng.randrange(len(lines)), rng.choice(lines))
                data[:] = b"\r\n".join(lines)
            case _:
                other = rng.choice(_CORPUS)
                data[at:] = other[rng.randrange(len(other)) :]
    return bytes(data)


def cut(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Yield ``data`` as it may arrive: at once, in pieces, or byte by byte."""
    step = rng.choice((len(data), len(data), 1, 7, 64)) or 1
    for start in range(0, len(data), step):
        yield data[start : start + step]


def disagreement(wired: Wired, data: bytes, rng: random.Random) -> str:
    """Return who reads differently what was made of ``data``; empty when nobody does."""
    answer, received, seen = wired.send(cut(data, rng))
    found = [request for each in received for request in strictly(each)]
    if found != seen:
        return f"answered {seen}, but forwarded {found}"
    for each in received:
        if (other := by_h11(each)) != strictly(each):
            return f"h11 reads {other}"
        try:
            other = by_llhttp(each)
        except httptools.HttpParserInvalidMethodError:
            continue  # It knows a list of methods; who refuses a request reads nothing else in its place.
        except httptools.HttpParserError as error:
            return f"llhttp does not read it: {error!r}"
        except httptools.HttpParserUpgrade:
            continue
        if other != strictly(each):
            return f"llhttp reads {other}"
    return "" if len(_FINAL.findall(answer)) <= len(seen) + 1 else "more answers than requests"


@click.command()
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(seconds: float, seed: int) -> None:
    """Run until the time is up, or until somebody disagrees."""
    asyncio.run(_run(seconds, seed))


async def _run(seconds: float, seed: int) -> None:
    wired, started_s, count = Wired(), time.monotonic(), 0
    while time.monotonic() - started_s < seconds:
        rng = random.Random(seed + count)
        data = mutated(rng)
        if why := disagreement(wired, data, rng):
            raise SystemExit(f"seed {seed + count}: {why}\n{data!r}")
        count += 1
    print(f"{count} streams, seeds {seed} to {seed + count - 1}: all read alike")


if __name__ == "__main__":
    main()
