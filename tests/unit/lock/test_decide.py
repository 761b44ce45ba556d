"""The table of ``decide``, row by row."""

import pytest

from fairlead.lock import Held, Step, View, decide

HERE, EARLIER, NOT = Held.BY_THIS_BOOT, Held.BY_EARLIER_BOOT, Held.NOT


@pytest.mark.parametrize(
    ("view", "step", "why"),
    [
        (View(), Step.IDLE, ""),
        (View(need="kernel", shut="shut till two"), Step.WAIT, "shut till two"),
        (View(need="kernel", blocker="backup"), Step.WAIT, "backup"),
        (View(need="kernel"), Step.ACQUIRE, "kernel"),
        (View(held=HERE), Step.RELEASE, "no reboot is needed any more"),
        (View(held=HERE, need="kernel", shut="shut till two"), Step.RELEASE, "shut till two"),
        (View(held=HERE, need="kernel", blocker="backup", is_drained=True), Step.RELEASE, "backup"),
        (View(held=HERE, need="kernel"), Step.DRAIN, "kernel"),
        (View(held=HERE, need="kernel", is_drained=True), Step.REBOOT, "kernel"),
        (View(held=EARLIER, ill="port 80"), Step.WAIT, "up again, but not well: port 80"),
        (View(held=EARLIER), Step.RELEASE, "up again and well"),
        (View(held=EARLIER, need="kernel", shut="x", blocker="y"), Step.RELEASE, "up again and well"),
    ],
)
def test_the_next_step_is_what_the_table_says(view: View, step: Step, why: str) -> None:
    decision = decide(view)
    assert (decision.step, decision.why) == (step, why)
