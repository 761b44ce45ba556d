"""What is known of one server: well or ill, after so many probes in a row.  Without IO."""

from dataclasses import dataclass

from fairlead.dns.health.check import Check


@dataclass(slots=True)
class Verdict:
    """What probes have shown.

    Attributes:
        is_up: the verdict; a server is taken for well until it has failed often enough.
        streak: probes in a row that say the opposite.
        reason: why the last failed probe failed.
        is_known: at least one probe has been made.
    """

    is_up: bool = True
    streak: int = 0
    reason: str = ""
    is_known: bool = False

    def take(self, failure: str, *, check: Check) -> bool:
        """Take in a probe: ``failure`` says why it failed, or is empty; return whether the verdict has turned."""
        is_first, self.is_known = not self.is_known, True
        if failure:
            self.reason = failure
        if (failure == "") == self.is_up:
            self.streak = 0
            return False
        self.streak += 1
        # Who has never been seen well need not fail twice.
        needed = check.rise if failure == "" else 1 if is_first else check.fall
        if self.streak < needed:
            return False
        self.is_up, self.streak = failure == "", 0
        return True
