"""Serves FleetLock over HTTP/1.1, with TLS where a certificate is given."""

import asyncio
import ssl
from collections.abc import Mapping

import h11
from prometheus_client import CollectorRegistry, Counter, Gauge

from fairlead.agent import Address, AgentContext, listen_error
from fairlead.client import ClientError
from fairlead.lock.errors import LockError, NotHeldError, UnknownGroupError
from fairlead.lock.fleetlock import BODY_BYTES_MAX, OK, Answer, Asked, Wish, answer_error, read_request
from fairlead.lock.lock import Lock
from fairlead.lock.operations import Claim

CONNECTIONS_MAX = 512
_READ_BYTES, _HEAD_BYTES_MAX = 16 * 1024, 16 * 1024
_REQUEST_S = 30.0
"""For the wait for a request and all of its parts: who sends a byte now and then is cut off too."""
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
            413: "Content Too Large", 423: "Locked", 500: "Internal Server Error",
            503: "Service Unavailable"}  # fmt: skip


class FleetLockServer:
    """Answers hosts in the name of the groups' locks.

    Args:
        context: the agent's surroundings.
        groups: the maximum of each group, for those that are to be made; None serves any that there is.
        hold_s: after which time a host is overdue; 0 is never.
    """

    def __init__(self, context: AgentContext, *, groups: Mapping[str, int] | None, hold_s: int) -> None:
        self._context = context
        self._groups = groups
        self._hold_s = hold_s
        self._open = 0
        self._metrics = _Metrics(context.metrics)
        self._server: asyncio.Server | None = None

    async def start(self, address: Address, *, tls: ssl.SSLContext | None = None) -> Address:
        """Make the groups that are not there, and listen; return the address with its port.

        Raises:
            ConfigError: the address cannot be bound.
            ClientError: the store does not answer.
        """
        known = await Lock(self._context.client).groups()
        for group, permits in (self._groups or {}).items():
            # What an operator has set since is not undone by a flag of long ago.
            if group not in known:
                await Lock(self._context.client, group).set_max(permits)
        try:
            self._server = await asyncio.start_server(
                self._serve, address.host, address.port, ssl=tls, limit=_READ_BYTES
            )
        except OSError as error:
            raise listen_error(error, address, flag="--listen") from error
        return Address(host=address.host, port=self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def answer(self, asked: Asked) -> Answer:
        """Try what a host asks for."""
        lock = Lock(self._context.client, asked.group)
        try:
            if asked.wish is Wish.PRE_REBOOT:
                if self._groups is None and asked.group not in await lock.groups():
                    return Answer(400, "unknown_group", f"no group {asked.group} here")
                claim = Claim(
                    holder=asked.holder, reason="FleetLock", since_s=lock.now_s, hold_s=self._hold_s
                )
                await lock.acquire(claim)
            else:
                await lock.release(asked.holder, why="FleetLock: steady")
        except (NotHeldError, UnknownGroupError):
            return OK
        except (LockError, ClientError) as error:
            self._context.log.warning(str(error), group=asked.group, holder=asked.holder)
            return answer_error(error)
        self._context.log.info(asked.wish.value, group=asked.group, holder=asked.holder)
        return OK

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS_MAX:
                await self._converse(reader, writer)
        except (TimeoutError, OSError):
            pass  # a client that is slow or gone
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES_MAX)
        while connection.our_state is h11.IDLE:
            try:
                async with asyncio.timeout(_REQUEST_S):
                    received = await self._receive(connection, reader, writer)
            except h11.RemoteProtocolError as error:
                received = Answer(400, "bad_request", str(error))
            if received is None:
                return
            is_head = not isinstance(received, Answer) and received[0].method == b"HEAD"
            answer = received if isinstance(received, Answer) else await self._decide(*received)
            self._metrics.answered(answer)
            writer.write(_response(connection, answer, is_head=is_head))
            await writer.drain()
            if connection.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                connection.start_next_cycle()
        writer.close()
        await writer.wait_closed()

    async def _receive(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[h11.Request, bytes] | Answer | None:
        """Return one request whole, or what refuses it; None when the client is done."""
        request: h11.Request | None = None
        body = bytearray()
        while True:
            event = connection.next_event()
            match event:
                case h11.NEED_DATA:
                    if connection.they_are_waiting_for_100_continue:
                        go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
                        writer.write(connection.send(go_on) or b"")
                    connection.receive_data(await reader.read(_READ_BYTES))
                case h11.Request():
                    request = event
                case h11.Data():
                    body += event.data
                    if len(body) > BODY_BYTES_MAX:
                        return Answer(413, "too_large", f"a body of over {BODY_BYTES_MAX} bytes")
                case h11.EndOfMessage():
                    assert request is not None
                    return request, bytes(body)
                case _:
                    return None

    async def _decide(self, request: h11.Request, body: bytes) -> Answer:
        marks = [value for name, value in request.headers if name == b"fleet-lock-protocol"]
        asked = read_request(
            request.method.decode("latin-1"),
            request.target.decode("latin-1").partition("?")[0],
            is_marked=marks == [b"true"],
            body=body,
            groups=None if self._groups is None else frozenset(self._groups),
        )
        if isinstance(asked, Answer):
            return asked
        self._metrics.asked(asked)
        return await self.answer(asked)


class _Metrics:
    """What /metrics says of the requests; labels are of small, known sets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "fairlead_lock_requests_total", "FleetLock requests.", ["request"], registry=registry
        )
        self._refused = Counter(
            "fairlead_lock_refusals_total", "FleetLock requests not granted.", ["kind"], registry=registry
        )

    def asked(self, asked: Asked) -> None:
        self._requests.labels(asked.wish.value).inc()

    def answered(self, answer: Answer) -> None:
        if answer.kind:
            self._refused.labels(answer.kind).inc()


class GroupMetrics:
    """Holders and permits of the groups, as of the last look."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the gauges."""
        self._holders = Gauge("fairlead_lock_holders", "Who holds, by group.", ["group"], registry=registry)
        self._permits = Gauge("fairlead_lock_permits", "The maximum, by group.", ["group"], registry=registry)

    def show(self, group: str, *, holders: int, permits: int) -> None:
        """Take note of one group."""
        self._holders.labels(group).set(holders)
        self._permits.labels(group).set(permits)


def _response(connection: h11.Connection, answer: Answer, *, is_head: bool) -> bytes:
    body = answer.body
    fields = [("content-type", "application/json"), ("content-length", str(len(body)))]
    if answer.status == 405:  # RFC 9110, section 15.5.6: it has to say what is allowed
        fields.append(("allow", "POST"))
    if answer.kind in {"bad_request", "too_large"}:
        fields.append(("connection", "close"))
    head = h11.Response(status_code=answer.status, headers=fields, reason=_REASONS[answer.status].encode())
    parts = [connection.send(head)]
    if not is_head:
        parts.append(connection.send(h11.Data(data=body)))
    parts.append(connection.send(h11.EndOfMessage()))
    return b"".join(part for part in parts if part)
