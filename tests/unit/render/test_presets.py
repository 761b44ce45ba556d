"""What ``app: NAME`` brings is a resource's own words, and can be used."""

import pytest
import yaml
from tests.unit.render.conftest import ConfDir

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
