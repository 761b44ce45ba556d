"""What an operator can get wrong, command by command: one line that says what, where and what to do.

Mistakes that need no program of their own are in tests/unit/cli/test_main.py; those of templates, keys and routes
beside each agent.
"""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.cli.command import run, run_here
from tests.support.ports import free_port

AGENTS = ("render", "dns", "proxy")


@pytest.fixture(scope="module")
def taken() -> Iterator[str]:
    """An address that somebody else listens on, over UDP and TCP."""
    address = ("127.0.0.1", free_port())
    with socket.create_server(address), socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(address)
        yield f"127.0.0.1:{address[1]}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with some files that are not what they are given for, and a confdir."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").write_text("{")
    (tmp_path / "unknown.yaml").write_text("listn: x")
    (tmp_path / "text.pem").write_text("no PEM")
    (tmp_path / "confdir" / "conf.d").mkdir(parents=True)
    return tmp_path


def listening(url: str) -> tuple[str, ...]:
    return ("--listen-client-urls", url, "--advertise-client-urls", url)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--nonsense"], 2, r"unknown flag --nonsense; see fairlead store --help"),
        (["--snapshot-cout", "1"], 2, r"unknown flag --snapshot-cout; did you mean --snapshot-count\?"),
        (["--name"], 2, r"--name needs a value"),
        (["m1"], 2, r"unexpected argument 'm1'; flags begin with --"),
        (["--quota-backend-bytes", "lots"], 1, r"--quota-backend-bytes: 'lots' is not a whole number"),
        (["--listen-client-urls", "x"], 1, r"--listen-client-urls: 'x' is no address; write it as http://"),
        (["--config-file", "none.yaml"], 1, r"cannot read none.yaml: No such file .*; check --config-file"),
        (["--config-file", "broken.yaml"], 1, r"broken.yaml is not YAML: .*; mend the file"),
        (["--config-file", "unknown.yaml"], 1, r"unknown.yaml: unknown flag --listn"),
    ],
)
def test_the_store(
    home: Path, words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run_here(capsys, "store", *words)

    assert answer.status == status
    assert re.search(says, answer.refusal)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--data-dir", "text.pem/x"],
            r"text.pem/x: cannot keep data there \(Not a directory\); give another",
        ),
        (
            [*listening("https://127.0.0.1:1"), "--cert-file", "none.pem", "--key-file", "none.pem"],
            r"none.pem: cannot be read \(No such file or directory\); check the path",
        ),
        (
            [*listening("https://127.0.0.1:1"), "--cert-file", "text.pem", "--key-file", "text.pem"],
            r"text.pem: holds no certificate in PEM form; give a file",
        ),
        (listening("https://127.0.0.1:1"), r"an https:// address needs a certificate; give --cert-file"),
    ],
)
def test_the_store_that_has_begun(home: Path, words: list[str], says: str) -> None:
    answer = run("store", *words)

    assert answer.status == 1
    assert re.search(says, answer.refusal)


def test_the_port_of_the_store_is_in_use(home: Path, taken: str) -> None:
    line = run("store", *listening(f"http://{taken}")).refusal

    assert line.startswith(
        f"fairlead: {taken}: cannot listen (address already in use); choose another address"
    )


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--config", "none.yaml"], "cannot read none.yaml: No such file or directory; check --config"),
        (["--config", "broken.yaml"], "broken.yaml is not YAML: line 1: "),
        (["--config", "unknown.yaml"], "unknown.yaml: unknown setting listn; "),
        (["--cacert", "none.pem"], "cannot read none.pem; check --cacert"),
    ],
)
def test_every_agent(
    home: Path, agent: str, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run_here(capsys, agent, *words)

    # The renderer tells its command line from all else, as its page says.
    assert answer.status == (64 if agent == "render" and words[0] in {"--cert", "--endpoints"} else 1)
    assert says in answer.refusal


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--cert", "text.pem"], "a client certificate needs both files: give --cert and --key"),
        (["--endpoints", "x"], "not an endpoint: 'x'; write --endpoints http://HOST:PORT"),
    ],
)
def test_every_agent_refuses_a_value_that_it_cannot_read(
    home: Path, agent: str, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The renderer, to whose scripts 1 and 2 say other things, has 64 for every wrong command line."""
    answer = run_here(capsys, agent, *words)

    assert answer.status == (64 if agent == "render" else 1)
    assert says in answer.refusal


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["dns", "--listen"], "--listen"),
        (["proxy", "--listen"], "--listen"),
        (["proxy", "--metrics-listen"], "--metrics-listen"),
        (["render", "--confdir", "confdir", "--metrics-listen"], "--metrics-listen"),
    ],
)
def test_the_port_of_an_agent_is_in_use(home: Path, taken: str, words: list[str], flag: str) -> None:
    line = run(*words, taken).refusal

    assert f"cannot listen on {taken} ({flag}): the port is in use; stop what listens there" in line


@pytest.mark.parametrize("agent", ["dns", "proxy"])
def test_a_folder_for_the_copy_that_cannot_be_used(home: Path, agent: str) -> None:
    line = run(agent, "--data-dir", "text.pem/x", "--listen", f"127.0.0.1:{free_port()}").refusal

    assert "cannot use text.pem/x: Not a directory; check --data-dir" in line
