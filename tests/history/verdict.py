"""What a judge says."""

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """Three ways to end; running out of steps proves nothing."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one judgement; true only if the promise was shown to hold.

    ``text`` says for a person what is wrong, and where.  ``steps`` is the work done, the same in every run.
    """

    status: Status
    text: str = ""
    steps: int = 0

    def __bool__(self) -> bool:
        return self.status is Status.OK

    def __str__(self) -> str:
        return f"{self.status.value}: {self.text}" if self.text else self.status.value


OK = Verdict(status=Status.OK)


def broken(text: str) -> Verdict:
    """Return the verdict on a promise that was not kept."""
    return Verdict(status=Status.BROKEN, text=text)
