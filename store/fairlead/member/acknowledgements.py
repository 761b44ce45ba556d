"""Acknowledgements that tell a leader nothing new wait for company.

A leader lets followers know at once what is committed, in an append without entries, and each of them answers with
what it has acknowledged before.  On a busy link such answers travel with others; where one client writes at a time
each would wake the leader for nothing, and there are two for each write.  So one that is no news is held until
something else goes to the same member, which is the reply to the next heartbeat at the latest.

To Raft this is a network that takes its time.  The newest that is held stands for all before it: what a follower has
acknowledged in a term it has for the rest of that term.
"""

from collections.abc import Sequence

from fairlead.peer import PeerMessage
from fairlead.raft import AppendReply


class Acknowledgements:
    """What this member has acknowledged to each other one, and what it holds back."""

    __slots__ = ("_held", "_told")

    def __init__(self) -> None:
        self._told: dict[int, tuple[int, int]] = {}
        self._held: dict[int, AppendReply] = {}

    def sift(self, messages: Sequence[PeerMessage]) -> Sequence[PeerMessage]:
        """Return what is to be sent now, in order, with what was held for the same members."""
        sent: list[PeerMessage] = []
        for message in messages:
            if type(message) is AppendReply:
                if self._is_no_news(message):
                    self._held[message.to] = message
                    continue
                self._held.pop(message.to, None)
            elif self._held and (held := self._held.pop(message.to, None)) is not None:
                sent.append(held)
            sent.append(message)
        return sent

    def forget(self, member: int) -> None:
        """Tell a member everything again: something that was sent to it may be lost."""
        self._told.pop(member, None)

    def _is_no_news(self, reply: AppendReply) -> bool:
        if not reply.success:
            self._told.pop(reply.to, None)  # whoever is told no looks for the place anew
            return False
        told = self._told.get(reply.to)
        if told is not None and told[0] == reply.term and reply.index <= told[1]:
            return True
        self._told[reply.to] = (reply.term, reply.index)
        return False
