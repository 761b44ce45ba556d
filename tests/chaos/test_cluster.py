"""Three and five real members through kills, pauses and restarts, under load whose history is judged.

``make chaos MINUTES=n`` makes the random part longer; in CI it is short.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos import disturb, rounds
from tests.chaos.fleet import Fleet
from tests.support.cluster import StoreCluster
from tests.support.store import FairleadStore, StoreServer

# Elections within half a second, and a log so short that who was away needs a snapshot.
FLAGS = (
    *("--heartbeat-interval", "50", "--election-timeout", "500"),
    *("--snapshot-count", "200", "--snapshot-catchup-entries", "50"),
)


def members_of(cluster: StoreCluster) -> list[StoreServer]:
    return list(cluster.members.values())


@pytest.fixture
def three(tmp_path: Path) -> Iterator[StoreCluster]:
    with StoreCluster(FairleadStore, tmp_path, flags=FLAGS) as cluster:
        yield cluster


def test_what_clients_of_three_members_see_is_one_history_whatever_happens_to_the_members(
    three: StoreCluster,
) -> None:
    """Every disturbance once, then more of them at random."""
    with Fleet(lambda: members_of(three)) as fleet:
        rounds.play(three, fleet, disturb.ALL)
        assert rounds.judged(fleet) > 500


def test_five_members_go_on_while_two_are_dead(tmp_path: Path) -> None:
    with (
        StoreCluster(FairleadStore, tmp_path, size=5, flags=FLAGS) as five,
        Fleet(lambda: members_of(five)) as fleet,
    ):
        fleet.wait_for_answers(50)
        dead = [five.members[name] for name in ("m2", "m4")]
        for member in dead:
            member.kill()
        fleet.wait_for_answers(100)
        for member in dead:
            member.program.start()
        disturb.healed(five)
        fleet.wait_for_answers(50)
        fleet.judge()
