"""When a service is to be found and when not, by its health.  Pure."""

from enum import Enum


class Move(Enum):
    """What to do."""

    ENTER = "enter"
    LEAVE = "leave"
    STAY = "stay"


class Gate:
    """Opens after ``rise`` checks in a row that hold, shuts after ``fall`` that do not.

    Attributes:
        is_open: whether the service is to be found.
    """

    def __init__(self, *, rise: int = 1, fall: int = 1) -> None:
        """Begin shut: nothing is known of the service yet."""
        self.is_open = False
        self._rise = rise
        self._fall = fall
        self._streak = 0

    def saw(self, *, is_well: bool) -> Move:
        """Take in the outcome of one check; return what follows."""
        if is_well == self.is_open:
            self._streak = 0
            return Move.STAY
        self._streak += 1
        if self._streak < (self._rise if is_well else self._fall):
            return Move.STAY
        return self._turn(is_open=is_well)

    def _turn(self, *, is_open: bool) -> Move:
        self._streak = 0
        self.is_open = is_open
        return Move.ENTER if is_open else Move.LEAVE
