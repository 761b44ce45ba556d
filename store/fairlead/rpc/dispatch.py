"""From a request's head to the kind of stream that answers it, decided once for every distinct head."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from fairlead.http2 import Stream
from fairlead.rpc import grpc
from fairlead.rpc.call import Call, RefusedCall, StreamCall, UnaryCall
from fairlead.rpc.codes import Code
from fairlead.rpc.deadlines import Wheel
from fairlead.rpc.errors import RpcError
from fairlead.rpc.h2 import Http2Connection
from fairlead.rpc.headers import RequestHead
from fairlead.rpc.http import HttpApp
from fairlead.rpc.http_stream import HttpStream
from fairlead.rpc.limits import Limits
from fairlead.rpc.routes import Route, StreamHandler, Unary

StatusOf = Callable[[BaseException], tuple[Code, str]]

_UNKNOWN: Final = "unknown"
"""Under which name the metrics count methods that do not exist, so that clients cannot invent series."""


class Service:
    """What every connection of a server shares.

    Args:
        routes: gRPC methods by full path.
        http: answers everything that is not gRPC.
        status_of: the status that an exception of a handler stands for.
        on_error: told of exceptions that are not RpcError, for the log.
        limits: the port's limits.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        http: HttpApp,
        *,
        status_of: StatusOf,
        on_error: Callable[[BaseException], None],
        limits: Limits,
    ) -> None:
        self._routes = routes
        self._services = {path.rsplit("/", 1)[0].lstrip("/") for path in routes}
        self._status_of = status_of
        self.http = http
        self.on_error = on_error
        self.limits = limits
        self.deadlines = Wheel()
        self.date = b"Thu, 01 Jan 1970 00:00:00 GMT"
        """The Date field of HTTP answers; whoever has a clock sets it."""
        self.handled = {path: [0] * len(Code) for path in (*routes, _UNKNOWN)}
        """Calls that have ended, by method and code."""

    def status_for(self, error: Exception) -> tuple[Code, str]:
        """Return the status for what a handler raised, having reported what it did not mean to raise."""
        if isinstance(error, RpcError):
            return error.code, error.detail
        code, detail = self._status_of(error)
        self.on_error(error)
        return code, detail

    def resolve(self, head: RequestHead) -> Callable[[Http2Connection, int], Stream]:
        """Return what makes the stream that answers ``head``."""
        content_type = head.fields.get("content-type", "")
        if head.list_bytes > self.limits.header_bytes_max or not _is_grpc(content_type):
            return partial(HttpStream, self, head)
        opening = Opening(self, head, self._routes.get(head.path))
        return partial(opening.kind, opening)

    def unknown(self, path: str) -> RpcError:
        """Return the refusal of a method that does not exist, in grpc-go's words."""
        service, _, method = path.lstrip("/").rpartition("/")
        if service in self._services:
            return RpcError(Code.UNIMPLEMENTED, f"unknown method {method[:256]} for service {service}")
        return RpcError(Code.UNIMPLEMENTED, f"unknown service {service[:256]}")


def _is_grpc(content_type: str) -> bool:
    """Whether a request is gRPC: ``application/grpc``, with ``+proto``, ``+json`` or parameters after it."""
    return content_type[:16] == "application/grpc" and content_type[16:17] in {"", "+", ";"}


class Opening:
    """Everything that calls with one and the same head share."""

    __slots__ = (
        "bytes_max",
        "decompress",
        "handled",
        "handler",
        "head",
        "kind",
        "open_stream",
        "refusal",
        "service",
        "timeout_s",
    )

    def __init__(self, service: Service, head: RequestHead, route: Route | None) -> None:
        self.service = service
        self.head = head
        self.bytes_max = service.limits.message_bytes_max
        self.handled = service.handled[_UNKNOWN if route is None else head.path]
        self.kind: type[Call] = RefusedCall
        self.refusal: RpcError | None = None
        self.timeout_s: float | None = None
        self.decompress: grpc.Decompress
        self.handler: Callable[[bytes, Call], bytes | None]
        self.open_stream: Callable[[Call], StreamHandler]
        try:
            self._accept(route)
        except RpcError as refusal:
            self.refusal = refusal

    def _accept(self, route: Route | None) -> None:
        fields = self.head.fields
        if self.head.method != "POST":
            raise RpcError(Code.INTERNAL, f'Received a HEADERS frame with :method "{self.head.method}"')
        if route is None:
            raise self.service.unknown(self.head.path)
        timeout = fields.get("grpc-timeout")
        self.decompress = grpc.decompress_for(fields.get("grpc-encoding"))
        self.timeout_s = None if timeout is None else grpc.parsed_timeout(timeout)
        if isinstance(route, Unary):
            self.kind = UnaryCall
            self.handler = route.handler
        else:
            self.kind = StreamCall
            self.open_stream = route.open
