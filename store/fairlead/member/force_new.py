"""``--force-new-cluster``: one member goes on alone, with all that it knows (a last resort after a disaster)."""

from fairlead.member.cluster import Cluster
from fairlead.member.reconfigure import changes_to_stand_alone
from fairlead.raft import Configuration, EntryKind, encode_configuration
from fairlead.wal import Entry, HardState, Recovered, Wal


def stand_alone(wal: Wal, recovered: Recovered, cluster: Cluster, member_id: int) -> Recovered:
    """Append entries after which ``member_id`` is the only member; return what the log holds then.

    What was not known to be committed stays: nobody is left who could say that it was not.
    """
    changes = changes_to_stand_alone(cluster, member_id)
    last = recovered.entries[-1] if recovered.entries else None
    index = last.index if last is not None else recovered.checkpoint.index
    term = max(recovered.hard_state.term, last.term if last is not None else 0)
    data = [
        encode_configuration(Configuration(voters=frozenset({member_id})), context=change.encode())
        for change in changes
    ] or [encode_configuration(Configuration(voters=frozenset({member_id})))]
    entries = [
        Entry(term, index + 1 + position, each, EntryKind.CONFIGURATION) for position, each in enumerate(data)
    ]
    hard_state = HardState(term, recovered.hard_state.vote, recovered.hard_state.commit)
    wal.append(entries, hard_state)
    wal.sync()
    return recovered._replace(hard_state=hard_state, entries=[*recovered.entries, *entries])
