"""Questions of a process that is no member yet."""

import asyncio

import pytest
from tests.e2e.peer.world import World

from fairlead.peer import PeerConfigError, PeerUnreachableError, QuestionRefusedError, ask


async def test_a_guest_gets_an_answer(world: World) -> None:
    one = await world.member(1)
    assert await ask([one.url], "echo", b"abc") == b"cba"
    assert one.heard.messages == []


async def test_the_first_that_answers_is_enough(world: World) -> None:
    one = await world.member(1)
    assert await ask(["http://127.0.0.1:1", one.url], "echo", b"abc") == b"cba"


async def test_a_refusal_is_the_members_own_words(world: World) -> None:
    one = await world.member(1)
    with pytest.raises(QuestionRefusedError, match="nobody knows secrets"):
        await ask([one.url], "secrets", b"")


async def test_nobody_there_is_said_for_each_address() -> None:
    with pytest.raises(
        PeerUnreachableError, match=r"127.0.0.1:1: connection refused; http://127.0.0.1:2: connection"
    ):
        await ask(["http://127.0.0.1:1", "http://127.0.0.1:2"], "echo", b"")
    with pytest.raises(PeerUnreachableError, match="no peer URLs were given"):
        await ask([], "echo", b"")


async def test_one_that_never_answers_leaves_time_for_the_next(world: World) -> None:
    one = await world.member(1)
    held: list[asyncio.StreamWriter] = []
    mute = await asyncio.start_server(lambda _reader, writer: held.append(writer), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{mute.sockets[0].getsockname()[1]}"
    assert await ask([url, one.url], "echo", b"abc", timeout_s=1.0) == b"cba"
    with pytest.raises(PeerUnreachableError, match=r"no answer within 0\.1 s"):
        await ask([url], "echo", b"abc", timeout_s=0.1)
    mute.close()
    for writer in held:
        writer.close()


async def test_another_version_cannot_be_asked(world: World) -> None:
    one = await world.member(1, version=2)
    with pytest.raises(PeerUnreachableError, match="speaks version 2 of the peer protocol, this one 1"):
        await ask([one.url], "echo", b"")


async def test_a_question_has_a_limit(world: World) -> None:
    """Nobody knows who a guest is."""
    one = await world.member(1)
    with pytest.raises(PeerUnreachableError):
        await ask([one.url], "echo", bytes(70_000))
    assert one.transport.counters.refused == {"PeerDecodeError": 1}


async def test_what_is_no_url_is_said_before_anything_is_dialled() -> None:
    with pytest.raises(PeerConfigError, match="is no peer URL"):
        await ask(["127.0.0.1:2380"], "echo", b"")
