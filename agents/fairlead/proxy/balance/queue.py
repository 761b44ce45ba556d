"""Where requests wait for a place at a server: first come, first served, a bounded number for a bounded time."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairlead.proxy.balance.seam import Waiter


class WaitingQueue:
    """One backend's queue.

    Attributes:
        size: how many may wait; who comes beyond is turned away at once.
        timeout_s: how long each may.
        now_s: when somebody was last sent here; set by who sends them.
    """

    __slots__ = ("_waiting", "now_s", "size", "timeout_s")

    def __init__(self) -> None:
        self.size = 0
        self.timeout_s = 0.0
        self.now_s = 0.0
        # Waiters by the moment that ends their patience: in order of arrival, which is that of the moments too.
        self._waiting: dict[Waiter, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, waiter: "Waiter") -> None:
        """Let ``waiter`` wait, or turn it away when there is no room."""
        if len(self._waiting) >= self.size:
            waiter.on_turned_away()
        else:
            self._waiting[waiter] = self.now_s + self.timeout_s

    def leave(self, waiter: "Waiter") -> None:
        """It does not wait any more."""
        self._waiting.pop(waiter, None)

    def call(self) -> bool:
        """Call the first one that waits; False when nobody does."""
        if not self._waiting:
            return False
        waiter = next(iter(self._waiting))
        del self._waiting[waiter]
        waiter.on_turn()
        return True

    def expire(self, now_s: float) -> None:
        """Turn away those who have waited for too long."""
        late = []
        for waiter, until_s in self._waiting.items():
            if until_s > now_s:
                break
            late.append(waiter)
        for waiter in late:
            if self._waiting.pop(waiter, None) is not None:
                waiter.on_turned_away()
