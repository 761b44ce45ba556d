"""Three real members in a network that fails, under load whose history is judged.

``make chaos MINUTES=n`` goes on for longer; without root it is skipped, with the reason.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos import cuts, rounds
from tests.chaos.fleet import Fleet
from tests.chaos.network import Network, why_not
from tests.chaos.test_cluster import FLAGS, members_of
from tests.support.cluster import StoreCluster


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    if reason := why_not(tmp_path):
        pytest.skip(reason)
    with Network(tmp_path) as made:
        yield made


def test_what_clients_see_is_one_history_however_the_network_fails(network: Network, tmp_path: Path) -> None:
    with (
        StoreCluster(network.member, tmp_path, flags=FLAGS) as cluster,
        Fleet(lambda: members_of(cluster)) as fleet,
    ):
        rounds.play(cluster, fleet, cuts.all_of(network))
        assert rounds.judged(fleet) > 300
