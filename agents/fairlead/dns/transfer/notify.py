"""Who is to be told of which serial, and when again: NOTIFY (RFC 1996), without sockets or clocks."""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from fairlead.dns.message import AA, HEADER_BYTES, Class, Opcode, Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.transfer.limits import TransferLimits

Secondary = TypeVar("Secondary")

_QR_OPCODE: Final = 0xF800
_RCODE: Final = 0xF


@dataclass(slots=True)
class _Telling:
    """What one secondary knows of one zone, and what is under way.  Infinite: not until something changes."""

    told: int = -1  # the serial it has acknowledged
    telling: int = -1  # the serial in the last message
    message_id: int = -1  # of a message that may be acknowledged; -1: none
    attempts: int = 0
    is_change_due: bool = False  # ``due_s`` is of a change that nobody was told of
    sent_s: float = -math.inf
    due_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Notification(Generic[Secondary]):
    """One message to send."""

    secondary: Secondary
    packet: bytes


class Notify(Generic[Secondary]):
    """Keeps every secondary told.

    Args:
        secondaries: who is told of every zone.
        limits: see there.
        new_id: gives a random message id, so that nobody else can acknowledge.

    Attributes:
        acknowledged: notifications that were.
        given_up: notifications that never were.
    """

    def __init__(
        self, secondaries: tuple[Secondary, ...], limits: TransferLimits, *, new_id: Callable[[], int]
    ) -> None:
        self.acknowledged = 0
        self.given_up = 0
        self._secondaries = secondaries
        self._limits = limits
        self._new_id = new_id
        self._serials: dict[Name, int] = {}
        self._tellings: dict[tuple[Name, Secondary], _Telling] = {}

    def set_serials(self, serials: Mapping[Name, int], *, now_s: float) -> None:
        """Take up the serial of each zone; zones that are not named are forgotten."""
        changed = {zone for zone, serial in serials.items() if serial != self._serials.get(zone)}
        self._serials = dict(serials)
        tellings = self._tellings
        self._tellings = {
            (zone, secondary): tellings.get((zone, secondary)) or _Telling()
            for zone in serials
            for secondary in self._secondaries
        }
        limits = self._limits
        for (zone, _), telling in self._tellings.items():
            if zone in changed:
                earliest_s = max(now_s + limits.notify_delay_s, telling.sent_s + limits.notify_spacing_s)
                # What is on its way already takes this change along; it is not put off.
                telling.due_s = telling.due_s if telling.is_change_due else earliest_s
                telling.is_change_due = True
                telling.attempts = 0

    def due(self, now_s: float) -> list[Notification[Secondary]]:
        """Return what is to be sent now."""
        found = []
        for (zone, secondary), telling in self._tellings.items():
            if now_s < telling.due_s:
                continue
            if telling.attempts >= self._limits.notify_attempts_max:
                telling.due_s, telling.message_id = math.inf, -1  # left alone until the next change
                self.given_up += 1
                continue
            telling.is_change_due = False
            telling.telling = self._serials[zone]
            telling.message_id = self._new_id()
            telling.due_s = now_s + self._limits.notify_retry_s * 2**telling.attempts
            telling.attempts += 1
            telling.sent_s = now_s
            found.append(Notification(secondary, _packet(zone, telling.message_id)))
        return found

    def next_s(self) -> float | None:
        """Return when `due` has something again; None: when a serial changes."""
        first_s = min((telling.due_s for telling in self._tellings.values()), default=math.inf)
        return None if first_s == math.inf else first_s

    def receive(self, secondary: Secondary, packet: bytes, *, now_s: float) -> bool:
        """Take up a packet of ``secondary``'s; return whether it acknowledges something.

        Any response counts, an error too: whoever says no to a notification will say no again.
        """
        if len(packet) < HEADER_BYTES:
            return False
        message_id, flags = struct.unpack_from("!HH", packet)
        if flags & _QR_OPCODE != 0x8000 | Opcode.NOTIFY << 11:
            return False
        for (zone, whose), telling in self._tellings.items():
            if whose == secondary and telling.message_id == message_id:
                self._acknowledge(telling, self._serials[zone], now_s=now_s)
                self.acknowledged += flags & _RCODE == Rcode.NOERROR
                return True
        return False

    def _acknowledge(self, telling: _Telling, serial: int, *, now_s: float) -> None:
        telling.message_id = -1
        is_first = telling.told != telling.telling
        telling.told = telling.telling
        if telling.telling != serial:
            return  # a later one waits for its turn already
        # Whom the secondary asked for the serial may not have had it yet: another replica, another process of this one.
        telling.attempts = 0
        telling.due_s = now_s + self._limits.notify_confirm_s if is_first else math.inf


def _packet(zone: Name, message_id: int) -> bytes:
    flags = Opcode.NOTIFY << 11 | AA
    return (
        struct.pack("!HHHHHH", message_id, flags, 1, 0, 0, 0) + zone + struct.pack("!HH", Type.SOA, Class.IN)
    )
