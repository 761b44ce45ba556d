"""Resources in YAML: every field, and one line for each that is wrong."""

from pathlib import Path

import pytest
from tests.unit.render.conftest import LIMITS, ConfDir

from fairlead.render.errors import ResourceError
from fairlead.render.resource import (
    Check,
    Child,
    Command,
    CommandProbe,
    Delimiters,
    FileSpec,
    Guard,
    HttpProbe,
    LogProbe,
    Reload,
    Resource,
    Rollout,
    TcpProbe,
    UnitProbe,
    Verify,
    Wait,
    load_resources,
    parse_group,
)

FULL = r"""
group: nginx
files:
  - {src: nginx.conf.j2, dest: /etc/nginx/nginx.conf, mode: "0640", uid: 0}
  - {src: vhost.j2, foreach: "lsdir('/sites')", dest: "/etc/nginx/conf.d/{{ item }}.conf", prune: true}
prefix: /prod/web
keys: [/sites, /up]
guards: {"gets('/up/*')": {min: 1, max_drop: 50%}, "getv('/name')": {not_empty: true, max: 40}}
check: {cmd: [nginx, -t, -q], in_place: true, timeout: 10s}
reload: {unit: nginx, action: restart, timeout: 30s, min_interval: 5s}
verify:
  - {http: "http://127.0.0.1/healthz", expect: [200, 204], within: 3s}
  - {tcp: "127.0.0.1:80"}
  - {cmd: [pgrep, nginx], timeout: 1s}
  - {unit_active: nginx}
  - {log_absent: /var/log/nginx/error.log, match: "\\[emerg\\]", within: 1s}
wait: {min: 1s, max: 10s}
rollout: {group: web, max: 2, canary: [web1], soak: 60s, on_failure: halt}
delimiters: {variable: ["<<", ">>"]}
on_failure: rollback
on_first_failure: remove
"""
ONE = "files: [{src: a, dest: /b}]\n"


def parse(confdir: ConfDir, text: str) -> Resource:
    return parse_group(text, name="conf.d/x.yaml", settings=confdir.settings())


def test_every_field_finds_its_place(confdir: ConfDir) -> None:
    assert parse(confdir, FULL) == Resource(
        name="conf.d/x.yaml",
        group="nginx",
        files=(
            FileSpec(src="nginx.conf.j2", dest="/etc/nginx/nginx.conf", mode=0o640, uid=0),
            FileSpec(
                src="vhost.j2",
                dest="/etc/nginx/conf.d/{{ item }}.conf",
                foreach="lsdir('/sites')",
                prune=True,
            ),
        ),
        root="/prod/web",
        visible=("/prod/web/sites", "/prod/web/up"),
        guards=(
            Guard(expression="gets('/up/*')", min=1, max_drop=0.5),
            Guard(expression="getv('/name')", max=40, not_empty=True),
        ),
        check=Check(command=Command(argv=("nginx", "-t", "-q"), timeout_s=10.0), in_place=True),
        reload=Reload(
            command=Command(argv=("systemctl", "restart", "nginx"), timeout_s=30.0), min_interval_s=5.0
        ),
        verify=(
            Verify(probe=HttpProbe(url="http://127.0.0.1/healthz", expect=(200, 204)), within_s=3.0),
            Verify(probe=TcpProbe(host="127.0.0.1", port=80)),
            Verify(probe=CommandProbe(command=Command(argv=("pgrep", "nginx"), timeout_s=1.0))),
            Verify(probe=UnitProbe(unit="nginx")),
            Verify(probe=LogProbe(path="/var/log/nginx/error.log", pattern=r"\[emerg\]"), within_s=1.0),
        ),
        wait=Wait(min_s=1.0, max_s=10.0),
        rollout=Rollout(group="web", max=2, canary=("web1",), soak_s=60.0),
        delimiters=Delimiters(variable=("<<", ">>")),
        on_failure="rollback",
        remove_on_first_failure=True,
    )


def test_what_is_left_out_is_harmless(confdir: ConfDir) -> None:
    resource = parse(confdir, ONE)
    assert resource == Resource(name="conf.d/x.yaml", group="x", files=(FileSpec(src="a", dest="/b"),))


def test_a_program_may_be_run_and_signalled(confdir: ConfDir) -> None:
    resource = parse(confdir, ONE + "exec: {cmd: [app, -f], stop_signal: sigint}\nreload: {signal: HUP}")
    assert resource.child == Child(argv=("app", "-f"), stop_signal="INT")
    assert resource.reload == Reload(signal="HUP")


def test_a_shell_is_asked_for_by_name(confdir: ConfDir) -> None:
    resource = parse(confdir, ONE + "check: {shell: 'a | b'}\nwait: {min: 2s}")
    assert resource.check == Check(command=Command(shell="a | b", timeout_s=LIMITS.check_timeout_s))
    assert resource.wait == Wait(min_s=2.0, max_s=8.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("files: [", "is not YAML: line 1: "),
        ("- a", "holds no resource"),
        ("group: x", "files is missing"),
        ("files: x", "files must be a list of texts, not 'x'"),
        ("files: [x]", "files[0] must be a mapping such as {src: ...}, not 'x'"),
        ("files: [{src: a}]", "files[0].dest is missing"),
        ("files: [{src: a, dest: b}]", "files[0].dest b must be an absolute path"),
        ("files: [{src: a, dset: /b}]", "field files[0].dset is unknown; is it files[0].dest?"),
        ("files: [{src: ../a, dest: /b}]", "files[0].src ../a must be a path inside templates/"),
        ("files: [{src: a, dest: '/{{ item }}'}]", "go with foreach only"),
        ("files: [{src: a, dest: /b, mode: 0644}]", "files[0].mode must be a text, not 420"),
        ("files: [{src: a, dest: /b, format: jsn}]", "files[0].format must be one of"),
        (ONE + "relaod: {}", "field relaod is unknown; is it reload?"),
        (ONE + "group: 'a b'", "group 'a b' must be letters"),
        (ONE + "app: emacs", "app 'emacs' is unknown"),
        (ONE + "check: {cmd: nginx -t}", "check.cmd must be a list of texts, not 'nginx -t'"),
        (ONE + "check: {}", "check.cmd must be a list [PROGRAM, ARGUMENT], or write check.shell"),
        (ONE + "check: {cmd: [a], timeout: 5}", "check.timeout must be a text, not 5"),
        (ONE + "check: {cmd: [a], timeout: 0s}", "check.timeout must be more than nothing"),
        (ONE + "check: {cmd: [a], in_place: 'yes'}", "check.in_place must be true or false, not 'yes'"),
        (ONE + "reload: {signal: HUP}", "reload.signal needs reload.pidfile"),
        (ONE + "reload: {unit: a, action: jump}", "reload.action must be one of reload"),
        (ONE + "guards: {x: {}}", "guards.x says nothing"),
        (ONE + "guards: [x]", "guards must be a mapping"),
        (ONE + "guards: {x: {max_drop: half}}", "max_drop 'half' is not a share"),
        (ONE + "guards: {x: {max_drop: 101%}}", "max_drop '101%' is not a share"),
        (ONE + "guards: {x: {min: -1}}", "min must be at least 0, is -1"),
        (ONE + "verify: [{}]", "verify[0] must name one of http, tcp"),
        (ONE + "verify: [{http: x}]", "verify[0].http 'x' is not a URL"),
        (ONE + "verify: [{http: 'http://x', expect: ok}]", "verify[0].expect must be a status"),
        (ONE + "verify: [{tcp: 'x:0'}]", "verify[0].tcp must be HOST:PORT"),
        (ONE + "verify: [{cmd: x}]", "verify[0].cmd must be a list of texts"),
        (ONE + "verify: [{log_absent: /x, match: '['}]", "is not a regular expression"),
        (ONE + "verify: [{tcp: 'x:1', unit_active: y}]", "verify[0] must name one of"),
        (ONE + "wait: {min: 2s, max: 1s}", "wait.max must not be less than wait.min"),
        (ONE + "rollout: {}", "rollout.group is missing"),
        (ONE + "rollout: {group: a, max: 0}", "rollout.max must be at least 1, is 0"),
        (ONE + "exec: {}", "exec.cmd is missing"),
        (ONE + "delimiters: {variable: ['<<']}", "delimiters.variable must be two texts"),
        (ONE + "on_failure: pray", "on_failure must be one of rollback, retry, not 'pray'"),
    ],
)
def test_a_wrong_field_is_one_line_that_names_it(text: str, complaint: str, confdir: ConfDir) -> None:
    with pytest.raises(ResourceError) as caught:
        parse(confdir, text)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("conf.d/x.yaml: ")
    assert "\n" not in str(caught.value)


def test_both_notations_are_loaded_and_names_are_taken_once(confdir: ConfDir) -> None:
    def write(name: str, text: str) -> None:
        (Path(confdir.path) / "conf.d" / name).write_text(text)

    confdir.resource("app", dest="/app")
    write("app.yaml", "files: [{src: a, dest: /other}]")
    write("b.yml", "files: [{src: a, dest: /app}]")
    write("c.yaml", "files: [{src: a, dest: /c}, {src: b, dest: /c}]")
    write("d.yaml", "files: [{src: a, dest: /d}]")
    loaded = load_resources(confdir.settings())
    assert [resource.group for resource in loaded.resources] == ["app", "d"]
    assert [str(problem) for problem in loaded.problems] == [
        "conf.d/app.yaml: group app is the name of conf.d/app.toml already",
        "conf.d/b.yml: dest /app is written by conf.d/app.toml already",
        "conf.d/c.yaml: dest /c stands twice among its files",
    ]
