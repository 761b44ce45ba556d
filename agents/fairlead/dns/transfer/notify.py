"""Who is to be told of which serial, and when again: NOTIFY (RFC 1996), without sockets or clocks."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from fairlead.dns.message import AA, HEADER_BYTES, Class, Opcode, Rcode, Type
from fairlead.dns.names import Name
from fairlead.dns.transfer.limits import TransferLimits

Secondary = TypeVar("Secondary")

_QR_OPCODE: Final = 0xF800
_RCODE: Final = 0xF


@dataclass(slots=True)
class _Telling:
    """What one secondary knows of one zone, and what is under way."""

    told: int = -1  # the serial it has acknowledged
    telling: int = -1  # the serial in the message that waits for an acknowledgement
    message_id: int = 0
    attempts: int = 0
    again_s: float = 0.0
    sent_s: float = field(default=float("-inf"))


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

    def set_serials(self, serials: Mapping[Name, int]) -> None:
        """Take up the serial of each zone; zones that are not named are forgotten."""
        self._serials = dict(serials)
        self._tellings = {
            (zone, secondary): self._tellings.get((zone, secondary)) or _Telling()
            for zone in serials
            for secondary in self._secondaries
        }

    def due(self, now_s: float) -> list[Notification[Secondary]]:
        """Return what is to be sent now."""
        found = []
        for (zone, secondary), telling in self._tellings.items():
            serial = self._serials[zone]
            if telling.told == serial:
                continue
            if telling.telling != serial:
                if now_s < telling.sent_s + self._limits.notify_spacing_s:
                    continue
                telling.telling, telling.attempts, telling.again_s = serial, 0, now_s
            if now_s < telling.again_s:
                continue
            if telling.attempts >= self._limits.notify_attempts_max:
                telling.told = serial  # left alone until the next change
                self.given_up += 1
                continue
            telling.message_id = self._new_id()
            telling.again_s = now_s + self._limits.notify_retry_s * 2**telling.attempts
            telling.attempts += 1
            telling.sent_s = now_s
            found.append(Notification(secondary, _packet(zone, telling.message_id)))
        return found

    def next_s(self) -> float | None:
        """Return when `due` has something again; None: when a serial changes."""
        times = [
            telling.again_s
            if telling.telling == self._serials[zone]
            else telling.sent_s + self._limits.notify_spacing_s
            for (zone, _), telling in self._tellings.items()
            if telling.told != self._serials[zone]
        ]
        return min(times, default=None)

    def receive(self, secondary: Secondary, packet: bytes) -> bool:
        """Take up a packet of ``secondary``'s; return whether it acknowledges something.

        Any response counts, an error too: whoever says no to a notification will say no again.
        """
        if len(packet) < HEADER_BYTES:
            return False
        message_id, flags = struct.unpack_from("!HH", packet)
        if flags & _QR_OPCODE != 0x8000 | Opcode.NOTIFY << 11:
            return False
        for (zone, whose), telling in self._tellings.items():
            if (
                whose == secondary
                and telling.attempts
                and telling.message_id == message_id
                and telling.told != telling.telling
            ):
                telling.told = telling.telling
                self.acknowledged += flags & _RCODE == Rcode.NOERROR
                del zone
                return True
        return False


def _packet(zone: Name, message_id: int) -> bytes:
    flags = Opcode.NOTIFY << 11 | AA
    return (
        struct.pack("!HHHHHH", message_id, flags, 1, 0, 0, 0) + zone + struct.pack("!HH", Type.SOA, Class.IN)
    )
