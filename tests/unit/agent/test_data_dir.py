"""The folder of an agent: made when it is missing, and said when it cannot be."""

import stat
from pathlib import Path

import pytest

from fairlead.agent import ConfigError, make_data_dir


def test_it_is_made_with_those_above_it_for_the_agent_alone(tmp_path: Path) -> None:
    make_data_dir(tmp_path / "var" / "dns")
    assert stat.S_IMODE((tmp_path / "var" / "dns").stat().st_mode) == 0o700


def test_a_file_in_its_place_is_a_mistake_of_whoever_started_the_agent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot use .*/file: File exists; check --data-dir"):
        make_data_dir(tmp_path / "file")
