import math

import pytest
from tests.history import Ambiguous, Operation, Recorder
from tests.unit.history.stories import done, put


def test_times_of_a_recorder_never_stand_still() -> None:
    """In a simulated world much happens at one instant; what followed must still be known to follow."""
    recorder = Recorder()
    first = recorder.begin(1, put("a", "1"), now_s=5.0)
    recorder.end(first, done(2), now_s=5.0)
    recorder.begin(1, put("a", "2"), now_s=5.0)
    one, two = recorder.history()
    assert 5.0 == one.invoked_s < one.returned_s < two.invoked_s
    assert math.isclose(two.invoked_s, 5.0)


def test_what_never_ended_is_ambiguous_and_never_returns() -> None:
    recorder = Recorder()
    recorder.begin(1, put("a", "1"), now_s=5.0)
    given_up = recorder.begin(2, put("b", "1"), now_s=5.0)
    recorder.end(given_up, Ambiguous(reason="timeout"), now_s=6.0)
    assert [operation.returned_s for operation in recorder.history()] == [math.inf, math.inf]


def test_an_operation_that_returns_before_its_call_is_a_mistake_of_the_recording() -> None:
    with pytest.raises(AssertionError, match="returned before"):
        Operation(client=1, invoked_s=2, returned_s=1, request=put("a", "1"), outcome=done(2))
    with pytest.raises(AssertionError, match="never returns"):
        Operation(client=1, invoked_s=2, returned_s=3, request=put("a", "1"), outcome=Ambiguous())
