"""What may go wrong on the client port, by whose fault it is.

::

    Exception
    ├── RpcError               a handler's answer: the status that the client gets
    ├── ConnectionFault        the peer broke HTTP/2: GOAWAY, and the connection ends
    ├── StreamFault            the peer broke one stream: RST_STREAM, the others go on
    └── ServerConfigError      the operator's: what was given cannot be served
        ├── ListenError        an address that cannot be listened on
        └── TlsFileError       a certificate or key that cannot be used; names the file
"""

from pathlib import Path

from fairlead.rpc.codes import Code
from fairlead.rpc.frames import ErrorCode


class RpcError(Exception):
    """Raised by a handler: the call ends with this status."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail


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


class ServerConfigError(Exception):
    """The port cannot be served as it was asked for."""


class ListenError(ServerConfigError):
    """The address is taken, not ours, or not permitted."""

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(
            f"{address}: cannot listen ({problem}); choose another address or stop what holds it"
        )
        self.address = address


class TlsFileError(ServerConfigError):
    """A certificate, key or authority file cannot be used."""

    def __init__(self, path: Path, problem: str, advice: str) -> None:
        super().__init__(f"{path}: {problem}; {advice}")
        self.path = path
        self.problem = problem
