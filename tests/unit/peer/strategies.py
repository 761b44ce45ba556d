"""Every message that members exchange, as hypothesis makes them up."""

from hypothesis import strategies as st

from fairlead.peer import Call, PeerMessage, Return
from fairlead.raft import (
    AppendEntries,
    AppendReply,
    Configuration,
    Entry,
    EntryKind,
    Forward,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    ReadReply,
    ReadRequest,
    RequestVote,
    Snapshot,
    TimeoutNow,
    VoteReply,
)

NUMBERS = st.integers(min_value=0, max_value=2**64 - 1)
IDS = st.integers(min_value=1, max_value=2**64 - 1)
TEXTS = st.text(max_size=40)
PAYLOADS = st.binary(max_size=200)
MEMBERS = st.frozensets(IDS, max_size=5)

CONFIGURATIONS = st.builds(
    Configuration,
    voters=MEMBERS,
    outgoing=MEMBERS,
    learners=MEMBERS,
    learners_next=MEMBERS,
    auto_leave=st.booleans(),
)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Some consecutive entries, whose terms never fall."""
    first = draw(st.integers(min_value=1, max_value=2**40))
    rows = draw(st.lists(st.tuples(PAYLOADS, st.sampled_from(EntryKind), st.booleans()), max_size=8))
    term = draw(st.integers(min_value=0, max_value=2**40))
    found = []
    for at, (data, kind, is_new_term) in enumerate(rows):
        term += is_new_term
        found.append(Entry(term, first + at, data, kind))
    return found


def _raft(kind: type[PeerMessage], **fields: st.SearchStrategy[object]) -> st.SearchStrategy[PeerMessage]:
    return st.builds(kind, to=IDS, sender=IDS, term=NUMBERS, **fields)


SNAPSHOTS = st.builds(Snapshot, index=NUMBERS, term=NUMBERS, configuration=CONFIGURATIONS)
BY_KIND: dict[type[PeerMessage], st.SearchStrategy[PeerMessage]] = {
    RequestVote: _raft(
        RequestVote,
        last_index=NUMBERS,
        last_term=NUMBERS,
        is_pre_vote=st.booleans(),
        is_transfer=st.booleans(),
    ),
    VoteReply: _raft(VoteReply, granted=st.booleans(), is_pre_vote=st.booleans()),
    AppendEntries: _raft(
        AppendEntries, prev_index=NUMBERS, prev_term=NUMBERS, entries=entries(), commit=NUMBERS
    ),
    AppendReply: _raft(
        AppendReply, index=NUMBERS, success=st.booleans(), hint_index=NUMBERS, hint_term=NUMBERS
    ),
    Heartbeat: _raft(Heartbeat, commit=NUMBERS, round=NUMBERS),
    HeartbeatReply: _raft(HeartbeatReply, round=NUMBERS),
    InstallSnapshot: _raft(InstallSnapshot, snapshot=SNAPSHOTS),
    TimeoutNow: _raft(TimeoutNow),
    Forward: _raft(Forward, proposals=st.lists(PAYLOADS, max_size=5)),
    ReadRequest: _raft(ReadRequest, context=NUMBERS),
    ReadReply: _raft(ReadReply, context=NUMBERS, index=NUMBERS),
    Call: st.builds(Call, to=IDS, sender=IDS, id=NUMBERS, method=TEXTS, payload=PAYLOADS),
    Return: st.builds(Return, to=IDS, sender=IDS, id=NUMBERS, payload=PAYLOADS, error=TEXTS),
}
MESSAGES = st.one_of(*BY_KIND.values())
