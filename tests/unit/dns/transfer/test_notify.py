"""Who is told, when, and when again."""

import struct

import dns.message
import dns.opcode
import dns.rcode
import pytest

from fairlead.dns import names
from fairlead.dns.transfer.limits import TransferLimits
from fairlead.dns.transfer.notify import Notification, Notify
from fairlead.dns.zone import Epoch

ZONE, OTHER = names.from_text("skydns.test"), names.from_text("other.test")
LIMITS = TransferLimits(notify_spacing_s=1.0, notify_retry_s=2.0, notify_attempts_max=3)


class Ids:
    def __init__(self) -> None:
        self.last = 100

    def __call__(self) -> int:
        self.last += 1
        return self.last


def told(serial: int = 5, *secondaries: str) -> Notify[str]:
    notify = Notify(secondaries or ("s1",), LIMITS, new_id=Ids())
    notify.set_serials({ZONE: serial})
    return notify


def acknowledgement(notification: Notification[str], *, rcode: int = 0) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(notification.packet))
    response.set_rcode(dns.rcode.Rcode(rcode))
    return response.to_wire()


def test_a_notification_is_as_the_rfc_has_it() -> None:
    """RFC 1996, section 3."""
    (notification,) = told().due(0.0)
    message = dns.message.from_wire(notification.packet)
    assert message.opcode() == dns.opcode.NOTIFY
    assert message.question[0].to_text() == "skydns.test. IN SOA"
    assert message.flags & 0x0400


def test_every_secondary_is_told_of_every_zone_once() -> None:
    notify = told(5, "s1", "s2")
    notify.set_serials({ZONE: 5, OTHER: 5})
    sent = notify.due(0.0)
    assert sorted(one.secondary for one in sent) == ["s1", "s1", "s2", "s2"]
    for one in sent:
        assert notify.receive(one.secondary, acknowledgement(one))
    assert notify.due(100.0) == []
    assert notify.next_s() is None
    assert notify.acknowledged == 4


def test_who_does_not_acknowledge_is_told_again_later_and_later() -> None:
    notify = told()
    times = []
    now_s = 0.0
    while notify.next_s() is not None:
        now_s = max(now_s, notify.next_s() or 0.0)
        times += [now_s for _ in notify.due(now_s)]
    assert times == [0.0, 2.0, 6.0]
    assert notify.given_up == 1
    notify.set_serials({ZONE: 6})
    assert len(notify.due(now_s)) == 1


def test_changes_in_quick_succession_are_told_together() -> None:
    notify = told()
    (first,) = notify.due(0.0)
    assert notify.receive("s1", acknowledgement(first))
    for serial in range(6, 20):
        notify.set_serials({ZONE: serial})
        assert notify.due(0.5) == []
    assert notify.next_s() == 1.0
    assert len(notify.due(1.0)) == 1


@pytest.mark.parametrize("rcode", [0, 4, 5])
def test_any_answer_ends_the_asking(rcode: int) -> None:
    notify = told()
    (one,) = notify.due(0.0)
    assert notify.receive("s1", acknowledgement(one, rcode=rcode))
    assert notify.due(100.0) == []
    assert notify.acknowledged == (rcode == 0)


def test_only_the_secondary_itself_can_acknowledge() -> None:
    notify = told(5, "s1", "s2")
    one = next(one for one in notify.due(0.0) if one.secondary == "s1")
    assert not notify.receive("s2", acknowledgement(one))
    assert not notify.receive("s1", acknowledgement(one)[:11])
    assert not notify.receive("s1", one.packet)
    wrong_id = struct.pack("!H", 7) + acknowledgement(one)[2:]
    assert not notify.receive("s1", wrong_id)
    assert notify.receive("s1", acknowledgement(one))
    assert not notify.receive("s1", acknowledgement(one))


def test_a_late_acknowledgement_is_of_what_was_told() -> None:
    notify = told()
    (one,) = notify.due(0.0)
    notify.set_serials({ZONE: 6})
    assert notify.receive("s1", acknowledgement(one))
    assert len(notify.due(1.0)) == 1


def test_a_zone_that_is_no_more_is_not_told_of() -> None:
    notify = told()
    notify.set_serials({})
    assert notify.due(0.0) == []


# The serial


def test_a_serial_is_the_revision() -> None:
    assert Epoch().at(7).at(9).serial == 9


def test_a_restored_store_does_not_turn_the_serial_back() -> None:
    epoch = Epoch().at(100).at(40)
    assert epoch.serial > 100
    assert epoch.at(41).serial == epoch.serial + 1
    assert epoch.at(41).at(10).serial > epoch.at(41).serial


def test_a_serial_goes_around() -> None:
    assert Epoch().at(2**32 + 5).serial == 5
