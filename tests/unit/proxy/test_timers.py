"""The timer wheel against the plain rule that it approximates."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from fairlead.proxy.config import TICK_S
from fairlead.proxy.timers import Alarm, Wheel


def noted(wheel: Wheel, fired: list[int]) -> Alarm:
    """Return what writes down the tick at which it fell due."""
    alarm = Alarm()
    alarm.ring = lambda: fired.append(wheel.now)
    return alarm


@given(
    script=st.lists(
        st.one_of(st.none(), st.just("clear"), st.floats(0.0, 10.0)), min_size=1, max_size=60
    )  # None: a tick
)
def test_only_the_last_deadline_counts_and_it_is_never_early(script: list[str | float | None]) -> None:
    wheel, fired = Wheel(), list[int]()
    timed = noted(wheel, fired)
    due: int | None = None
    expected: list[int] = []
    for step in [*script, *[None] * 50]:
        if isinstance(step, float):
            wheel.set(timed, step)
            due = wheel.now + int(step / TICK_S) + 2
        elif step == "clear":
            wheel.clear(timed)
            due = None
        else:
            wheel.advance()
            if due == wheel.now:
                expected.append(due)
                due = None
    assert fired == expected
    assert repr(wheel) == f"Wheel(now={wheel.now}, waiting=0)"


def test_what_falls_due_may_set_itself_again() -> None:
    wheel = Wheel()

    fired = list[int]()
    again = Alarm()

    def ring() -> None:
        fired.append(wheel.now)
        wheel.set(again, 0.0)

    again.ring = ring
    wheel.set(again, 0.0)
    for _ in range(10):
        wheel.advance()
    assert fired == [2, 4, 6, 8, 10]


def test_what_is_shorter_than_ticks_can_tell_has_a_timer_of_its_own() -> None:
    """Ten milliseconds are ten milliseconds; only the last deadline counts here, too, and a clear one is none."""
    timers: list[tuple[float, Callable[[], None]]] = []
    wheel, fired = Wheel(lambda seconds, ring: timers.append((seconds, ring))), list[int]()
    timed = noted(wheel, fired)
    for seconds in (0.01, 0.02):
        wheel.set(timed, seconds)
    assert [seconds for seconds, _ in timers] == [0.01, 0.02]
    timers[0][1]()
    assert not fired
    timers[1][1]()
    timers[1][1]()
    assert fired == [0]
    wheel.set(timed, 0.01)
    wheel.clear(timed)
    timers[2][1]()
    wheel.set(timed, 0.01)
    wheel.set(timed, 4 * TICK_S)
    timers[3][1]()
    assert fired == [0]
    wheel.set(timed, 0.01)
    for _ in range(20):
        wheel.advance()
    timers[4][1]()
    assert fired == [0, 20]
