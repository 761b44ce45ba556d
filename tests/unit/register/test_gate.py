"""When a service is to be found."""

import pytest

from fairlead.register import Gate, Move

E, L, S = Move.ENTER, Move.LEAVE, Move.STAY


@pytest.mark.parametrize(
    ("rise", "fall", "seen", "moves"),
    [
        (1, 1, "+-+", [E, L, E]),
        (1, 1, "---", [S, S, S]),
        (2, 1, "+-++-", [S, S, S, E, L]),
        (1, 3, "+--+---", [E, S, S, S, S, S, L]),
        (3, 2, "++-+++--", [S, S, S, S, S, E, S, L]),
    ],
)
def test_it_opens_and_shuts_after_so_many_in_a_row(
    rise: int, fall: int, seen: str, moves: list[Move]
) -> None:
    gate = Gate(rise=rise, fall=fall)
    assert [gate.saw(is_well=one == "+") for one in seen] == moves
