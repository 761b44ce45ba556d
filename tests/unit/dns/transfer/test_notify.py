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
LIMITS = TransferLimits(
    notify_delay_s=0.0, notify_confirm_s=9.0, notify_spacing_s=1.0, notify_retry_s=2.0, notify_attempts_max=3
)


class Ids:
    def __init__(self) -> None:
        self.last = 100

    def __call__(self) -> int:
        self.last += 1
        return self.last


def told(serial: int = 5, *secondaries: str, limits: TransferLimits = LIMITS) -> Notify[str]:
    notify = Notify(secondaries or ("s1",), limits, new_id=Ids())
    notify.set_serials({ZONE: serial}, now_s=0.0)
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


def test_every_secondary_is_told_of_every_zone_and_once_more_in_case() -> None:
    """Whom it then asks may have been behind: another replica, another process."""
    notify = told(5, "s1", "s2")
    notify.set_serials({ZONE: 5, OTHER: 5}, now_s=0.0)
    for now_s in (0.0, 9.0):
        sent = notify.due(now_s)
        assert sorted(one.secondary for one in sent) == ["s1", "s1", "s2", "s2"]
        for one in sent:
            assert notify.receive(one.secondary, acknowledgement(one), now_s=now_s)
        assert notify.due(now_s + 8.9) == []
    assert notify.next_s() is None
    assert notify.acknowledged == 8


def test_a_change_waits_until_all_processes_have_it() -> None:
    notify = told(limits=TransferLimits(notify_delay_s=0.5))
    assert notify.next_s() == 0.5
    assert notify.due(0.4) == []
    assert len(notify.due(0.5)) == 1


def test_changes_that_go_on_do_not_put_it_off_for_ever() -> None:
    notify = told(limits=TransferLimits(notify_delay_s=0.5))
    for step in range(1, 6):
        notify.set_serials({ZONE: 5 + step}, now_s=step * 0.1)
    assert len(notify.due(0.5)) == 1


def test_who_does_not_acknowledge_is_told_again_later_and_later() -> None:
    notify = told()
    times = []
    now_s = 0.0
    while (next_s := notify.next_s()) is not None:
        now_s = max(now_s, next_s)
        times += [now_s for _ in notify.due(now_s)]
    assert times == [0.0, 2.0, 6.0]
    assert notify.given_up == 1
    notify.set_serials({ZONE: 6}, now_s=now_s)
    assert len(notify.due(now_s + 1)) == 1


def test_changes_in_quick_succession_are_told_together() -> None:
    notify = told()
    (first,) = notify.due(0.0)
    assert notify.receive("s1", acknowledgement(first), now_s=0.0)
    for serial in range(6, 20):
        notify.set_serials({ZONE: serial}, now_s=0.5)
        assert notify.due(0.5) == []
    assert notify.next_s() == 1.0
    assert len(notify.due(1.0)) == 1


def test_a_revision_without_a_change_is_not_told() -> None:
    notify = told()
    (one,) = notify.due(0.0)
    notify.receive("s1", acknowledgement(one), now_s=0.0)
    notify.set_serials({ZONE: 5}, now_s=1.0)
    assert notify.due(8.0) == []


@pytest.mark.parametrize("rcode", [0, 4, 5])
def test_any_answer_ends_the_asking(rcode: int) -> None:
    notify = told()
    (one,) = notify.due(0.0)
    assert notify.receive("s1", acknowledgement(one, rcode=rcode), now_s=0.0)
    assert notify.due(8.0) == []
    assert notify.acknowledged == (rcode == 0)


def test_only_the_secondary_itself_can_acknowledge() -> None:
    notify = told(5, "s1", "s2")
    one = next(one for one in notify.due(0.0) if one.secondary == "s1")
    assert not notify.receive("s2", acknowledgement(one), now_s=0.0)
    assert not notify.receive("s1", acknowledgement(one)[:11], now_s=0.0)
    assert not notify.receive("s1", one.packet, now_s=0.0)
    wrong_id = struct.pack("!H", 7) + acknowledgement(one)[2:]
    assert not notify.receive("s1", wrong_id, now_s=0.0)
    assert notify.receive("s1", acknowledgement(one), now_s=0.0)
    assert not notify.receive("s1", acknowledgement(one), now_s=0.0)


def test_a_late_acknowledgement_is_of_what_was_told() -> None:
    notify = told()
    (one,) = notify.due(0.0)
    notify.set_serials({ZONE: 6}, now_s=0.1)
    assert notify.receive("s1", acknowledgement(one), now_s=0.2)
    assert notify.next_s() == 1.0
    assert len(notify.due(1.0)) == 1


def test_a_zone_that_is_no_more_is_not_told_of() -> None:
    notify = told()
    notify.set_serials({}, now_s=0.0)
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
