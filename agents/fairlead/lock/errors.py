"""What can stand between a host and its turn.

    LockError
      BrokenSemaphoreError    the semaphore's key holds what is no semaphore; nobody's turn until it is mended
      UnknownGroupError       the group has no semaphore
      FullError               as many hold it as may
      FrozenError             an operator has said that nobody's turn is now
      NotHeldError            who gives it back does not hold it
      TwoHostsError           two hosts go by one id
      OccupiedError           two processes do
      ContentionError         others were faster each time; nothing was changed
      LimitError              a maximum or a count that cannot be
      PolicyError             the agent's policy file cannot be used
      SourceError             another program's semaphore cannot be read

Each message is one line for the operator.
"""

from collections.abc import Sequence


class LockError(Exception):
    """The root of everything this package raises on purpose.

    Attributes:
        exit_code: of a command that ends by it.
    """

    exit_code = 1


class BrokenSemaphoreError(LockError):
    """The semaphore's key holds what is no semaphore."""

    def __init__(self, reason: str, *, key: str = "") -> None:
        """Name the key, where it is known, and what is wrong with it."""
        self.reason = reason
        self.key = key
        where = key or "the semaphore"
        super().__init__(
            f"{where} holds no semaphore: {reason}; nothing was changed; mend it, "
            f"or begin anew with: fairlead kv del {where}"
        )


class UnknownGroupError(LockError):
    """The group has no semaphore."""

    def __init__(self, group: str, *, known: Sequence[str] = ()) -> None:
        """Name it, and those there are."""
        self.group = group
        others = f"; there is {', '.join(known)}" if known else ""
        super().__init__(
            f"no group {group!r}{others}; make it with: fairlead lock set-max 1 --group {group or 'NAME'}"
        )


class FullError(LockError):
    """As many hold the semaphore as may."""

    def __init__(self, holders: Sequence[str], *, permits: int) -> None:
        """Name who holds it."""
        self.holders = tuple(holders)
        self.permits = permits
        super().__init__(
            f"no permit is left: {len(holders)} of {permits} held, by {', '.join(holders) or 'nobody'}; "
            "wait for one with --wait, or see: fairlead lock status"
        )


class FrozenError(LockError):
    """An operator has said that nobody's turn is now."""

    def __init__(self, group: str, *, reason: str) -> None:
        """Say why, and how it ends."""
        self.group = group
        why = f" ({reason})" if reason else ""
        super().__init__(f"group {group} is frozen{why}; end it with: {_cure(group, reason)}")


def _cure(group: str, reason: str) -> str:
    # A maximum of 0 that nobody froze has no earlier maximum to come back to.
    return f"fairlead lock {'set-max 1' if reason == MAX_IS_0 else 'unfreeze'} --group {group}"


MAX_IS_0 = "its maximum is 0"


class NotHeldError(LockError):
    """Who gives it back does not hold it."""

    def __init__(self, holder: str, *, holders: Sequence[str]) -> None:
        """Name who asked, and who holds it."""
        self.holder = holder
        self.holders = tuple(holders)
        super().__init__(f"{holder} holds nothing; {', '.join(holders) or 'nobody'} does")


class TwoHostsError(LockError):
    """Two hosts go by one id."""

    def __init__(self, holder: str, *, held_by: str, asked_by: str) -> None:
        """Name both."""
        self.holder = holder
        super().__init__(
            f"{holder} is held by host {held_by}, and this is {asked_by}: two hosts with one machine id; "
            "give one of them another with --id, or: systemd-machine-id-setup"
        )


class OccupiedError(LockError):
    """Another process is in by this id."""

    def __init__(self, holder: str, *, reason: str) -> None:
        """Name the id, and why the other is in."""
        self.holder = holder
        why = f" ({reason})" if reason else ""
        super().__init__(
            f"{holder} is in already, for another process{why}; wait for it with --wait, "
            "or give this one another name with --id"
        )


class ContentionError(LockError):
    """Others were faster each time."""

    def __init__(self, tries: int) -> None:
        """Say how often it was tried."""
        super().__init__(
            f"others changed the semaphore first, {tries} times in a row; nothing was changed; try again"
        )


class LimitError(LockError):
    """A number that cannot be."""

    exit_code = 2


class PolicyError(LockError):
    """The agent's policy file cannot be used."""

    exit_code = 2


class SourceError(LockError):
    """Another program's semaphore cannot be read."""
