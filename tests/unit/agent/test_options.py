from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from fairlead.agent import Address, AgentOptions, ConfigError, common_options

SEEN: list[tuple[AgentOptions, int]] = []


@click.command
@common_options("dns")
@click.option("--workers", type=int, default=1)
def dns(*, options: AgentOptions, workers: int) -> None:
    """Stand in for an agent."""
    SEEN.append((options, workers))


def run(*argv: str, env: dict[str, str] | None = None) -> Result:
    SEEN.clear()
    return CliRunner().invoke(dns, argv, env=env)


def options_of(*argv: str, env: dict[str, str] | None = None) -> AgentOptions:
    result = run(*argv, env=env)
    assert result.exit_code == 0, result.output
    return SEEN[0][0]


def test_without_anything_given_the_store_is_on_this_host() -> None:
    options = options_of()

    assert options.endpoints == ("http://127.0.0.1:2379",)
    assert (options.tls, options.credentials, options.metrics_listen) == (None, None, None)


def test_a_flag_goes_before_the_agents_variable_that_before_the_shared_one_and_that_before_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("log-level: error\nworkers: 7\n")
    file = {"FAIRLEAD_CONFIG": str(path)}
    shared = {**file, "FAIRLEAD_LOG_LEVEL": "warning"}
    own = {**shared, "FAIRLEAD_DNS_LOG_LEVEL": "debug", "FAIRLEAD_DNS_WORKERS": "5"}

    assert options_of(env=file).log_level == "error"
    assert SEEN[0][1] == 7
    assert options_of(env=shared).log_level == "warning"
    assert options_of(env=own).log_level == "debug"
    assert SEEN[0][1] == 5
    assert options_of("--log-level", "info", "--workers", "2", env=own).log_level == "info"
    assert SEEN[0][1] == 2


def test_what_a_flag_or_the_environment_gave_is_remembered(tmp_path: Path) -> None:
    """A reload of the file must not override it."""
    path = tmp_path / "f.yaml"
    path.write_text("log-format: json\n")
    options = options_of("--config", str(path), env={"FAIRLEAD_LOG_LEVEL": "debug"})

    assert options.log_format == "json"
    assert options.pinned == {"config", "log_level"}


def test_endpoints_may_be_a_list_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("endpoints: [http://a:1, http://b:2]\n")

    assert options_of("--config", str(path)).endpoints == ("http://a:1", "http://b:2")


def test_a_value_of_the_wrong_kind_in_the_file_is_refused_as_one_on_the_command_line_is(
    tmp_path: Path,
) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("workers: many\n")
    result = run("--config", str(path))

    assert result.exit_code == 2
    assert "'many' is not a valid integer" in result.output


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--endpoints", "nowhere"], "not an endpoint: 'nowhere'"),
        (["--endpoints", ","], "not an endpoint"),
        (["--cert", "c.pem"], "give --cert and --key"),
        (["--cacert", "absent.pem"], "cannot read absent.pem; check --cacert"),
        (["--user", "app"], "NAME:PASSWORD"),
        (["--metrics-listen", "9100"], "not an address: '9100'; write --metrics-listen HOST:PORT"),
        (["--config", "absent.yaml"], "cannot read absent.yaml"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_status_1(argv: list[str], says: str) -> None:
    result = run(*argv)

    assert result.exit_code == 1
    assert result.output.startswith("fairlead: ")
    assert says in result.output
    assert result.output.count("\n") == 1


def test_an_unknown_flag_is_a_usage_error() -> None:
    assert run("--xyzzy").exit_code == 2


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80, "127.0.0.1:80"),
        (":80", "0.0.0.0", 80, "0.0.0.0:80"),
        ("[::1]:0", "::1", 0, "[::1]:0"),
    ],
)
def test_an_address_reads_as_it_is_written(text: str, host: str, port: int, shown: str) -> None:
    address = Address.parse(text, flag="--listen")

    assert (address.host, address.port, str(address)) == (host, port, shown)


@pytest.mark.parametrize("text", ["", "80", "host:", "host:http", "host:65536"])
def test_what_is_no_address_is_refused_with_its_flag(text: str) -> None:
    with pytest.raises(ConfigError, match="write --listen HOST:PORT"):
        Address.parse(text, flag="--listen")
