"""What ``app: NAME`` brings is a resource's own words, and can be used."""

import shutil
import tempfile
from pathlib import Path

import pytest
import yaml
from tests.unit.render.conftest import ConfDir

from fairlead.render.command import expand, run_command
from fairlead.render.errors import ResourceError
from fairlead.render.presets import expand_preset, presets
from fairlead.render.resource.group import parse_group
from fairlead.render.resource.model import CommandProbe, Resource

FILES = [{"src": "a.j2", "dest": "/etc/a.conf"}]


def parse(confdir: ConfDir, **fields: object) -> Resource:
    return parse_group(
        yaml.safe_dump({"files": FILES, **fields}), name="conf.d/a.yaml", settings=confdir.settings()
    )


@pytest.mark.parametrize("app", presets())
def test_every_preset_makes_a_resource(app: str, confdir: ConfDir) -> None:
    resource = parse(confdir, app=app)
    assert resource.app == app
    assert resource.on_failure == "rollback"
    # What is reloaded is also looked at, or taken whole by the kernel.
    assert resource.reload is None or resource.verify or app == "nftables"
    # A check sees the new file: by its staged name, or in its place.
    assert (
        resource.check is None
        or resource.check.in_place
        or any("{{ src }}" in word for word in (*resource.check.command.argv, resource.check.command.shell))
    )
    assert all(
        "{{ src }}" not in probe.probe.command.shell
        for probe in resource.verify
        if isinstance(probe.probe, CommandProbe)
    )


def test_the_programs_that_the_manual_names_are_there() -> None:
    named = "nginx haproxy dnsmasq postgres redis memcached unbound bind9 apache2 rsyslog keepalived chrony nftables prometheus"
    assert set(named.split()) <= set(presets())


def test_a_resource_has_its_own_word_where_it_says_one(confdir: ConfDir) -> None:
    resource = parse(confdir, app="nginx", verify=[], reload={"signal": "HUP", "pidfile": "/run/nginx.pid"})
    assert resource.verify == ()
    assert resource.reload is not None
    assert resource.reload.signal == "HUP"
    assert resource.check is not None
    assert resource.check.in_place


def test_an_app_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ResourceError, match=r"app 'nginz' is unknown; known are: apache2, bind9"):
        expand_preset({"app": "nginz"}, name="conf.d/a.yaml")


def test_unbound_and_its_kin_are_checked_as_a_whole(confdir: ConfDir) -> None:
    """A fragment says nothing of the others beside it."""
    for app in ("apache2", "bind9", "nginx", "unbound"):
        check = parse(confdir, app=app).check
        assert check is not None
        assert check.in_place, app


def trial(confdir: ConfDir, app: str, src: Path) -> str:
    """Run a preset's check over ``src``; return what is wrong."""
    check = parse(confdir, app=app).check
    assert check is not None
    argv = expand(check.command, src=str(src), dest=str(src))
    return run_command(argv, timeout_s=20, limits=confdir.settings().limits) or ""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, beside those of the shell's own tools."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("mktemp", "rm", "kill", "sleep"):
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_a_trial_start_names_the_program_that_is_missing(confdir: ConfDir, programs: Path) -> None:
    assert trial(confdir, "redis", confdir.path).endswith("exit status 1: redis-server is not installed")
    program(programs, "redis-server", "exec sleep 100")
    assert trial(confdir, "redis", confdir.path).endswith("exit status 1: redis-cli is not installed")


def test_a_trial_start_without_a_place_to_run_says_where(
    confdir: ConfDir, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not started with a folder of nobody's."""
    program(programs, "redis-server", f"touch {programs}/started")
    program(programs, "redis-cli", "exit 1")
    monkeypatch.setenv("TMPDIR", "/proc/no-such-folder")
    # The renderer's own temporary file is made already.
    monkeypatch.setattr(tempfile, "tempdir", str(programs))
    said = trial(confdir, "redis", confdir.path)
    assert "mktemp: failed to create directory via template" in said
    assert "/proc/no-such-folder" in said
    assert not (programs / "started").exists()


def test_what_the_program_says_of_its_file_is_passed_on_and_nothing_is_left(
    confdir: ConfDir, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = programs / "tmp"
    work.mkdir()
    monkeypatch.setenv("TMPDIR", str(work))
    program(
        programs,
        "redis-server",
        "echo \"Fatal error, can't open config file '$1': Permission denied\"; exit 1",
    )
    program(programs, "redis-cli", "exit 1")
    said = trial(confdir, "redis", confdir.path / "redis.conf")
    assert said.endswith(
        f"exit status 1: Fatal error, can't open config file '{confdir.path}/redis.conf': Permission denied"
    )
    assert list(work.iterdir()) == []
