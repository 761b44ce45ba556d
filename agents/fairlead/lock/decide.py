"""What a host does next on its way through a reboot.  Pure: a table, read from the top.

    held by     needed  window  blocked  drained   what is done
    -----------------------------------------------------------------------------
    an earlier boot                                release once healthy, else wait
    this boot   no                                 release: it is not needed any more
    this boot   yes     shut                       release: the turn came too late
    this boot   yes     open    yes                release: not held while blocked
    this boot   yes     open    no       no        drain
    this boot   yes     open    no       yes       reboot
    nobody      no                                 idle
    nobody      yes     shut                       wait for the window
    nobody      yes     open    yes                wait for the blocker
    nobody      yes     open    no                 acquire

The permit's time begins anew just before the reboot, or others might be let in while the host is down.

Window and blockers are looked at again after the permit was got, and again before the reboot, because each of these
steps can take hours.
"""

from dataclasses import dataclass
from enum import Enum


class Step(Enum):
    """What to do next."""

    IDLE = "idle"
    WAIT = "wait"
    ACQUIRE = "acquire"
    DRAIN = "drain"
    REBOOT = "reboot"
    RELEASE = "release"


class Held(Enum):
    """By which boot of this host the permit is held."""

    NOT = "not"
    BY_THIS_BOOT = "this boot"
    BY_EARLIER_BOOT = "an earlier boot"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a host knows of itself.

    Attributes:
        need: why it needs a reboot; empty when it does not.
        shut: why the window is shut, with when it opens; empty when it is open.
        blocker: what speaks against a reboot now; empty when nothing does.
        ill: which health check fails; empty when all pass.
    """

    held: Held = Held.NOT
    need: str = ""
    shut: str = ""
    blocker: str = ""
    ill: str = ""
    is_drained: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next, and why."""

    step: Step
    why: str = ""


def decide(view: View) -> Decision:
    """Return what a host that sees ``view`` does next."""
    against = view.shut or view.blocker
    if view.held is Held.BY_EARLIER_BOOT:
        if view.ill:
            return Decision(Step.WAIT, f"up again, but not well: {view.ill}")
        return Decision(Step.RELEASE, "up again and well")
    if view.held is Held.BY_THIS_BOOT:
        if not view.need or against:
            return Decision(Step.RELEASE, against or "no reboot is needed any more")
        return Decision(Step.REBOOT if view.is_drained else Step.DRAIN, view.need)
    if not view.need:
        return Decision(Step.IDLE)
    return Decision(Step.WAIT, against) if against else Decision(Step.ACQUIRE, view.need)
