"""Answering a call when the member has made up its mind."""

from collections.abc import Callable
from typing import Protocol

from fairlead.api.status import status_of
from fairlead.member import Member, MemberError, Reply
from fairlead.rpc import Code


class Answerable(Protocol):
    """The part of a call that an answer needs; the gateway's calls have it too."""

    def reply(self, message: bytes) -> None:
        """Answer with one message and OK."""

    def fail(self, code: Code, detail: str) -> None:
        """Answer with an error."""


def reply_to(call: Answerable) -> Reply:
    """Return what the member calls with the outcome of a proposal made for ``call``."""

    def reply(result: bytes | Exception) -> None:
        if isinstance(result, bytes):
            call.reply(result)
        else:
            call.fail(*status_of(result))

    return reply


def read_for(call: Answerable, member: Member, make: Callable[[], bytes]) -> bytes | None:
    """Answer a linearizable read: at once if the member may, else when the leader has given its word.

    Args:
        call: who asks.
        member: who is asked.
        make: reads the applied state; what it raises is what the client is told.
    """
    if member.replica.can_read:
        return make()

    def readable(error: MemberError | None) -> None:
        if error is not None:
            call.fail(*status_of(error))
            return
        try:
            answer = make()
        except Exception as refusal:  # noqa: BLE001 - the edge maps every error, unforeseen ones too
            call.fail(*status_of(refusal))
        else:
            call.reply(answer)

    member.read(readable)
    return None
