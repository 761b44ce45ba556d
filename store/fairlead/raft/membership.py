"""Changes of membership (Raft, section 6; Ongaro's thesis, chapter 4).

A configuration is in use from the moment it is in the log, on each member, committed or not.  That is what the
paper's proof stands on; it needs no agreement about when entries are applied, and a truncation takes it back.
"""

from collections.abc import Sequence

from fairlead.raft.confchange import Change, change_one, enter_joint, leave_joint
from fairlead.raft.configuration import Configuration, encode_configuration
from fairlead.raft.errors import ChangeRefusedError, NotLeaderError
from fairlead.raft.node import Node
from fairlead.raft.types import NOBODY, EntryKind, Role


def propose(
    node: Node, changes: Sequence[Change], *, is_joint: bool, auto_leave: bool, context: bytes
) -> int:
    """Append the configuration that ``changes`` lead to; return its index."""
    _check_is_allowed(node)
    if not changes:
        raise ChangeRefusedError("it changes nothing")
    current = node.configuration
    if is_joint or len(changes) > 1:
        after = enter_joint(current, changes, auto_leave=auto_leave)
    else:
        after = change_one(current, changes[0])
    return _append(node, after, context)


def propose_leave(node: Node, *, context: bytes) -> int:
    """Append C_new; return its index."""
    _check_is_allowed(node)
    return _append(node, leave_joint(node.configuration), context)


def on_commit(node: Node) -> bool:
    """Go on after a commit: leave joint consensus; return whether this leader has to step down.

    Raft, section 6: "the leader steps down (returns to follower state) once it has committed the C_new log
    entry".
    """
    configuration = node.configuration
    if node.log.configuration_index > node.log.commit:
        return False
    if configuration.is_joint:
        if configuration.auto_leave:
            _append(node, leave_joint(configuration), b"")
        return False
    return node.member_id not in configuration.voters


def is_caught_up(node: Node, member: int) -> bool:
    """Return whether ``member`` is heard of and has nearly all that this leader's disk has.

    A learner that is made a voter earlier only holds up what it has to agree to (Ongaro's thesis, section
    4.2.1); nine tenths are etcd's measure.
    """
    progress = node.progress.get(member)
    return progress is not None and progress.is_active and 10 * progress.match >= 9 * node.log.written


def _check_is_allowed(node: Node) -> None:
    if node.role is not Role.LEADER:
        raise NotLeaderError(node.leader)
    if node.transferee != NOBODY:
        raise ChangeRefusedError("leadership is being handed over")
    if node.log.configuration_index > node.log.commit:
        raise ChangeRefusedError("another one is not committed yet")
    # Without this, two leaders could each make one-step changes from different bases, and commit both
    # (Ongaro's correction of July 2015 to the thesis).
    if not node.has_own_term_commit:
        raise ChangeRefusedError("this leader has not committed an entry of its own term yet")


def _append(node: Node, configuration: Configuration, context: bytes) -> int:
    data = encode_configuration(configuration, context=context)
    return node.append_own(data, EntryKind.CONFIGURATION)
