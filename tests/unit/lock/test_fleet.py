"""Fifty hosts through an update, with crashes, partitions and ghosts."""

import pytest
from tests.unit.lock.fleet import Fleet, Life

SEEDS = (5, 23, 27)


@pytest.mark.parametrize("seed", SEEDS)
def test_never_more_than_the_maximum_are_down_and_everybody_is_updated_in_the_end(seed: int) -> None:
    fleet = Fleet(seed)
    fleet.run()
    assert all(host.is_new for host in fleet.hosts if host.life is not Life.GHOST)
    assert sum(host.life is Life.GHOST for host in fleet.hosts) == fleet.ghosts
    assert fleet.down_max == fleet.permits, "the permits were never all in use: this shows little"


def test_nobody_reboots_twice() -> None:
    fleet = Fleet(seed=99, ghosts=0)
    fleet.run()
    assert fleet.reboots == fleet.size
