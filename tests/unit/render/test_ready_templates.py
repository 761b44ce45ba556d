"""The folders of ``templates/``: each is sound, and each of its tests holds."""

from pathlib import Path

import pytest

from fairlead.cli import main

FOLDERS = sorted(path for path in (Path(__file__).parents[3] / "templates").iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_it_is_sound_and_its_tests_hold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["render", "check", "--confdir", str(folder)]) or main(
        ["render", "test", "--confdir", str(folder)]
    )
    shown = capsys.readouterr()
    assert status == 0, shown.out + shown.err


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_it_says_which_keys_it_reads_and_withstands_a_bad_value(folder: Path) -> None:
    manual = (folder / "README.md").read_text()
    assert "| key | value |" in manual
    cases = [path.read_text() for path in (folder / "tests").glob("*.yaml")]
    assert any("error:" in case for case in cases) or folder.name == "prometheus"


def test_the_list_of_folders_is_whole() -> None:
    listed = (FOLDERS[0].parent / "README.md").read_text()
    assert [folder.name for folder in FOLDERS if f"| `{folder.name}` |" not in listed] == []
