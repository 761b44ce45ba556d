"""The JSON gateway: the same services over HTTP POST, as grpc-gateway serves them for etcd.

Output is proto3 JSON with the names of the .proto files, defaults omitted, 64-bit numbers as strings and
bytes in base64.  Errors carry the fields of etcd 3.5 and of 3.6 side by side, so that clients of either
find theirs.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.message import Message

from fairlead.api.status import status_of
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Call, Code, HttpReply, HttpRequest, Stream, StreamHandler, Unary

_JSON = (("content-type", "application/json"),)
HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
_REASON = {400: "Bad Request", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error",
           501: "Not Implemented", 503: "Service Unavailable", 504: "Gateway Timeout"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the gateway."""

    method: str
    request: type[Message]
    response: type[Message]


def _endpoints(service: str, paths: Mapping[str, str]) -> dict[str, Endpoint]:
    return {
        "/v3/" + path: Endpoint(
            f"/etcdserverpb.{service}/{name}",
            getattr(pb, _MESSAGE_NAMES.get(name, name) + "Request"),
            getattr(pb, _MESSAGE_NAMES.get(name, name) + "Response"),
        )
        for path, name in paths.items()
    }


# Methods whose messages bear another name.
_MESSAGE_NAMES = {"Compact": "Compaction"}

ENDPOINTS: dict[str, Endpoint] = {
    **_endpoints("KV", {
        "kv/range": "Range", "kv/put": "Put", "kv/deleterange": "DeleteRange", "kv/txn": "Txn",
        "kv/compaction": "Compact",
    }),
    **_endpoints("Watch", {"watch": "Watch"}),
    **_endpoints("Lease", {
        "lease/grant": "LeaseGrant", "lease/revoke": "LeaseRevoke", "lease/timetolive": "LeaseTimeToLive",
        "lease/leases": "LeaseLeases", "lease/keepalive": "LeaseKeepAlive", "kv/lease/revoke": "LeaseRevoke",
        "kv/lease/timetolive": "LeaseTimeToLive", "kv/lease/leases": "LeaseLeases",
    }),
    **_endpoints("Cluster", {
        "cluster/member/list": "MemberList", "cluster/member/add": "MemberAdd",
        "cluster/member/remove": "MemberRemove", "cluster/member/update": "MemberUpdate",
        "cluster/member/promote": "MemberPromote",
    }),
    **_endpoints("Maintenance", {
        "maintenance/status": "Status", "maintenance/alarm": "Alarm", "maintenance/defragment": "Defragment",
        "maintenance/hash": "HashKV", "maintenance/hashkv": "HashKV",
        "maintenance/transfer-leadership": "MoveLeader", "maintenance/downgrade": "Downgrade",
    }),
}  # fmt: skip


class Gateway:
    """Serves ``/v3/...`` by calling the handlers of the gRPC methods.

    Args:
        routes: the gRPC methods by path.
        body_bytes_max: a larger request body is refused.
    """

    def __init__(self, routes: Mapping[str, Unary | Stream], *, body_bytes_max: int) -> None:
        self._routes = routes
        self._body_bytes_max = body_bytes_max

    def serve(self, path: str, request: HttpRequest, reply: HttpReply) -> None:
        """Answer one request whose path begins with ``/v3/``."""
        endpoint = ENDPOINTS.get(path)
        route = self._routes.get(endpoint.method) if endpoint is not None else None
        if endpoint is None or route is None:
            _refuse(reply, Code.NOT_FOUND, "Not Found")
        elif request.method != "POST":
            _refuse(reply, Code.UNIMPLEMENTED, "Method Not Allowed")
        elif isinstance(route, Unary):
            _serve_unary(route, endpoint, request, reply, body_bytes_max=self._body_bytes_max)
        else:
            _serve_stream(route, endpoint, request, reply, body_bytes_max=self._body_bytes_max)


def _serve_unary(
    route: Unary, endpoint: Endpoint, request: HttpRequest, reply: HttpReply, *, body_bytes_max: int
) -> None:
    body = bytearray()
    call = GatewayCall(endpoint, request, reply)

    def on_data(data: bytes) -> None:
        body.extend(data)
        if len(body) > body_bytes_max and reply.is_open:
            _refuse(reply, Code.RESOURCE_EXHAUSTED, f"request body is larger than {body_bytes_max} bytes")

    def on_end() -> None:
        if not reply.is_open:
            return
        try:
            message = _parse(endpoint, bytes(body) or b"{}")
        except (ValueError, json_format.ParseError) as error:
            _refuse(reply, Code.INVALID_ARGUMENT, str(error))
            return
        try:
            answer = route.handler(message, cast("Call", call))
        except Exception as error:  # noqa: BLE001  # the edge: every error becomes an answer
            call.fail(*status_of(error))
            return
        if answer is not None:
            call.reply(answer)

    request.on_data, request.on_end = on_data, on_end


def _serve_stream(
    route: Stream, endpoint: Endpoint, request: HttpRequest, reply: HttpReply, *, body_bytes_max: int
) -> None:
    call = GatewayCall(endpoint, request, reply)
    handler: StreamHandler = route.open(cast("Call", call))
    decoder = JsonStream(body_bytes_max)

    def guarded(step: Callable[[], None]) -> None:
        if not call.is_open:
            return
        try:
            step()
        except (ValueError, json_format.ParseError) as error:
            call.fail(Code.INVALID_ARGUMENT, str(error))
        except Exception as error:  # noqa: BLE001  # the edge: every error becomes an answer
            call.fail(*status_of(error))

    def feed(data: bytes) -> None:
        for value in decoder.feed(data):
            handler.on_message(_encode(endpoint, value))

    request.on_data = lambda data: guarded(lambda: feed(data))
    request.on_end = lambda: guarded(handler.on_half_close)
    request.on_cancel = handler.on_cancel


class JsonStream:
    """Cuts concatenated JSON values out of a stream of bytes."""

    def __init__(self, bytes_max: int) -> None:
        self._decoder = json.JSONDecoder()
        self._pending = b""
        self._bytes_max = bytes_max

    def feed(self, data: bytes) -> list[Any]:
        """Take more bytes; return the values that are complete.

        Raises:
            ValueError: a value is larger than the limit, or cannot become JSON.
        """
        self._pending = (self._pending + data).lstrip()
        values = []
        while self._pending:
            try:
                text = self._pending.decode()
                value, end = self._decoder.raw_decode(text)
            except ValueError:
                # Incomplete, or wrong: only the end of the body or the limit can tell.
                if len(self._pending) > self._bytes_max:
                    raise
                break
            values.append(value)
            self._pending = text[end:].lstrip().encode()
        return values


class GatewayCall:
    """A call whose messages travel as JSON over HTTP; to a handler it is a ``Call`` like any other."""

    def __init__(self, endpoint: Endpoint, request: HttpRequest, reply: HttpReply) -> None:
        self.path = endpoint.method
        self.peer = request.peer
        self.deadline_s = None
        self.common_name = None
        self._endpoint = endpoint
        self._request = request
        self._reply = reply
        self._started = False

    def metadata(self, name: str) -> str | None:
        """Return a request header, or what ``Grpc-Metadata-NAME`` carries."""
        headers = self._request.headers
        return headers.get(name) or headers.get("grpc-metadata-" + name)

    @property
    def is_open(self) -> bool:
        """Whether the client still listens."""
        return self._reply.is_open

    @property
    def buffered_bytes(self) -> int:
        """What waits to be sent."""
        return self._reply.buffered_bytes

    def reply(self, message: bytes) -> None:
        """Answer with one message."""
        if self._reply.is_open:
            self._reply.send(200, _JSON, _dump(_to_dict(self._endpoint, message)))

    def fail(self, code: Code, detail: str, *, trailers: Any = ()) -> None:
        """Answer with an error; in the middle of a stream it is the last line."""
        del trailers
        if not self._reply.is_open:
            return
        if not self._started:
            _refuse(self._reply, code, detail)
            return
        status = HTTP_STATUS.get(code, 500)
        error = {"grpc_code": int(code), "http_code": status, "message": detail,
                 "http_status": _REASON.get(status, "Error"), "code": int(code)}  # fmt: skip
        self._reply.write(_dump({"error": error}) + b"\n")
        self._reply.end()

    def send(self, message: bytes) -> None:
        """Send one message of a stream, as a line."""
        if not self._reply.is_open:
            return
        if not self._started:
            self._started = True
            self._reply.start(200, _JSON)
        self._reply.write(_dump({"result": _to_dict(self._endpoint, message)}) + b"\n")

    def finish(self, code: Code = Code.OK, detail: str = "") -> None:
        """End a stream."""
        if code != Code.OK:
            self.fail(code, detail)
        elif self._reply.is_open:
            if not self._started:
                self._reply.start(200, _JSON)
            self._reply.end()


def _parse(endpoint: Endpoint, body: bytes) -> bytes:
    return _encode(endpoint, json.loads(body))


def _encode(endpoint: Endpoint, value: Any) -> bytes:
    if not isinstance(value, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004  # a client's mistake, not a bug of types
    return json_format.ParseDict(value, endpoint.request(), ignore_unknown_fields=True).SerializeToString()


def _to_dict(endpoint: Endpoint, message: bytes) -> dict[str, Any]:
    # Typed as Any by protobuf's stubs.
    decoded: dict[str, Any] = json_format.MessageToDict(
        endpoint.response.FromString(message), preserving_proto_field_name=True
    )
    return decoded


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _refuse(reply: HttpReply, code: Code, detail: str) -> None:
    error = {"error": detail, "code": int(code), "message": detail}
    reply.send(HTTP_STATUS.get(code, 500), _JSON, _dump(error))
