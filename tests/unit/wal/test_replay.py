"""What the records of a log add up to, against Raft's own rules."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.wal.helpers import entries, entry

from fairlead.wal.record import (
    Checkpoint,
    Entry,
    HardState,
    Head,
    Record,
    RecordError,
    encode,
    encode_checkpoint,
    encode_entries,
    encode_hard_state,
    encode_mark,
    read_records,
)
from fairlead.wal.replay import Replay


def replay_of(*, first_index: int = 1, checkpoint_index: int = 0) -> Replay:
    return Replay(Head(0, 0, first_index, HardState(), Checkpoint(1, checkpoint_index), b"m"))


def apply(replay: Replay, *items: Entry | HardState | Checkpoint) -> Replay:
    for item in items:
        for record in records_of(item):
            replay.apply(record)
    return replay


def records_of(item: Entry | HardState | Checkpoint) -> list[Record]:
    if isinstance(item, Entry):
        parts: list[bytes] = []
        encode_entries([item], crc=0, into=parts)
        data = b"".join(parts)
    elif isinstance(item, HardState):
        data, _ = encode_hard_state(item, crc=0)
    else:
        data, _ = encode_checkpoint(item, crc=0)
    return list(read_records(data, offset=0, crc=0))


def test_the_last_hard_state_counts() -> None:
    assert apply(replay_of(), HardState(1, 2, 3), HardState(4, 0, 3)).hard_state == HardState(4, 0, 3)


def test_an_entry_replaces_the_one_of_its_index_and_all_after_it() -> None:
    """Raft, section 5.3: a follower deletes a conflicting entry and all that follow it."""
    replay = apply(replay_of(), *entries(1, 5), entry(3, term=2))
    assert replay.recovered_entries() == [*entries(1, 2), entry(3, term=2)]
    assert replay.last_index == 3


def test_a_gap_between_entries_is_refused() -> None:
    with pytest.raises(RecordError, match="entry 3 follows entry 1"):
        apply(replay_of(), entry(1), entry(3))


def test_a_checkpoint_takes_the_entries_that_it_covers() -> None:
    replay = apply(replay_of(), *entries(1, 5), Checkpoint(1, 3))
    assert replay.recovered_entries() == entries(4, 5)
    assert replay.checkpoint == Checkpoint(1, 3)


def test_a_checkpoint_beyond_the_log_takes_all_of_it() -> None:
    """A follower that was sent a snapshot goes on behind it."""
    replay = apply(replay_of(), *entries(1, 5), Checkpoint(2, 100), entry(101, term=2))
    assert replay.recovered_entries() == [entry(101, term=2)]


def test_a_checkpoint_that_conflicts_with_the_log_takes_all_of_it() -> None:
    """Raft, section 7: only if the log has the snapshot's last entry is what follows it retained."""
    replay = apply(replay_of(), *entries(1, 5), Checkpoint(2, 3))
    assert replay.recovered_entries() == []
    assert replay.last_index == 3


def test_an_older_checkpoint_is_ignored() -> None:
    replay = apply(replay_of(), *entries(1, 5), Checkpoint(1, 3), Checkpoint(1, 2))
    assert replay.checkpoint == Checkpoint(1, 3)
    assert replay.recovered_entries() == entries(4, 5)


def test_an_entry_under_a_checkpoint_cannot_be_written_again() -> None:
    """It was committed: to replace it would be to change history."""
    with pytest.raises(RecordError, match="entry 3 is written again after checkpoint 3"):
        apply(replay_of(), *entries(1, 5), Checkpoint(1, 3), entry(3, term=2))


def test_a_log_whose_first_segments_are_released_starts_where_its_head_says() -> None:
    replay = apply(replay_of(first_index=101, checkpoint_index=80), *entries(101, 105), Checkpoint(1, 102))
    assert replay.missing() is None
    assert replay.recovered_entries() == entries(103, 105)


def test_the_first_entry_read_may_replace_one_of_a_released_segment() -> None:
    replay = apply(replay_of(first_index=101, checkpoint_index=80), entry(91, term=2), Checkpoint(2, 91))
    assert replay.missing() is None
    assert replay.last_index == 91


def test_a_checkpoint_below_the_first_entry_read_leaves_the_entries_alone() -> None:
    replay = apply(replay_of(first_index=101, checkpoint_index=80), entry(101), Checkpoint(1, 90))
    assert replay.checkpoint == Checkpoint(1, 90)
    assert replay.missing() == "the entries 91 to 100 are missing"


def test_a_mark_says_nothing_and_an_unknown_kind_is_refused() -> None:
    replay = replay_of()
    mark, crc = encode_mark(sequence=0, offset=0, crc=0)
    strange = _strange(crc)
    for record in read_records(mark, offset=0, crc=0):
        replay.apply(record)
    with pytest.raises(RecordError, match="kind 99"):
        replay.apply(strange)


def _strange(crc: int) -> Record:
    data, _ = encode(99, b"?", crc=crc)  # type: ignore[arg-type]  # on purpose
    return next(read_records(data, offset=0, crc=crc))


class ReplayModel(RuleBasedStateMachine):
    """Any sequence that Raft may write, against a dictionary of what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.replay = replay_of()
        self.log: dict[int, Entry] = {}
        self.checkpoint = Checkpoint(1, 0)
        self.last = 0
        self.term = 1

    @rule(back=st.integers(0, 4), count=st.integers(1, 4), newer=st.booleans())
    def append(self, back: int, count: int, newer: bool) -> None:  # noqa: FBT001  # drawn by name
        self.term += newer
        first = max(self.last + 1 - back, self.checkpoint.index + 1)
        for index in range(first, first + count):
            apply(self.replay, entry(index, term=self.term))
            self.log = {i: e for i, e in self.log.items() if i < index} | {
                index: entry(index, term=self.term)
            }
            self.last = index

    @precondition(lambda self: self.log)
    @rule(pick=st.integers(0, 100))
    def checkpoint_inside(self, pick: int) -> None:
        index = sorted(self.log)[pick % len(self.log)]
        self.checkpoint = Checkpoint(self.log[index].term, index)
        apply(self.replay, self.checkpoint)
        self.log = {i: e for i, e in self.log.items() if i > index}

    @rule(ahead=st.integers(1, 5))
    def checkpoint_beyond(self, ahead: int) -> None:
        self.last += ahead
        self.checkpoint = Checkpoint(self.term, self.last)
        apply(self.replay, self.checkpoint)
        self.log.clear()

    @invariant()
    def the_replay_holds_what_the_model_holds(self) -> None:
        assert self.replay.recovered_entries() == [self.log[index] for index in sorted(self.log)]
        assert self.replay.checkpoint == self.checkpoint
        assert self.replay.last_index == self.last
        assert self.replay.missing() is None


TestReplayModel = ReplayModel.TestCase
TestReplayModel.settings = settings(max_examples=50, stateful_step_count=25)
