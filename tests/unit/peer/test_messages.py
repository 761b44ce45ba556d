"""What goes over which stream."""

from hypothesis import given
from tests.unit.peer.strategies import MESSAGES

from fairlead.peer import PeerMessage
from fairlead.peer.messages import is_bulk
from fairlead.raft import AppendEntries, Forward


@given(MESSAGES)
def test_only_what_carries_proposals_is_bulk(message: PeerMessage) -> None:
    """A heartbeat must not wait behind megabytes."""
    carries = isinstance(message, Forward) or (
        isinstance(message, AppendEntries) and len(message.entries) > 0
    )
    assert is_bulk(message) == carries
