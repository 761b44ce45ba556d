"""Who waits for a command, and for how long."""

from fairlead.member import TimedOutError
from fairlead.member.pending import Pending, Proposal


def test_who_was_offered_to_a_leader_is_told_at_once_that_a_snapshot_hides_the_answer() -> None:
    """Its entry may be among those that the snapshot stands for; one that waits for a leader is not."""
    told: list[bytes | Exception] = []
    pending = Pending(count_max=10, bytes_max=1000)
    offered, waiting = (Proposal(0, None, told.append, deadline_s=9.0, data=b"") for _ in range(2))
    offered.offered_term = 3
    pending.add(1, offered)
    pending.add(2, waiting)
    pending.lose_sight()
    assert [type(answer) for answer in told] == [TimedOutError]
    assert pending.get(2) is waiting
    assert len(pending) == 1
