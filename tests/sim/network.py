"""The network between members: it loses, delays, doubles and reorders, and parts of it stop.

A link is a pair (sender, receiver), so that a cut may be one-way.  A clogged link holds everything back and lets
it go at once when it opens.  `Forward`, `Call` and `Return` are never doubled: the transport sends each message
once, over a stream that does not repeat itself.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any

from tests.sim.scheduler import Scheduler
from tests.sim.temper import Temper

from fairlead.peer import decode_message, encode_message

STRAGGLE_S = 2.0
"""A message that straggles comes up to this late: many elections later."""
_ONCE = ("Forward", "Call", "Return")


class Network:
    """Every link between two members.

    Args:
        deliver: takes a message that arrives.
        note: takes the name of what befell a message, and its sender.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        rng: random.Random,
        temper: Temper,
        deliver: Callable[[Any], None],
        note: Callable[[str, int], None],
    ) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._temper = temper
        self._deliver = deliver
        self._note = note
        self.cuts: dict[tuple[int, int], int] = {}
        self._clogs: dict[tuple[int, int], list[Any]] = {}
        self._arrivals: dict[tuple[int, int], float] = {}
        self.is_calm = False

    def __repr__(self) -> str:
        return f"<Network cuts={len(self.cuts)} clogs={len(self._clogs)}>"

    def send(self, messages: Iterable[Any]) -> None:
        """Take messages on their way."""
        for message in messages:
            self._send(message)

    def _send(self, message: Any) -> None:
        if self._temper.is_encoded:
            message = decode_message(encode_message(message))
        link = (message.sender, message.to)
        rng, temper = self._rng, self._temper
        if link in self.cuts:
            self._note("cut", message.sender)
            return
        if link in self._clogs:
            self._note("clogged", message.sender)
            self._clogs[link].append(message)
            return
        if not self.is_calm and temper.loss and rng.random() < temper.loss:
            self._note("loss", message.sender)
            return
        self._fly(message)
        is_once = type(message).__name__ in _ONCE
        if not self.is_calm and temper.double and not is_once and rng.random() < temper.double:
            self._note("double", message.sender)
            self._fly(message)

    def _fly(self, message: Any) -> None:
        rng, temper = self._rng, self._temper
        delay_s = temper.delay_s + rng.random() * temper.jitter_s
        if not self.is_calm and temper.straggle and rng.random() < temper.straggle:
            self._note("straggle", message.sender)
            delay_s += rng.random() * STRAGGLE_S
        elif temper.is_in_order:
            link = (message.sender, message.to)
            due_s = max(self._scheduler.now_s + delay_s, self._arrivals.get(link, 0.0))
            self._arrivals[link] = due_s
            delay_s = due_s - self._scheduler.now_s
        self._scheduler.after(delay_s, lambda: self._arrive(message))

    def _arrive(self, message: Any) -> None:
        if (message.sender, message.to) in self.cuts:
            self._note("cut", message.sender)
            return
        self._deliver(message)

    # ---- what a fault does to it ----

    def is_cut(self, sender: int, to: int) -> bool:
        """Tell whether nothing passes that way now."""
        return (sender, to) in self.cuts or (sender, to) in self._clogs

    def cut(self, links: Iterable[tuple[int, int]]) -> Callable[[], None]:
        """Let nothing pass; return what mends it.  Cuts overlap: a link is whole when all are mended."""
        chosen = list(links)
        for link in chosen:
            self.cuts[link] = self.cuts.get(link, 0) + 1

        def mend() -> None:
            for link in chosen:
                count = self.cuts.get(link, 0) - 1
                if count > 0:
                    self.cuts[link] = count
                else:
                    self.cuts.pop(link, None)

        return mend

    def clog(self, link: tuple[int, int]) -> None:
        """Hold everything back on a link."""
        self._clogs.setdefault(link, [])

    def unclog(self, link: tuple[int, int]) -> None:
        """Let everything go that was held back, in a new order."""
        held = self._clogs.pop(link, [])
        for message in held:
            self._fly(message)

    def heal(self) -> None:
        """Mend everything for good: from here on the network only takes time."""
        self.is_calm = True
        self.cuts.clear()
        for link in sorted(self._clogs):
            self.unclog(link)
