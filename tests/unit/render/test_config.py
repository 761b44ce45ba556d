"""Where the journal is."""

import os
from pathlib import Path

import pytest

from fairlead.agent import ConfigError
from fairlead.render.config import RenderSettings

CONFDIR = Path("/etc/fairlead/render")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def folder(state_dir: Path | None = None) -> Path:
    return RenderSettings(confdir=CONFDIR, state_dir=state_dir).state_folder


def be_user(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)


def test_each_confdir_of_root_has_one_below_var_lib(monkeypatch: pytest.MonkeyPatch) -> None:
    be_user(monkeypatch, 0)
    assert folder() == Path("/var/lib/fairlead/render/etc-fairlead-render")


def test_a_plain_user_has_them_at_home_or_where_xdg_says(monkeypatch: pytest.MonkeyPatch) -> None:
    be_user(monkeypatch, 1000)
    monkeypatch.setenv("HOME", "/home/u")
    assert folder() == Path("/home/u/.local/state/fairlead/render/etc-fairlead-render")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert folder() == Path("/home/u/.local/state/fairlead/render/etc-fairlead-render")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert folder() == Path("/state/fairlead/render/etc-fairlead-render")


def test_systemd_and_the_flag_name_the_folder_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/r:/var/lib/other")
    assert folder() == Path("/var/lib/r")
    assert folder(state_dir=Path("/flag")) == Path("/flag")


def test_a_user_without_a_home_is_told_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's ``--user 12345``: no home in the environment, none in the list of users."""
    be_user(monkeypatch, 12345)
    monkeypatch.delenv("HOME", raising=False)

    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(
        ConfigError, match="user 12345 has no home to keep a journal in; give --state-dir DIR"
    ):
        folder()
