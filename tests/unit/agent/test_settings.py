from pathlib import Path

import click
import pytest

from fairlead.agent import ConfigError
from fairlead.agent.settings import default_map, read_settings


@click.command
@click.option("--log-level")
@click.option("--workers", type=int)
@click.option("--zone", multiple=True)
@click.option("--rec/--no-rec", default=True)
@click.option("--config")
def command(**_: object) -> None:
    """Stand in for an agent's command."""


def written(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_settings_are_named_as_the_flags_are() -> None:
    settings = {"log-level": "debug", "workers": 3, "zone": ["a", "b"], "no-rec": True}

    assert default_map(settings, path="f", command=command) == {
        "log_level": "debug",
        "workers": 3,
        "zone": ["a", "b"],
        "rec": False,
    }


def test_underscores_are_taken_for_dashes() -> None:
    assert default_map({"log_level": "debug"}, path="f", command=command) == {"log_level": "debug"}


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match=r"f\.yaml: unknown setting worker; did you mean workers\?"):
        default_map({"worker": 3}, path="f.yaml", command=command)


def test_an_unknown_setting_that_is_near_to_none_gets_the_whole_list() -> None:
    with pytest.raises(ConfigError, match="known are log-level, no-rec, rec, workers, zone"):
        default_map({"xyzzy": 3}, path="f", command=command)


def test_a_file_cannot_name_another_file() -> None:
    with pytest.raises(ConfigError, match="unknown setting config"):
        default_map({"config": "other.yaml"}, path="f", command=command)


def test_an_empty_file_settles_nothing(tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, "# nothing yet\n")) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "is not YAML: line 1"),
        ("just words", "holds no settings"),
        ("1: 2", "holds no settings"),
        ("a: {b: c}", "a is not a plain value"),
        ("a:", "a is not a plain value"),
        ("password: secret: x", "line 1"),
    ],
)
def test_what_is_no_settings_is_refused_in_one_line_without_its_values(
    tmp_path: Path, text: str, says: str
) -> None:
    path = written(tmp_path, text)

    with pytest.raises(ConfigError, match=says) as caught:
        read_settings(path)

    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert "secret" not in caught.value.message


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*: No such file or directory; check --config"):
        read_settings(tmp_path / "absent")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_settings(tmp_path / "binary")
