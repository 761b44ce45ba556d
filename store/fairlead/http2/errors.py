"""What a peer may do wrong on an HTTP/2 connection.

::

    Exception
    ├── ConnectionFault   the peer broke HTTP/2: GOAWAY, and the connection ends
    └── StreamFault       the peer broke one stream: RST_STREAM, the others go on
"""

from fairlead.http2.frames import ErrorCode


class ConnectionFault(Exception):  # noqa: N818 - RFC 9113 calls it a connection error; a fault says whose
    """The peer broke a rule of the whole connection (RFC 9113, section 5.4.1)."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(f"{code.name}: {reason}")
        self.code = code
        self.reason = reason


class StreamFault(Exception):  # noqa: N818 - as ConnectionFault
    """The peer broke a rule of one stream (RFC 9113, section 5.4.2)."""

    def __init__(self, stream_id: int, code: ErrorCode, reason: str) -> None:
        super().__init__(f"stream {stream_id}: {code.name}: {reason}")
        self.stream_id = stream_id
        self.code = code
        self.reason = reason
