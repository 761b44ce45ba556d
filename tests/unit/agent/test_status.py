import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import LogCapture

from fairlead.agent import Status
from fairlead.agent.status import PROBLEMS_SHOWN_MAX, TEXT_CHARS_MAX


class Board:
    """A status with its surroundings in reach."""

    def __init__(self) -> None:
        self.log = LogCapture()
        self.metrics = CollectorRegistry()
        logger = structlog.wrap_logger(None, processors=[self.log])
        self.status = Status(log=logger, metrics=self.metrics)
        self.changes = 0
        self.status.on_change = self._count

    def _count(self) -> None:
        self.changes += 1

    def metric(self, name: str) -> float | None:
        return self.metrics.get_sample_value(f"fairlead_agent_{name}")


@pytest.fixture
def board() -> Board:
    return Board()


def test_a_problem_is_logged_and_counted_once_however_often_it_is_met(board: Board) -> None:
    for _ in range(3):
        board.status.problem(b"/a", "not JSON")

    assert [(entry["event"], entry["key"]) for entry in board.log.entries] == [("not JSON", "/a")]
    assert (board.metric("problems_total"), board.metric("problem_keys"), board.changes) == (1, 1, 1)


def test_a_problem_that_changes_is_told_again_and_stays_one_problem(board: Board) -> None:
    board.status.problem(b"/a", "not JSON")
    board.status.problem(b"/a", "no host")

    assert board.status.problems == {"/a": "no host"}
    assert (board.metric("problems_total"), board.metric("problem_keys")) == (2, 1)


def test_what_is_healed_is_no_problem_any_more_but_the_last_error_stays_to_be_read(board: Board) -> None:
    board.status.problem(b"/a", "not JSON")
    board.status.healed(b"/a")
    board.status.healed(b"/a")

    state = board.status.as_json()
    assert (state["problems"], state["last_error"]) == ({}, {"key": "/a", "text": "not JSON"})
    assert board.metric("problem_keys") == 0
    assert [entry["event"] for entry in board.log.entries] == ["not JSON", "healed"]


def test_text_from_keys_cannot_break_a_line_or_steer_a_terminal(board: Board) -> None:
    board.status.problem(b"/a\xff\x1b[2J", "two\nlines\x07" + "x" * 10_000 + "the end")

    ((key, text),) = board.status.problems.items()
    assert key == "/a\\xff\\x1b[2J"
    assert text.startswith("two lines\\x07x")
    assert text.endswith("xthe end")
    assert len(text) < TEXT_CHARS_MAX + 10


def test_a_flood_of_problems_is_counted_in_full_and_shown_in_part(board: Board) -> None:
    for number in range(100):
        board.status.problem(f"/{number:03}", "bad")

    state = board.status.as_json()
    assert state["problem_count"] == 100
    assert len(state["problems"]) == PROBLEMS_SHOWN_MAX


def test_only_what_is_new_has_the_status_key_rewritten(board: Board) -> None:
    for _ in range(2):
        board.status.applied(7)
        board.status.count("records", 3)

    assert board.changes == 2
    assert board.metric("applied_revision") == 7
    state = board.status.as_json()
    assert (state["revision"], state["counts"]) == (7, {"records": 3})


def test_a_note_is_told_until_there_is_nothing_to_say_any_more(board: Board) -> None:
    board.status.note("state", "")
    board.status.note("state", "waits")
    board.status.note("state", "waits")
    assert (board.status.as_json()["notes"], board.changes) == ({"state": "waits"}, 1)
    board.status.note("state", "")
    assert (board.status.as_json()["notes"], board.changes) == ({}, 2)
