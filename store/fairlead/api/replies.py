"""Answering a call when the member has made up its mind."""

from typing import Protocol

from fairlead.api.status import status_of
from fairlead.member.replica import Reply
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
