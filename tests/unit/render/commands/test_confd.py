"""confd's command line, word for word, with ``fairlead render`` in the place of ``confd``."""

from pathlib import Path

import pytest

from fairlead.agent import ConfigError
from fairlead.cli import main
from fairlead.render.commands.confd import translate_arguments


@pytest.mark.parametrize(
    ("confd", "ours"),
    [
        ("-onetime -backend etcdv3 -node http://10.0.0.1:2379", "--endpoints http://10.0.0.1:2379 --onetime"),
        (
            "--onetime --node 10.0.0.1:2379 --node=10.0.0.2:2379",
            "--endpoints http://10.0.0.1:2379,http://10.0.0.2:2379 --onetime",
        ),
        ("-watch -prefix /prod -confdir /etc/confd", "--prefix /prod --watch --confdir /etc/confd"),
        ("-interval 60 -log-level warn", "--interval 60 --log-level warning"),
        ("-interval=60 -watch=false -noop=true", "--interval 60 --noop"),
        ("-watch -interval 60", "--watch"),
        ("-onetime -watch -sync-only -keep-stage-file", "--onetime --sync-only --keep-stage-file"),
        ("-node 10.0.0.1:2379 -scheme https", "--endpoints https://10.0.0.1:2379"),
        (
            "-node a:1 -client-cert c -client-key k -client-ca-keys a",
            "--endpoints https://a:1 --cacert a --cert c --key k",
        ),
        ("-basic-auth -username u -password p", "--user u:p"),
        ("-onetime --metrics-listen :9100", "--onetime --metrics-listen :9100"),
    ],
)
def test_a_command_line_of_confd_is_one_of_ours(confd: str, ours: str) -> None:
    assert translate_arguments(confd.split(), environ={}) == ours.split()


@pytest.mark.parametrize(
    "args",
    ["", "--onetime --noop", "--watch --interval 5", "--endpoints http://a:1 --log-level info", "--nonsense"],
)
def test_what_is_ours_already_stays_as_it_is(args: str) -> None:
    assert translate_arguments(args.split(), environ={"CONFD_VERSION": "0.16", "HOME": "/"}) == args.split()


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "confd.toml"
    file.write_text(
        'backend = "etcdv3"\nnodes = ["http://file:1"]\nprefix = "/file"\ninterval = 300\nlog-level = "debug"\n'
    )
    environ = {"CONFD_PREFIX": "/env", "CONFD_NODE": "http://env:1", "CONFD_CLIENT_CAKEYS": "/ca"}
    args = ["-config-file", str(file), "-node", "http://flag:1"]
    assert translate_arguments(args, environ=environ) == [
        *("--endpoints", "http://flag:1", "--prefix", "/env", "--interval", "300"),
        *("--cacert", "/ca", "--log-level", "debug"),
    ]
    assert translate_arguments([], environ={"CONFD_CONFIG_FILE": str(file)})[:2] == [
        "--endpoints",
        "http://file:1",
    ]


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ("-backend consul", "confd's backend consul is not read; copy its keys to the store"),
        ("-backend etcd", "version 2 is not spoken"),
        ("-node a:1 -auth-token x", "confd's auth_token is not translated"),
        ("-node", "flag -node needs a value; write -node=VALUE"),
        ("-watch=maybe", "-watch is true or false, not 'maybe'; write -watch=true"),
        ("-interval soon", "-interval takes a number, not 'soon'"),
        ("-config-file /does/not/exist", "/does/not/exist: No such file or directory; check --config-file"),
    ],
)
def test_what_has_no_place_here_is_refused_by_name(args: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        translate_arguments(args.split(), environ={})
    assert complaint in str(caught.value.message)


def test_the_command_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "conf.d").mkdir()
    assert main(["render", "-onetime", "-confdir", str(tmp_path)]) == 0
    assert capsys.readouterr().err == f"fairlead render: no resources in {tmp_path}/conf.d\n"
