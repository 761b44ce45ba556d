"""What a transport needs of the member it serves."""

from pathlib import Path
from typing import Protocol

from fairlead.peer.messages import PeerMessage
from fairlead.raft import InstallSnapshot


class Handlers(Protocol):
    """The member, as its transport sees it.  All are called on the loop, and must not block."""

    def on_message(self, message: PeerMessage) -> None:
        """Take a message."""

    def on_snapshot(self, message: InstallSnapshot, path: Path) -> None:
        """Take a snapshot; the file is whole, proved and on disk."""

    def on_unreachable(self, member_id: int) -> None:
        """Learn that something for this member was not sent, or its connection is lost.

        Never called from within ``send``, and at most once for each member and turn of the loop.
        """

    def on_removed(self, text: str) -> None:
        """Learn, once, that a member says we are none any more: that is final."""

    def answer_guest(self, method: str, payload: bytes) -> bytes:
        """Answer a process that is no member yet; what is raised becomes the answer's error."""

    def is_removed(self, member_id: int) -> bool:
        """Return whether the cluster has removed this member."""
