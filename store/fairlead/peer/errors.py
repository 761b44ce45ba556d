"""What can go wrong between two members, by whose fault it is.

::

    PeerError
    ├── PeerConfigError            the operator's: what was given cannot be served
    │   ├── PeerListenError        an address that cannot be listened on
    │   └── PeerTlsError           a certificate or key that cannot be used; names the file
    ├── PeerUnreachableError       nobody answers at any of its addresses, or not in time
    ├── PeerSilentError            it answered once, and then no more
    ├── PeerDecodeError            it sent what is no frame, no message, or has no place there
    ├── HandshakeError             the other end will not talk to us, or is not whom we look for
    │   ├── VersionMismatchError   it speaks another version of the protocol
    │   ├── ClusterMismatchError   it belongs to another cluster
    │   ├── WrongMemberError       another member is at this address
    │   ├── RemovedError           this member is no member any more: final
    │   └── BusyError              it has too many connections
    ├── QuestionRefusedError       a guest's question has no answer
    └── SnapshotRefusedError       the receiver could not take a snapshot, or proved it broken
"""

from pathlib import Path


class PeerError(Exception):
    """Base of everything that this package raises on purpose."""


class PeerConfigError(PeerError):
    """What was given cannot be served."""


class PeerListenError(PeerConfigError):
    """The address is taken, not ours, or not permitted."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{url}: cannot listen ({problem}); choose another address or stop what holds it")
        self.url = url
        self.problem = problem


class PeerTlsError(PeerConfigError):
    """A certificate, key or authority file cannot be used."""

    def __init__(self, path: Path, problem: str, advice: str) -> None:
        super().__init__(f"{path}: {problem}; {advice}")
        self.path = path
        self.problem = problem


class PeerUnreachableError(PeerError):
    """Nobody answers at any of its addresses."""


class PeerSilentError(PeerError):
    """The connection is there, and nothing comes over it."""


class PeerDecodeError(PeerError):
    """The other end sent nonsense; whatever it says next is not to be trusted."""


class HandshakeError(PeerError):
    """The two ends do not belong together."""


class VersionMismatchError(HandshakeError):
    """The other end speaks another version of the protocol."""


class ClusterMismatchError(HandshakeError):
    """The other end belongs to another cluster."""


class WrongMemberError(HandshakeError):
    """Another member is at this address."""


class RemovedError(HandshakeError):
    """The cluster has removed the one that asks; it will not come back under this id."""


class BusyError(HandshakeError):
    """The other end has as many connections as it takes."""


class QuestionRefusedError(PeerError):
    """A member was asked and did not give an answer; the text is its own."""


class SnapshotRefusedError(PeerError):
    """The receiver could not take a snapshot; the text is its own."""
