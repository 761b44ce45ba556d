"""The rollback guard: when answers turn bad right after a change, the change was it.

    quiet ──a change──► watching ──ratio jumps──► revert      ──watch_s over──► quiet

Each switch begins to watch for ``watch_s``.  A further change, before there were answers enough to judge the one
before it, keeps the first one's revision, so that a burst is undone as one.  What is compared is the part of 5xx among all answers, before and since.  Sans-IO; who
undoes is ``history``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """When a change is taken back.

    Attributes:
        watch_s: how long after a change.
        jump: by how much the ratio must have grown, 0 to 1.
        requests_min: so many answers since the change, before anything is concluded.
    """

    watch_s: float = 30.0
    jump: float = 0.2
    requests_min: int = 50


class Guard:
    """One proxy's.

    Attributes:
        reverting: the revision to go back to, once; None: nothing is wrong.
    """

    __slots__ = ("_before", "_errors", "_good_revision", "_settings", "_total", "_until_s", "reverting")

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self._errors = self._total = 0
        self._before = 0.0
        self._good_revision = 0
        self._until_s = 0.0
        self.reverting: int | None = None

    def on_change(self, revision: int, *, now_s: float, before: tuple[float, int]) -> None:
        """A change is in force.

        Args:
            revision: the one that was in force before it; 0: none was.
            now_s: monotonic.
            before: ratio of 5xx and number of answers in the last seconds before it.
        """
        if not revision:
            return
        is_watching = now_s < self._until_s
        self._until_s = now_s + self._settings.watch_s
        if is_watching and self._total < self._settings.requests_min:
            return
        self._good_revision = revision
        self._before = before[0] if before[1] else 0.0
        self._errors = self._total = 0

    def on_answer(self, status: int, *, now_s: float) -> None:
        """A request was answered."""
        if now_s >= self._until_s or status == 499:
            return
        self._total += 1
        self._errors += status >= 500
        if (
            self._total >= self._settings.requests_min
            and self._errors / self._total >= self._before + self._settings.jump
        ):
            self.reverting = self._good_revision
            self._until_s = 0.0

    def on_reverted(self) -> None:
        """What was to be taken back has been, or cannot be."""
        self.reverting = None
