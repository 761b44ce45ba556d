import pytest
from tests.history import Event, Timeline, check_linearizable, check_timeline
from tests.unit.history.stories import UNKNOWN, deleted, done, get, kv, op, put, wrote
from tests.unit.history.stories import found as found_at

A2, A3, GONE4, A5 = (
    wrote("a", "1", 2, 2, 1),
    wrote("a", "2", 2, 3, 2),
    deleted("a", 4),
    wrote("a", "3", 5, 5, 1),
)


def test_a_log_knows_every_key_at_every_revision() -> None:
    log = Timeline([A2, A3, GONE4, A5])
    assert log.last == 5
    assert [log.get(b"a", revision=revision) for revision in range(1, 6)] == [None, A2.kv, A3.kv, None, A5.kv]
    assert log.range(b"\0", b"\0", revision=3) == {b"a": A3.kv}
    assert Timeline([]).last == 1


def test_a_log_has_no_gaps() -> None:
    with pytest.raises(AssertionError, match="the log goes from revision 2 to 4"):
        Timeline([A2, GONE4])


@pytest.mark.parametrize(
    ("events", "because"),
    [
        ([deleted("a", 2)], "deleted, but was not there"),
        ([A2, wrote("a", "2", 2, 3, 3)], "with version 3"),
        ([A2, wrote("a", "2", 3, 3, 1)], "created at 3"),
        ([A2, A3, GONE4, wrote("a", "3", 2, 5, 3)], "created at 2"),
        ([A2, A2], "changes a key twice"),
    ],
)
def test_a_log_that_makes_no_sense_is_found_out(events: list[Event], because: str) -> None:
    verdict = check_timeline(Timeline(events))
    assert because in verdict.text


PUT_A1 = op(1, (0, 1), put("a", "1"), done(2))
PUT_A2 = op(1, (2, 3), put("a", "2"), done(3))


def test_an_acknowledged_write_is_in_the_log() -> None:
    assert check_linearizable([PUT_A1, PUT_A2], timeline=Timeline([A2, A3]))
    lost = check_linearizable([PUT_A1, PUT_A2], timeline=Timeline([A2]))
    assert "the log ends at revision 2" in lost.text
    other = check_linearizable([PUT_A1, PUT_A2], timeline=Timeline([A2, wrote("a", "9", 2, 3, 2)]))
    assert "not what the store did" in other.text
    assert "by the log: a=1 (created 2, modified 2, v1) becomes a=9" in other.text


def test_a_read_is_of_what_the_log_holds() -> None:
    wrong = op(2, (4, 5), get("a"), found_at(3, kv("a", "9", 2, 3, 2)))
    verdict = check_linearizable([PUT_A1, PUT_A2, wrong], timeline=Timeline([A2, A3]))
    assert "not what the store held" in verdict.text
    assert "by the log the answer would be: revision 3: a=2" in verdict.text


def test_somebody_asked_for_all_that_is_in_the_log() -> None:
    """What is in doubt may have been done, but nothing is done by nobody, nor twice."""
    lost = op(1, (2, 0), put("a", "2"), UNKNOWN)
    assert check_linearizable([PUT_A1, lost], timeline=Timeline([A2]))
    assert check_linearizable([PUT_A1, lost], timeline=Timeline([A2, A3]))
    by_nobody = check_linearizable([PUT_A1], timeline=Timeline([A2, A3]))
    assert "nobody who could have made revision 3 is known" in by_nobody.text
    twice = check_linearizable([PUT_A1, lost], timeline=Timeline([A2, A3, wrote("a", "2", 2, 4, 3)]))
    assert "nobody who could have made revision 4 is known" in twice.text


def test_the_log_decides_between_writes_in_doubt() -> None:
    one, two = (op(n, (2, 0), put("b", str(n)), UNKNOWN) for n in (1, 2))
    b3 = wrote("b", "2", 3, 3, 1)
    seen = op(3, (5, 6), get("b"), found_at(3, b3.kv))
    assert check_linearizable([PUT_A1, one, two, seen], timeline=Timeline([A2, b3]))
    wrong = op(3, (5, 6), get("b"), found_at(3, kv("b", "1", 3, 3, 1)))
    assert not check_linearizable([PUT_A1, one, two, wrong], timeline=Timeline([A2, b3]))
