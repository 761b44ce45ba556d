"""Scripted scenarios with their transcripts, from ``scenarios/``; the language is in `scenario`.

After a change that is meant, ``UPDATE_SCENARIOS=1 pytest tests/unit/raft/test_scenarios.py`` writes the
transcripts anew; read the difference before committing it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.raft.scenario import Scenario

FOLDER = Path(__file__).parent / "scenarios"
FILES = sorted(FOLDER.glob("*.txt"))
INDENT = "    "


def play(text: str) -> Iterator[str]:
    """Run a scenario; yield its lines with the transcript as it is now."""
    scenario = Scenario()
    for line in text.splitlines():
        if line.startswith(INDENT):
            continue
        yield line
        if line and not line.startswith("#"):
            yield from (INDENT + said for said in scenario.run(line))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_goes_as_its_transcript_says(path: Path) -> None:
    text = path.read_text()
    played = "\n".join(play(text)) + "\n"
    if os.environ.get("UPDATE_SCENARIOS"):
        path.write_text(played)
        pytest.skip("its transcript was written anew")
    assert played.splitlines() == text.splitlines()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_says_what_it_shows(path: Path) -> None:
    assert path.read_text().startswith("# ")
    assert max(map(len, path.read_text().splitlines())) <= 220


def test_a_wrong_transcript_is_noticed() -> None:
    """An interpreter that agrees with everything proves nothing."""
    text = "# x\ncluster 1\ncampaign 1\n    1 is leader, term 7\n"
    assert list(play(text)) == ["# x", "cluster 1", "campaign 1", "    1 is candidate, term 1"]


def test_an_unknown_command_is_an_error() -> None:
    with pytest.raises(AttributeError, match="do_dance"):
        Scenario().run("dance 1")
