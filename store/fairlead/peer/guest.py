"""Questions of a process that is no member yet: who are the members, before it joins."""

import asyncio
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError

from fairlead.peer.connection import Connection
from fairlead.peer.dial import Line, dial
from fairlead.peer.errors import PeerDecodeError, PeerError, PeerUnreachableError, QuestionRefusedError
from fairlead.peer.frames import FrameKind
from fairlead.peer.handlers import Handlers
from fairlead.peer.handshake import (
    NO_ID,
    PROTOCOL_VERSION,
    QUESTION_BYTES_MAX,
    Hello,
    Identity,
    StreamKind,
)
from fairlead.peer.tls import PeerTls, TlsContexts
from fairlead.peer.urls import Address, parse_url
from fairlead.peer.words import one_line
from fairlead.proto import peer_pb2 as pb

ANSWER_BYTES_MAX = 4 << 20


async def ask(
    urls: Sequence[str], method: str, payload: bytes, *, tls: PeerTls | None = None, timeout_s: float = 5.0
) -> bytes:
    """Return what a member answers, the first of ``urls`` where one does.

    Args:
        urls: peer URLs, tried in turn; the time is shared out among them.
        method: what to ask, as the member's ``answer_guest`` knows it.
        payload: the question.
        tls: the files for https URLs.
        timeout_s: for all of it.

    Raises:
        QuestionRefusedError: a member was reached, and refused.
        PeerUnreachableError: none was reached; the text says why, for each URL.
        PeerConfigError: a URL is none, or a TLS file cannot be used.
    """
    addresses = [parse_url(url) for url in urls]
    contexts = TlsContexts(tls or PeerTls())
    question = pb.Question(method=method, payload=payload).SerializeToString()
    loop = asyncio.get_running_loop()
    end_s = loop.time() + timeout_s
    errors = []
    for at, address in enumerate(addresses):
        share_s = (end_s - loop.time()) / (len(addresses) - at)
        try:
            return await _ask_one(address, question, contexts=contexts, timeout_s=share_s)
        except QuestionRefusedError:
            raise
        except PeerError as error:
            errors.append(str(error))
    raise PeerUnreachableError("; ".join(errors) or "no peer URLs were given")


async def _ask_one(address: Address, question: bytes, *, contexts: TlsContexts, timeout_s: float) -> bytes:
    ours = Identity(PROTOCOL_VERSION, NO_ID, NO_ID)
    connection = Connection(
        ours,
        Hello(ours, NO_ID, StreamKind.GUEST),
        is_removed=lambda _: False,
        frame_bytes_max=ANSWER_BYTES_MAX,
        missed_max=1,
    )
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def receive(_kind: FrameKind, payload: bytes) -> None:
        if not answered.done():
            answered.set_result(payload)

    line = Line(receive)
    try:
        async with asyncio.timeout(timeout_s):
            wire = await dial(
                line,
                address,
                connection=connection,
                contexts=contexts,
                queue_bytes_max=2 * QUESTION_BYTES_MAX,
                timeout_s=timeout_s,
            )
            try:
                wire.offer(FrameKind.QUESTION, question)
                ends: set[asyncio.Future[Any]] = {answered, line.closed}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                wire.abort(PeerUnreachableError("asked"))
    except TimeoutError as error:
        raise PeerUnreachableError(f"{address}: no answer within {timeout_s:.1f} s") from error
    if not answered.done():
        raise PeerUnreachableError(f"{address}: {line.closed.result()}")
    return _decode_answer(answered.result())


def _decode_answer(payload: bytes) -> bytes:
    try:
        wire = pb.Answer.FromString(payload)
    except DecodeError as error:
        raise PeerDecodeError("an ANSWER that cannot be read") from error
    if wire.error:
        raise QuestionRefusedError(one_line(wire.error))
    return wire.payload


def answer(payload: bytes, handlers: Handlers) -> bytes:
    """Return the payload of the ANSWER to a QUESTION.

    Raises:
        PeerDecodeError: it is none.
    """
    try:
        wire = pb.Question.FromString(payload)
    except DecodeError as error:
        raise PeerDecodeError("a QUESTION that cannot be read") from error
    try:
        answered = handlers.answer_guest(wire.method, wire.payload)
    except Exception as error:  # noqa: BLE001 - whatever it is, the guest waits to be told
        return pb.Answer(error=one_line(str(error)) or type(error).__name__).SerializeToString()
    return pb.Answer(payload=answered).SerializeToString()
