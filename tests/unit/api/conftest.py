"""A real member in a temporary folder, and calls that remember what they were told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message

from fairlead.api.kv import Kv
from fairlead.member import Member, MemberConfig
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Code

M = TypeVar("M", bound=Message)


class FakeCall:
    """The handler's side of a call, without a connection."""

    path = "/test"
    peer = "test"
    deadline_s = None
    common_name = None

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.status: tuple[Code, str] | None = None
        self.is_open = True
        self.buffered_bytes = 0
        self.news = asyncio.Event()

    def metadata(self, name: str) -> str | None:
        del name
        return None

    def send(self, message: bytes) -> None:
        self.sent.append(message)
        self.news.set()

    def reply(self, message: bytes) -> None:
        self.send(message)
        self.finish()

    def finish(self, code: Code = Code.OK, detail: str = "") -> None:
        self.is_open = False
        self.status = (code, detail)
        self.news.set()

    def fail(self, code: Code, detail: str) -> None:
        self.finish(code, detail)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; it is looked at after each message."""
        async with asyncio.timeout(10):
            while not condition():
                self.news.clear()
                await self.news.wait()


class Rig:
    """A member with its KV service, for tests of the other services."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.kv = Kv(member)

    async def ask(
        self, handler: Callable[[bytes, Any], bytes | None], request: Message, answer: type[M]
    ) -> M:
        """Call a unary handler; return its decoded answer."""
        call = FakeCall()
        at_once = handler(request.SerializeToString(), call)
        if at_once is None:
            await call.until(lambda: not call.is_open)
            assert call.status == (Code.OK, ""), call.status
            at_once = call.sent[0]
        return answer.FromString(at_once)

    async def put(self, key: bytes, value: bytes = b"v", **fields: Any) -> int:
        request = pb.PutRequest(key=key, value=value, **fields)
        return (await self.ask(self.kv.put, request, pb.PutResponse)).header.revision

    async def delete(self, key: bytes) -> int:
        request = pb.DeleteRangeRequest(key=key)
        return (await self.ask(self.kv.delete_range, request, pb.DeleteRangeResponse)).header.revision

    async def compact(self, revision: int) -> None:
        request = pb.CompactionRequest(revision=revision, physical=True)
        await self.ask(self.kv.compact, request, pb.CompactionResponse)


def _unexpected(error: Exception) -> None:
    raise AssertionError("the disk failed") from error


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A started member."""
    member = await Member.start(MemberConfig(data_dir=tmp_path / "data"), on_fatal=_unexpected)
    yield Rig(member)
    await member.stop()
