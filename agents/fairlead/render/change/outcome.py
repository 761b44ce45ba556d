"""What became of one attempt to bring a group up to date."""

from dataclasses import dataclass
from enum import Enum, auto

from fairlead.render.change.model import Change
from fairlead.render.errors import RenderError
from fairlead.render.resource.model import Resource


class Step(Enum):
    """What brought a group up to date, or was to."""

    NOTHING = auto()
    REPAIR = auto()
    """Mode or owner were set; the program has no news to read."""
    RELOAD = auto()
    """The files were in place, a reload was still owed."""
    REPLACE = auto()
    """Files were checked, swapped and taken up."""
    ROLL_BACK = auto()
    """The old files are back, or were to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one attempt.

    Attributes:
        step: what was done, or was being done when ``error`` ended it.
        change: None where it never came to one.
        error: why the group is not as the keys have it.
        is_reload_owed: the program is not known to run on the files that are in place.
        is_retry_due: another attempt on the same keys may succeed.
        warnings: what went otherwise than it should, though it went.
    """

    resource: Resource
    step: Step
    change: Change | None = None
    error: RenderError | None = None
    is_reload_owed: bool = False
    is_retry_due: bool = False
    warnings: tuple[str, ...] = ()
