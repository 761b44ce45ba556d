"""A configuration that could not work is refused at once."""

from pathlib import Path
from typing import Any

import pytest

from fairlead.peer import PeerConfig, PeerConfigError


def config(**changes: Any) -> PeerConfig:
    fields: dict[str, Any] = {
        "cluster_id": 7,
        "member_id": 1,
        "listen_urls": (),
        "snapshot_dir": Path("snap"),
    }
    return PeerConfig(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cluster_id": 0}, "neither of them 0"),
        ({"member_id": 0}, "neither of them 0"),
        ({"dial_interval_s": 3.0}, "dial_interval_max_s"),
        ({"chunk_bytes": 1 << 30}, "must fit into a frame"),
        ({"queue_bytes_max": 0}, "queue_bytes_max is 0"),
        ({"pings_missed_max": -1}, "pings_missed_max is -1"),
    ],
)
def test_what_could_not_work_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PeerConfigError, match=said):
        config(**changes)


def test_the_defaults_work() -> None:
    assert config().version == 1
