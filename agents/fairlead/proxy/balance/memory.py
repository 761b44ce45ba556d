"""What is kept of one backend while it has an id: whose turn it is, who waits, and that something has changed."""

from typing import TYPE_CHECKING

from fairlead.proxy.balance.queue import WaitingQueue
from fairlead.proxy.balance.rebalance import Rebalancer
from fairlead.proxy.balance.turns import Turn

if TYPE_CHECKING:
    from fairlead.proxy.state import ServerState


class Memory:
    """One backend's.

    Attributes:
        version: counts up whenever the standing of a server changes who may be asked.
        rebalancer: which servers get less than their share, where the backend asks for that.
        is_panicking: no server is fit to be asked, so that all are: a wrong verdict must not close the house.
        is_loaded: the backend has had its first servers; those that come later may start slowly.
    """

    __slots__ = ("is_loaded", "is_panicking", "queue", "rebalancer", "turn", "version")

    def __init__(self) -> None:
        self.turn = Turn()
        self.queue = WaitingQueue()
        self.rebalancer: Rebalancer[ServerState] = Rebalancer()
        self.version = 0
        self.is_panicking = False
        self.is_loaded = False

    def changed(self) -> None:
        """The standing of a server has changed."""
        self.version += 1
