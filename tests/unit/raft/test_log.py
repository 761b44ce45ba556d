"""The log's marks, under writes that overtake each other."""

import pytest

from fairlead.raft import Configuration, Entry, EntryKind, Snapshot, encode_configuration
from fairlead.raft.log import Log


def entries(*terms: int, first: int = 1) -> list[Entry]:
    return [Entry(term, index, b"x") for index, term in enumerate(terms, first)]


def log_of(*terms: int) -> Log:
    return Log(Snapshot(), entries(*terms))


def test_news_of_an_overtaken_write_does_not_pass_for_the_newest() -> None:
    """A, B, A again: the disk may still have B when it reports the first A."""
    log = Log(Snapshot())
    log.replicate(entries(1))
    log.take_writes(1)
    log.replicate(entries(2))
    log.take_writes(2)
    log.replicate(entries(3))
    log.take_writes(3)
    log.wrote(1)
    assert log.written == 0
    log.wrote(2)
    assert log.written == 0
    log.wrote(3)
    assert log.written == 1


def test_writes_are_done_in_order() -> None:
    log = Log(Snapshot())
    log.take_writes(1)
    log.take_writes(2)
    with pytest.raises(AssertionError, match="before"):
        log.wrote(2)


def test_only_what_is_written_here_is_applied() -> None:
    """A committed entry that is applied and then lost in a crash leaves a state ahead of its log."""
    log = Log(Snapshot())
    log.replicate(entries(1, 1))
    log.take_writes(1)
    log.commit_to(2)
    assert log.take_committed(bytes_max=9) == []
    log.wrote(1)
    assert log.take_committed(bytes_max=9) == entries(1, 1)
    assert log.take_committed(bytes_max=9) == []


def test_what_is_applied_comes_in_bounded_portions() -> None:
    log = log_of(1, 1, 1)
    log.commit_to(3)
    assert [len(log.take_committed(bytes_max=2)) for _ in range(3)] == [2, 1, 0]


def test_a_late_message_does_not_cut_off_what_a_later_one_brought() -> None:
    log = log_of(1, 1, 1)
    log.replicate(entries(1))
    assert log.last_index == 3


def test_what_is_committed_is_never_replaced() -> None:
    log = log_of(1, 1)
    log.commit_to(2)
    with pytest.raises(AssertionError, match="committed"):
        log.replicate(entries(2, first=2))


def test_truncation_takes_a_configuration_back() -> None:
    """It counts from the moment it is in the log, hence until it is not."""
    before = Configuration(voters=frozenset({1}))
    log = Log(Snapshot(0, 0, before))
    after = Configuration(voters=frozenset({1, 2}))
    log.append(Entry(1, 1, encode_configuration(after), EntryKind.CONFIGURATION))
    assert log.configuration == after
    log.replicate(entries(2))
    assert log.configuration == before
    assert log.configuration_index == 0


def test_a_snapshot_has_the_configuration_of_its_index() -> None:
    before, after = (Configuration(voters=frozenset(range(1, count))) for count in (2, 3))
    log = Log(Snapshot(0, 0, before), entries(1))
    log.append(Entry(1, 2, encode_configuration(after), EntryKind.CONFIGURATION))
    log.take_writes(1)
    log.wrote(1)
    log.commit_to(2)
    log.take_committed(bytes_max=99)
    assert log.snapshot_at(1) == Snapshot(1, 1, before)
    assert log.snapshot_at(2) == Snapshot(2, 1, after)
    assert log.snapshot_at(1) is None, "a newer one is here already"
    log.compact(2)
    assert log.configuration == after
    assert (log.first_index, log.term_at(2), log.term_at(1)) == (3, 1, None)


def test_nothing_is_forgotten_that_no_snapshot_holds() -> None:
    log = log_of(1, 1)
    with pytest.raises(AssertionError, match="no snapshot"):
        log.compact(1)


def test_a_leaders_snapshot_begins_the_log_again() -> None:
    configuration = Configuration(voters=frozenset({4}))
    log = log_of(1, 1)
    log.append(Entry(1, 3, b"x"))
    log.take_writes(1)
    log.restore(Snapshot(9, 2, configuration))
    log.wrote(1)
    assert log.written < 9, "the snapshot itself is not written yet"
    assert log.configuration == configuration
    assert log.take_writes(2) == (Snapshot(9, 2, configuration), [])
    log.wrote(2)
    assert repr(log) == "<Log 10..9 written=9 commit=9 applying=9>"


def sizes(log: Log) -> list[int]:
    return [len(entry.data) for entry in log.entries_from(log.first_index)]


def test_a_batch_is_as_long_as_its_bytes_allow_and_never_empty() -> None:
    log = Log(Snapshot(4, 1), [Entry(1, 5 + i, bytes(size)) for i, size in enumerate((3, 0, 2, 9, 1))])
    assert [len(log.entries_from(5, bytes_max=each)) for each in (1, 3, 4, 5, 13, 14, 15)] == [
        1,
        2,
        2,
        3,
        3,
        4,
        5,
    ]
    assert [entry.index for entry in log.entries_from(6, last=7)] == [6, 7]
    assert log.entries_from(10) == []
    assert [entry.index for entry in log.entries_from(8, bytes_max=1)] == [8]


def test_the_bytes_held_are_those_of_the_entries_held() -> None:
    """Whatever happened to the log: they are what says when to compact and when to take no more."""
    log = Log(Snapshot(), [Entry(1, 1, b"aa"), Entry(1, 2, b"bbbb"), Entry(1, 3, b"c")])
    log.append(Entry(1, 4, b"ddd"))
    assert (log.bytes_in_memory, log.bytes_after(1), log.bytes_after(1, last=3)) == (10, 8, 5)
    log.replicate([Entry(2, 3, b"")])
    assert log.bytes_in_memory == sum(sizes(log)) == 6
    log.replicate([Entry(2, 4, b"ee"), Entry(2, 5, b"f")])
    log.commit_to(2)
    log.take_committed(bytes_max=99)
    log.snapshot_at(2)
    log.compact(2)
    assert log.bytes_in_memory == sum(sizes(log)) == 3
    log.restore(Snapshot(9, 2))
    assert log.bytes_in_memory == 0
    log.append(Entry(2, 10, b"g"))
    assert (log.bytes_in_memory, log.bytes_after(9)) == (1, 1)


def test_an_entry_has_the_next_index() -> None:
    log = log_of(1)
    with pytest.raises(AssertionError, match="entry 3"):
        log.append(Entry(1, 3, b""))
    with pytest.raises(AssertionError, match="entry 3"):
        log.replicate([Entry(1, 2, b""), Entry(1, 3, b""), Entry(1, 3, b"")])


@pytest.mark.parametrize(
    ("terms", "index", "term", "met"),
    [
        ((1, 1, 3, 3), 4, 2, (2, 1)),  # nothing of term 3 can be in a log that has term 2 there
        ((1, 1, 3, 3), 9, 3, (4, 3)),
        ((5, 5), 2, 4, (0, 0)),
        ((), 3, 1, (0, 0)),
    ],
)
def test_logs_meet_below_the_terms_that_only_one_can_have(
    terms: tuple[int, ...], index: int, term: int, met: tuple[int, int]
) -> None:
    assert log_of(*terms).meet(index, term) == met
