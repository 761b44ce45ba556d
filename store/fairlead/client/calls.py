"""One call, as many attempts as it may have: failover, retries where safe, and the user's token.

When may a call be repeated?

* Nothing was sent: always.  gRPC says so by "failed to connect to all addresses".
* The store refused the token: always, with a new one.  It decides that before it does anything.
* The answer was lost (UNAVAILABLE, or no answer in time): only what ``Method.is_read`` allows.  A write may
  have been applied, so the caller is told, and decides.  These are clientv3's rules.

gRPC's statuses become this package's errors here and nowhere else.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

from fairlead.client import methods
from fairlead.client.channels import Channels
from fairlead.client.config import Credentials, Endpoint, Patience
from fairlead.client.errors import AuthError, ClientError, CompactedError, RequestError, UnavailableError
from fairlead.client.methods import Method, RequestT, ResponseT
from fairlead.client.quiet_grpc import grpc
from fairlead.proto import rpc_pb2

ResultT = TypeVar("ResultT")
Metadata = tuple[tuple[str, str], ...]
Attempt = Callable[[grpc.aio.Channel, Metadata, float], Awaitable[ResultT]]
"""Given a channel, metadata and the seconds it may take: one attempt."""

_NOT_CONNECTED = "failed to connect to all addresses"
# etcd's texts (api/v3rpc/rpctypes/error.go).
_STALE_TOKEN = ("invalid auth token", "revision of auth store is old")
_NO_AUTH = "authentication is not enabled"
_NO_USER = "user name is empty"
_COMPACTED = "required revision has been compacted"
# Sent with code UNKNOWN by a leader that has just stopped being one.
_NOT_PRIMARY = "not a primary lessor"
_NOT_TRUSTED = "CERTIFICATE_VERIFY_FAILED"
_HANDSHAKES = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS there: write http:// instead of https://",
    "Failed to create security handshaker": "the TLS files cannot be used: check --cacert, --cert and --key",
    "Socket closed": "it closed the connection: check http:// or https://, and --cert and --key",
}
_HINTS = {
    "authentication failed": "check the name and the password of --user NAME:PASSWORD",
    _NO_USER: "the store asks for a user: give --user NAME:PASSWORD",
    "permission denied": "grant the user's role the key range: etcdctl role grant-permission ROLE read KEY --prefix",
    _STALE_TOKEN[0]: "the store does not know the user's token: check --user NAME:PASSWORD",
}


class Caller:
    """Makes calls to whichever endpoint answers."""

    def __init__(
        self,
        channels: Channels,
        *,
        credentials: Credentials | None,
        patience: Patience,
        rng: random.Random,
    ) -> None:
        """Make a caller over ``channels``; nothing is sent yet."""
        self.channels = channels
        self.patience = patience
        self.rng = rng
        self._credentials = credentials
        self._token: str | None = None
        self._signing_in = asyncio.Lock()

    async def call(
        self, method: Method[RequestT, ResponseT], request: RequestT, *, is_read: bool | None = None
    ) -> ResponseT:
        """Return the answer to ``request``.

        Raises:
            ClientError: whichever of errors.py fits.
        """

        async def attempt(channel: grpc.aio.Channel, metadata: Metadata, timeout_s: float) -> ResponseT:
            answer: ResponseT = await _unary(channel, method)(request, metadata=metadata, timeout=timeout_s)
            return answer

        return await self.run(attempt, is_read=method.is_read if is_read is None else is_read)

    async def call_at(
        self, endpoint: Endpoint, method: Method[RequestT, ResponseT], request: RequestT
    ) -> ResponseT:
        """Return the answer of that one endpoint, for calls about a member rather than the store."""
        try:
            answer: ResponseT = await _unary(self.channels.channel(endpoint), method)(
                request, metadata=await self.metadata(), timeout=self.patience.timeout_s
            )
        except grpc.aio.AioRpcError as error:
            raise_for((endpoint.url,), error, is_read=method.is_read)
        return answer

    async def run(self, attempt: Attempt[ResultT], *, is_read: bool) -> ResultT:
        """Return what ``attempt`` returns at the first endpoint that answers it."""
        clock_s = asyncio.get_running_loop().time
        deadline_s = clock_s() + self.patience.timeout_s
        count = len(self.channels.endpoints)
        tries_max = self.patience.rounds_max * count
        has_new_token = False
        for number in range(tries_max):
            endpoint = self.channels.current
            # A read keeps time for the endpoints that were not asked yet; a write is never asked twice.
            share = max(1, count - number) if is_read else 1
            try:
                metadata = await self.metadata()
                return await attempt(
                    self.channels.channel(endpoint), metadata, (deadline_s - clock_s()) / share
                )
            except grpc.aio.AioRpcError as error:
                if not has_new_token and self._is_stale(error):
                    has_new_token, self._token = True, None
                    continue
                is_over = number + 1 == tries_max or clock_s() >= deadline_s
                if not _may_repeat(error, is_read=is_read) or is_over:
                    self._leave_if_silent(endpoint, error)
                    raise_for(self.channels.urls, error, is_read=is_read)
                self.channels.leave(endpoint)
            if (number + 1) % count == 0:
                delay_s = self.patience.backoff.delay_s(number // count, rng=self.rng)
                await asyncio.sleep(max(0.0, min(delay_s, deadline_s - clock_s())))
        raise UnavailableError(self.channels.urls)

    async def metadata(self) -> Metadata:
        """Return what every call carries: the user's token, where there is a user."""
        if self._credentials is None:
            return ()
        if self._token is None:
            async with self._signing_in:
                if self._token is None:
                    self._token = await self._sign_in(self._credentials)
        return (("token", self._token),) if self._token else ()

    def forget_token(self) -> None:
        """Sign in anew before the next call."""
        self._token = None

    @property
    def has_user(self) -> bool:
        """Whether calls are made in somebody's name."""
        return self._credentials is not None

    async def _sign_in(self, credentials: Credentials) -> str:
        """Return a token; empty when the store has no users, as clientv3 does."""
        request = rpc_pb2.AuthenticateRequest(name=credentials.user, password=credentials.password)
        anonymous = Caller(self.channels, credentials=None, patience=self.patience, rng=self.rng)
        try:
            answer = await anonymous.call(methods.AUTHENTICATE, request)
        except RequestError as error:
            if _NO_AUTH in error.detail:
                return ""
            raise
        return answer.token

    def _is_stale(self, error: grpc.aio.AioRpcError) -> bool:
        return self.has_user and any(text in (error.details() or "") for text in _STALE_TOKEN)

    def _leave_if_silent(self, endpoint: Endpoint, error: grpc.aio.AioRpcError) -> None:
        if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
            self.channels.leave(endpoint)


def _unary(channel: grpc.aio.Channel, method: Method[RequestT, ResponseT]) -> Any:
    return channel.unary_unary(
        method.path,
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.response.FromString,
    )


def open_stream(
    channel: grpc.aio.Channel,
    method: Method[RequestT, ResponseT],
    *,
    metadata: Metadata,
    timeout_s: float | None = None,
) -> Any:
    """Return a bidirectional call: ``write``, ``read``, ``done_writing``, ``cancel``."""
    return channel.stream_stream(
        method.path,
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.response.FromString,
    )(metadata=metadata, timeout=timeout_s)


def _may_repeat(error: grpc.aio.AioRpcError, *, is_read: bool) -> bool:
    detail = error.details() or ""
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return is_read or detail.startswith(_NOT_CONNECTED)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return is_read
        case _:
            return is_read and _NOT_PRIMARY in detail


def raise_for(urls: tuple[str, ...], error: grpc.aio.AioRpcError, *, is_read: bool) -> NoReturn:
    """Raise this package's error for gRPC's."""
    raise error_for(urls, error, is_read=is_read) from error


def error_for(urls: tuple[str, ...], error: grpc.aio.AioRpcError, *, is_read: bool) -> ClientError:
    """Return this package's error for gRPC's."""
    code, detail = error.code(), error.details() or ""
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        is_sent = not is_read and not detail.startswith(_NOT_CONNECTED)
        return UnavailableError(urls, reason=_reason(code, detail), is_sent=is_sent)
    return refusal(code.name, detail)


def refusal(code: str, detail: str) -> ClientError:
    """Return the error for a store that answered no."""
    text = detail.removeprefix("etcdserver: ")
    if _COMPACTED in text:
        return CompactedError()
    for part, hint in _HINTS.items():
        if part in text:
            return AuthError(f"the store refuses: {text}; {hint}")
    return RequestError(code, detail)


def _reason(code: grpc.StatusCode, detail: str) -> str:
    """Return the part of gRPC's text that an operator can use."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "it did not answer in time"
    if not detail.startswith(_NOT_CONNECTED):
        return detail.removeprefix("etcdserver: ").replace("\n", " ")
    if _NOT_TRUSTED in detail:
        why = detail.partition(_NOT_TRUSTED)[2].removesuffix(": OK").lstrip(": ")
        return f"its certificate is not trusted, {why}: check --cacert"
    for part, text in _HANDSHAKES.items():
        if part in detail:
            return text
    # What the operating system said stands last, after gRPC's own account of it.
    return detail.rpartition(": ")[2].rstrip(".").lower() or "cannot connect"
