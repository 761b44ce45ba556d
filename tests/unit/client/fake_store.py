"""A store that answers as it is told: a gRPC server of a few lines, for what a real one does rarely."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

import grpc.aio

from fairlead.client import methods
from fairlead.client.methods import Method

Answer = Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]
Talk = Callable[[AsyncIterator[Any], grpc.aio.ServicerContext], AsyncIterator[Any]]

_UNARY = {
    method.path: method
    for method in vars(methods).values()
    if isinstance(method, Method) and method not in {methods.WATCH, methods.LEASE_KEEP_ALIVE}
}


class FakeStore(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Answers by ``answers`` and ``talks``, both by path; what is in neither is unimplemented.

    Attributes:
        calls: the path of every call, in order.
    """

    def __init__(self, tls: grpc.ServerCredentials | None = None) -> None:
        self._tls = tls
        self.answers: dict[str, Answer] = {}
        self.talks: dict[str, Talk] = {}
        self.calls: list[str] = []
        self.port = 0
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self,))

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        path = details.method
        self.calls.append(path)
        if path in self.answers:
            method = _UNARY[path]
            return grpc.unary_unary_rpc_method_handler(
                self.answers[path],
                request_deserializer=method.request.FromString,
                response_serializer=method.response.SerializeToString,
            )
        if path in self.talks:
            method = methods.WATCH if path == methods.WATCH.path else methods.LEASE_KEEP_ALIVE
            return grpc.stream_stream_rpc_method_handler(
                self.talks[path],
                request_deserializer=method.request.FromString,
                response_serializer=method.response.SerializeToString,
            )
        return None

    async def __aenter__(self) -> Self:
        if self._tls is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self._server.add_secure_port("127.0.0.1:0", self._tls)
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)


async def hang(_: Any, __: grpc.aio.ServicerContext) -> Any:
    """Never answer."""
    await asyncio.Event().wait()


def failing(*statuses: tuple[grpc.StatusCode, str], then: Any) -> Answer:
    """Fail once with each status, then answer ``then``."""
    left = list(statuses)

    async def answer(_: Any, context: grpc.aio.ServicerContext) -> Any:
        if left:
            await context.abort(*left.pop(0))
        return then

    return answer
