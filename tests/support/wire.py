"""Raw gRPC calls through grpcio, a stack nobody here wrote, with the messages of ``fairlead.proto``."""

import queue
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import grpc
from google.protobuf.message import Message

from fairlead.proto import rpc_pb2

TIMEOUT_S = 10.0
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

_SERVICES = {
    method.name: f"/{service.full_name}/{method.name}"
    for service in rpc_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
_ANSWERS = {
    method.name: getattr(rpc_pb2, method.output_type.name)
    for service in rpc_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


class Answer(NamedTuple):
    """What a call gave: a message, or a status that is not OK."""

    message: Message | None
    code: str = "OK"
    detail: str = ""


class Stream:
    """A bidirectional stream whose sending side stays open until it is closed."""

    answers: Any

    def __init__(self) -> None:
        self.outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()

    def send(self, message: Message) -> None:
        """Send one message."""
        self.outbox.put(message)

    def half_close(self) -> None:
        """Say that no more will be sent."""
        self.outbox.put(None)

    def next(self) -> Any:
        """Wait for the next message from the store."""
        return next(self.answers)

    def cancel(self) -> None:
        """End the stream."""
        self.half_close()
        self.answers.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


class Wire:
    """One connection to a store; methods are named as in the .proto (``"Put"``, ``"LeaseGrant"``)."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address, options=_ANY_SIZE)

    def call(self, method: str, request: Message, *, timeout_s: float = TIMEOUT_S) -> Answer:
        """Make a unary call; a status that is not OK is an answer too."""
        try:
            return Answer(self._unary(method)(request, timeout=timeout_s))
        except grpc.RpcError as error:
            return Answer(None, error.code().name, error.details())

    def begin(self, method: str, request: Message, *, timeout_s: float = TIMEOUT_S) -> Callable[[], Message]:
        """Send a unary call that must succeed; what is returned waits for its message."""
        wait: Callable[[], Message] = self._unary(method).future(request, timeout=timeout_s).result
        return wait

    def get(self, method: str, request: Message) -> Any:
        """Make a unary call that must succeed and return its message."""
        answer = self.call(method, request)
        assert answer.message is not None, f"{method}: {answer.code} {answer.detail}"
        return answer.message

    def open(self, method: str, *first: Message) -> "Stream":
        """Open a bidirectional stream and send ``first``."""
        stream = Stream()
        for message in first:
            stream.send(message)
        connect = self._channel.stream_stream(
            _SERVICES[method],
            request_serializer=_encode,
            response_deserializer=_ANSWERS[method].FromString,
        )
        stream.answers = connect(iter(stream.outbox.get, None))
        return stream

    def revision(self) -> int:
        """The store's current revision, by a linearizable read."""
        return int(self.get("Range", rpc_pb2.RangeRequest(key=b"\0", count_only=True)).header.revision)

    def _unary(self, method: str) -> Any:
        return self._channel.unary_unary(
            _SERVICES[method],
            request_serializer=_encode,
            response_deserializer=_ANSWERS[method].FromString,
        )

    def close(self) -> None:
        """Close the connection; streams on it end."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _encode(message: Message) -> bytes:
    return message.SerializeToString()
