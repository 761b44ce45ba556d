"""Slowloris by the thousand: heads that never end are cut, and everybody else is served meanwhile (8.16)."""

import asyncio
import contextlib
import resource
from collections.abc import Iterator

import pytest
from tests.unit.proxy.harness import Peer, Proxy, Upstream, eventually, running, status_of

ATTACKERS = 2000
HEAD_S = 3.0
TRICKLE_S = 0.5
CUT_WITHIN_S = 60.0
"""However busy the machine is; who is not cut trickles on for ever."""
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    """Both ends of every connection are ours."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * ATTACKERS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def begin(proxy: Proxy) -> Peer:
    attacker = await proxy.connect()
    attacker.writer.write(HALF_A_HEAD)
    return attacker


async def trickle(attackers: list[Peer]) -> None:
    """Send every head on by a byte now and then, until the proxy has had enough of all of them."""
    while living := [each for each in attackers if not each.writer.transport.is_closing()]:
        for each in living:
            each.writer.write(b"x")
        await asyncio.sleep(TRICKLE_S)


async def cut(attacker: Peer) -> None:
    """Return once the proxy has ended the connection."""
    with contextlib.suppress(ConnectionError):
        await attacker.reader.read()
    attacker.writer.transport.abort()


async def test_two_thousand_half_open_heads_are_cut_and_others_do_not_notice() -> None:
    upstream = Upstream()
    async with running(upstream, head_s=HEAD_S) as proxy, asyncio.timeout(CUT_WITHIN_S):
        stats = proxy.service.stats
        attackers = await asyncio.gather(*(begin(proxy) for _ in range(ATTACKERS)))
        async with asyncio.TaskGroup() as attack:
            attack.create_task(trickle(attackers))
            cuts = [attack.create_task(cut(each)) for each in attackers]
            client = await proxy.connect()
            answers = []
            while not all(each.done() for each in cuts):
                answers.append(status_of((await client.ask(GET))[0]))
                answers.append(status_of((await proxy.get())[0]))
            client.close()
        await eventually(lambda: stats.clients == 0)
        assert set(answers) == {200}
        assert len(upstream.heads) == len(answers), "nothing of a half head reaches a server"
        assert stats.by_class[2] == len(answers)
        assert stats.by_class[4] == ATTACKERS, "each was answered 408"
