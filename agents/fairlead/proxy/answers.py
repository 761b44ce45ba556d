"""Answers that the proxy gives itself: what went wrong, in JSON, as vulcand says it."""

from http import HTTPStatus

from fairlead.proxy.middleware import Answer
from fairlead.proxy.request import BY_LENGTH
from fairlead.proxy.response import Response

_ADDED = {
    405: [(b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")],
    503: [(b"Retry-After", b"1")],
}
_NEW_PHRASES = {413: b"Content Too Large", 499: b"Client Closed Request"}
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus} | _NEW_PHRASES


def error_answer(status: int, reason: str, *, flag: str) -> Answer:
    """Return what is answered when something went wrong; ``reason`` never holds a client's bytes."""
    fields = [(b"Content-Type", b"application/json"), *_ADDED.get(status, ())]
    return Answer(status, b'{"error":"%b"}' % reason.encode(), fields=fields, flag=flag)


def as_response(answer: Answer) -> Response:
    """Return the head of ``answer``; its body follows as it is."""
    response = Response(
        status=answer.status,
        reason=_PHRASES.get(answer.status, b"-"),
        fields=answer.fields,
        framing=BY_LENGTH,
    )
    response.length = len(answer.body)
    return response


def error_response(status: int, reason: str) -> bytes:
    """Return all of an answer after which the connection closes."""
    answer = error_answer(status, reason, flag="")
    return as_response(answer).head_for(minor=1, keep_alive=False) + answer.body
