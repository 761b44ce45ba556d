"""Flags: etcd's forms, their order of precedence, and one clear line for each mistake."""

from pathlib import Path

import pytest

from fairlead.api import ConfigError, help_text, load_config
from fairlead.api.flags import FLAGS, duration_s, read_settings


@pytest.mark.parametrize("words", [["--name", "m1"], ["--name=m1"], ["-name", "m1"], ["-name=m1"]])
def test_a_flag_is_given_as_etcd_takes_it(words: list[str]) -> None:
    assert read_settings(words, {})["name"] == "m1"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.yaml"
    path.write_text("name: from-file\nmax-txn-ops: 5\nsnapshot-count: 7\n")
    environ = {"FAIRLEAD_NAME": "from-environment", "FAIRLEAD_MAX_TXN_OPS": "6"}
    settings = read_settings(["--config-file", str(path), "--name", "from-flag"], environ)
    assert (settings["name"], settings["max-txn-ops"], settings["snapshot-count"]) == ("from-flag", 6, 7)


def test_other_variables_are_not_ours() -> None:
    assert read_settings([], {"FAIRLEAD_REQUIRE_PEERS": "1", "ETCD_NAME": "x"})["name"] == "default"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nmae", "x"], "unknown flag --nmae; did you mean --name?"),
        (["--quota-backend-bytes", "many"], "--quota-backend-bytes: 'many' is not a whole number"),
        (["--election-timeout"], "--election-timeout needs a value"),
        (["--backend-batch-interval", "5 parsecs"], "is not a duration such as 5m"),
        (["--client-cert-auth=perhaps"], "is not true or false"),
        (["serve"], "unexpected argument 'serve'"),
        (["--config-file", "/nonexistent"], "cannot read /nonexistent"),
        (["--listen-client-urls", "localhost:2379"], "write it as http://127.0.0.1:2379"),
        (["--listen-client-urls", "http://localhost"], "is no address"),
        (["--election-timeout", "200"], "at least 5 times --heartbeat-interval"),
        (["--auto-compaction-mode", "magic"], "use periodic or revision"),
        (["--auto-compaction-retention", "soon"], "does not fit the mode periodic"),
        (["--listen-client-urls", "https://h:1"], "give --cert-file and --key-file"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(words, {})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"), [("a: [", "is not YAML"), ("- a", "holds no settings"), ("nmae: x", "--name")]
)
def test_a_bad_file_is_one_line_too(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(["--config-file", str(path)], {})
    assert "\n" not in str(caught.value)


def test_a_flag_without_meaning_here_is_taken_with_a_warning() -> None:
    warnings = load_config(["--metrics=basic", "--logger", "zap"], {}).warnings
    assert warnings == (
        "--metrics means nothing here and is ignored",
        "--logger means nothing here and is ignored",
    )


def test_an_older_name_of_a_flag_still_works() -> None:
    config = load_config(["--experimental-watch-progress-notify-interval", "5s"], {})
    assert config.progress_notify_s == 5.0
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("100ms", 0.1), ("1h30m", 5400.0), ("2s", 2.0), ("0", 0.0), ("1.5s", 1.5), ("250us", 0.00025)],
)
def test_durations_are_read_as_go_writes_them(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


def test_a_quota_of_zero_is_two_gibibytes_and_a_negative_one_is_none() -> None:
    assert load_config([], {}).member.quota_bytes == 2 * 1024**3
    assert load_config(["--quota-backend-bytes", "-1"], {}).member.quota_bytes == -1


def test_the_shortest_lease_and_the_request_timeout_follow_the_election_timeout() -> None:
    config = load_config([], {}).member
    assert (config.lease_ttl_min_s, config.request_timeout_s) == (2, 7.0)
    config = load_config(["--election-timeout", "5000"], {}).member
    assert (config.lease_ttl_min_s, config.request_timeout_s) == (8, 15.0)


def test_every_flag_that_means_something_is_in_the_help() -> None:
    text = help_text()
    assert [flag.name for flag in FLAGS if f"{flag.name}" not in text] == []
