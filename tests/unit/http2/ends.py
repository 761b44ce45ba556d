"""A client's end of ours, and a server of somebody else's (the library h2) in memory."""

from typing import Any

import h2.config
import h2.connection
import h2.events

from fairlead.http2 import ClientConnection, ClientStream, Field, Limits, StreamFault, encoded

GET: list[Field] = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"s"), (b":path", b"/")]


class Asked(ClientStream):
    """Writes down what it is told."""

    def __init__(self, connection: ClientConnection, *, is_for_head: bool = False) -> None:
        super().__init__(connection, is_for_head=is_for_head)
        self.told: list[Any] = []

    def head_received(self, status: int, fields: list[Field], *, is_last: bool) -> None:
        self.told.append((status, dict(fields[1:]), is_last))

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        self.told.append((payload, is_last))

    def trailers_received(self, fields: list[Field]) -> None:
        self.told.append(dict(fields))

    def cancelled(self) -> None:
        self.told.append("cancelled")

    def refused(self, fault: StreamFault) -> None:
        self.told.append(fault.reason)

    def unprocessed(self) -> None:
        self.told.append("unprocessed")

    def writable(self) -> None:
        self.told.append("writable")


class Pair:
    """Our client and the library's server, joined."""

    def __init__(self, **limits: Any) -> None:
        self.wakes = 0
        self.client = ClientConnection(Limits(**limits), wake=self._woken)
        config = h2.config.H2Configuration(
            client_side=False,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            header_encoding=None,
        )
        self.server = h2.connection.H2Connection(config)
        self.server.initiate_connection()
        self.events: list[Any] = []
        self.exchange()

    def _woken(self) -> None:
        self.wakes += 1

    def exchange(self) -> None:
        """Carry bytes to and fro until nobody has more to say."""
        while True:
            down = self.server.data_to_send()
            up = self.client.receive(down, 0.0) if down else self.client.take()
            if up:
                self.events += self.server.receive_data(up)
            elif not down:
                return

    def ask(self, body: bytes | None = None, *, end: bool = True, is_for_head: bool = False) -> Asked:
        stream = Asked(self.client, is_for_head=is_for_head)
        self.client.open(stream)
        self.client.sender.headers(stream, encoded(GET), is_last=end and body is None)
        if body is not None:
            self.client.sender.data(stream, body)
            if end:
                self.client.sender.end(stream, b"")
        self.exchange()
        return stream

    def answer(self, stream: Asked, *fields: Field, status: bytes = b"200", end: bool = True) -> None:
        self.server.send_headers(stream.stream_id, [(b":status", status), *fields], end_stream=end)
        self.exchange()

    def has_closed(self) -> bool:
        return self.client.is_closed

    def seen(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]
