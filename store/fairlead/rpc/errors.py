"""What may go wrong on the client port, by whose fault it is.

What a peer breaks of HTTP/2 itself is in ``fairlead.http2.errors``.

::

    Exception
    ├── RpcError               a handler's answer: the status that the client gets
    └── ServerConfigError      the operator's: what was given cannot be served
        ├── ListenError        an address that cannot be listened on
        └── TlsFileError       a certificate or key that cannot be used; names the file
"""

from pathlib import Path

from fairlead.rpc.codes import Code


class RpcError(Exception):
    """Raised by a handler: the call ends with this status."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(f"{code.name}: {detail}")
        self.code = code
        self.detail = detail


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
