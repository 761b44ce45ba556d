"""What a guard lets through, at and around its bounds."""

import pytest

from fairlead.render.guards import refusal
from fairlead.render.resource import Guard


@pytest.mark.parametrize(
    ("bounds", "count", "before", "reason"),
    [
        ({"min": 2}, 2, None, None),
        ({"min": 2}, 1, None, "gives 1, fewer than 2"),
        ({"max": 2}, 2, None, None),
        ({"max": 2}, 3, None, "gives 3, more than 2"),
        ({"not_empty": True}, 1, None, None),
        ({"not_empty": True}, 0, None, "is empty"),
        ({"max_drop": 0.2}, 8, 10, None),
        ({"max_drop": 0.2}, 7, 10, "drops from 10 to 7, by more than 20%"),
        ({"max_drop": 0.2}, 0, 10, "drops from 10 to 0, by more than 20%"),
        ({"max_drop": 0.2}, 0, None, None),
        ({"max_drop": 0.2}, 0, 0, None),
        ({"max_drop": 1.0}, 0, 10, None),
        ({"max_drop": 0.0}, 11, 10, None),
    ],
)
def test_a_guard_refuses_beyond_its_bounds_and_not_before(
    bounds: dict[str, int], count: int, before: int | None, reason: str | None
) -> None:
    guard = Guard(expression="ls('/x')", **bounds)  # type: ignore[arg-type]
    earlier = {} if before is None else {"ls('/x')": before}
    expected = None if reason is None else f"guard ls('/x'): {reason}"
    assert refusal((guard,), {"ls('/x')": count}, earlier) == expected
