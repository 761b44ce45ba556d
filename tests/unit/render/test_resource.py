"""confd's resource files, odd fields and wrong ones included."""

import grp
import os
import pwd
from pathlib import Path

import pytest
from tests.unit.render.conftest import ConfDir, MakeResource

from fairlead.render.errors import ResourceError
from fairlead.render.resource import (
    Command,
    Reload,
    Resource,
    keep_last_good,
    load_resources,
    mirrored_prefixes,
    parse_confd,
)


def parse(confdir: ConfDir, text: str) -> Resource:
    return parse_confd(text, name="conf.d/x.toml", settings=confdir.settings())


def test_a_minimal_resource_takes_confds_defaults(make_resource: MakeResource, confdir: ConfDir) -> None:
    resource = make_resource()
    assert resource.files[0].dest == str(confdir.out / "web.conf")
    file = resource.files[0]
    assert (file.mode, file.uid, file.gid) == (None, None, None)
    assert (resource.check, resource.reload, resource.on_failure) == (None, None, "retry")
    assert (resource.root, resource.visible) == ("/", ("/",))


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("0644", 0o644),
        ("0o600", 0o600),
        ("0x1a4", 0o644),
        ("420", 0o644),
        ("0", 0),
        ("04755", 0o4755),
        ("", None),
    ],
)
def test_the_mode_is_read_with_base_0(text: str, mode: int | None, make_resource: MakeResource) -> None:
    assert make_resource(mode=text).files[0].mode == mode


@pytest.mark.parametrize("text", ["rw-r--r--", "0888", "-1", "010000", "9999", " "])
def test_a_mode_that_is_none_is_refused(text: str, make_resource: MakeResource) -> None:
    with pytest.raises(ResourceError, match='is not a mode; write it in octal: mode = "0644"'):
        make_resource(mode=text)


def test_prefixes_are_joined_and_never_replaced(confdir: ConfDir) -> None:
    """In confd a global prefix silently replaces the resource's own."""
    resource = parse_confd(
        '[template]\nsrc="a"\ndest="/b"\nprefix="web/"\nkeys=["/up", "port"]',
        name="conf.d/x.toml",
        settings=confdir.settings(prefix="prod"),
    )
    assert resource.root == "/prod/web"
    assert resource.visible == ("/prod/web/port", "/prod/web/up")


def test_keys_below_other_keys_are_seen_once(make_resource: MakeResource) -> None:
    resource = make_resource(keys=["/foo", "/foo/bar/", "/foo-x", "/foobar", "/foo", "/foo-x/y"])
    assert resource.visible == ("/foo", "/foo-x", "/foobar")
    assert make_resource(keys=["/foo", "/"]).visible == ("/",)


def test_owner_and_group_may_be_names_or_numbers(make_resource: MakeResource) -> None:
    user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(os.getegid())
    resource = make_resource(owner=user.pw_name, group=group.gr_name, uid=4711)
    assert (resource.files[0].uid, resource.files[0].gid) == (user.pw_uid, group.gr_gid)
    assert make_resource(uid=0, gid=33).files[0].gid == 33
    assert make_resource(uid=-1).files[0].uid is None


def test_timeouts_are_durations_as_go_writes_them(make_resource: MakeResource) -> None:
    resource = make_resource(
        check_cmd="a", check_cmd_timeout="1m30s", reload_cmd="b", reload_cmd_timeout="500ms"
    )
    assert resource.check is not None
    assert resource.reload == Reload(command=Command(shell="b", timeout_s=0.5))
    assert resource.check.command.timeout_s == 90.0


def test_the_forks_fields_mean_what_they_are_meant_to(make_resource: MakeResource) -> None:
    """Of a reload that comes too soon the fork loses sight; here it waits."""
    resource = make_resource(
        output_format="yml", min_reload_interval="30s", debounce="2s", reload_cmd="true", check_cmd="true"
    )
    assert resource.reload is not None
    assert resource.reload.min_interval_s == 30.0
    assert (resource.wait.min_s, resource.wait.max_s) == (2.0, 8.0)
    assert resource.files[0].format == "yaml"


def test_field_names_are_not_case_sensitive(confdir: ConfDir) -> None:
    """The decoder of confd takes Src and DEST as well."""
    resource = parse(confdir, '[Template]\nSrc = "a"\nDEST = "/b"')
    assert (resource.files[0].src, resource.files[0].dest) == ("a", "/b")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[template", "is not TOML"),
        ("", "has no [template] table"),
        ("[[template]]\n[[template]]", "several [[template]] tables; write one file for each"),
        ('[template]\ndest = "/b"', 'src is missing; write src = "..."'),
        ('[template]\nsrc = "a"', "dest is missing"),
        ('[template]\nsrc = ""\ndest = "/b"', "src is missing"),
        ('[template]\nreload_cdm = "x"', "field reload_cdm is unknown; is it reload_cmd?"),
        ("[template]\nsrc = 1", "src must be a text, not 1"),
        ('[template]\nsrc = "a"\ndest = "/b"\nmode = 644', "mode must be a text, not 644"),
        ('[template]\nsrc = "a"\ndest = "/b"\nuid = "root"', "uid must be a whole number, not 'root'"),
        ('[template]\nsrc = "a"\ndest = "/b"\nuid = true', "uid must be a whole number, not True"),
        ('[template]\nsrc = "a"\ndest = "/b"\nkeys = "/a"', "keys must be a list of texts, not '/a'"),
        ('[template]\nsrc = "a"\ndest = "/b"\nkeys = [1]', "keys must be a list of texts, not [1]"),
        ('[template]\nsrc = "../a"\ndest = "/b"', "src ../a must be a path inside templates/"),
        ('[template]\nsrc = "a"\ndest = "/b"\nowner = "no-such-user"', "owner no-such-user is not known"),
        ('[template]\nsrc = "a"\ndest = "/b"\nuid = -2', "uid must not be negative"),
        ('[template]\nsrc = "a"\ndest = "/b"\ncheck_cmd_timeout = "30"', "is not a duration"),
        ('[template]\nsrc = "a"\ndest = "/b"\n[backend]\nbackend = "vault"', "[backend] is unknown"),
    ],
)
def test_a_wrong_field_is_one_line_that_names_it(text: str, complaint: str, confdir: ConfDir) -> None:
    with pytest.raises(ResourceError) as caught:
        parse(confdir, text)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("conf.d/x.toml: ")
    assert "\n" not in str(caught.value)


def test_one_bad_file_costs_only_itself(confdir: ConfDir) -> None:
    """In confd one file that does not parse means that nothing is processed."""
    confdir.resource("good")
    (confdir.path / "conf.d" / "bad.toml").write_text("[template")
    (confdir.path / "conf.d" / "binary.toml").write_bytes(b"\xff\xfe")
    (confdir.path / "conf.d" / "sub").mkdir()
    (confdir.path / "conf.d" / "sub" / "deep.toml").write_text('[template]\nsrc = "a"\ndest = "/deep"')
    loaded = load_resources(confdir.settings())
    assert [resource.name for resource in loaded.resources] == ["conf.d/good.toml", "conf.d/sub/deep.toml"]
    assert [problem.resource for problem in loaded.problems] == ["conf.d/bad.toml", "conf.d/binary.toml"]


def test_two_resources_cannot_write_one_file(confdir: ConfDir) -> None:
    confdir.resource("a", dest="/etc/x")
    confdir.resource("b", dest="/etc/x")
    loaded = load_resources(confdir.settings())
    assert [str(problem) for problem in loaded.problems] == [
        "conf.d/b.toml: dest /etc/x is written by conf.d/a.toml already"
    ]


def test_a_file_that_became_wrong_keeps_its_last_good_form(confdir: ConfDir) -> None:
    confdir.resource("a")
    confdir.resource("b")
    before = load_resources(confdir.settings()).resources
    (confdir.path / "conf.d" / "a.toml").write_text("[template")
    (confdir.path / "conf.d" / "b.toml").unlink()
    loaded = load_resources(confdir.settings())
    assert keep_last_good(loaded, before) == before[:1]


def test_the_mirror_covers_what_any_template_may_see(make_resource: MakeResource) -> None:
    resources = (make_resource(keys=["/a/b", "/c"]), make_resource(keys=["/a"]))
    assert mirrored_prefixes(resources) == ("/a", "/c")
    assert mirrored_prefixes(()) == ()


def test_a_missing_directory_holds_no_resources(tmp_path: Path, confdir: ConfDir) -> None:
    assert load_resources(confdir.settings(confdir=tmp_path / "nope")) == ((), ())
