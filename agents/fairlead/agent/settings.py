"""The file of settings: YAML, one key for each flag, named as the flag is.

    endpoints: [http://10.0.0.1:2379, http://10.0.0.2:2379]
    metrics-listen: 127.0.0.1:9100
    log-format: json

An unknown key is refused by name: a setting that is silently ignored is the worst kind of typing error.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from fairlead.agent.errors import ConfigError


def read_settings(path: Path) -> dict[str, Any]:
    """Return what the file says, by key; nothing for an empty file.

    Raises:
        ConfigError: it cannot be read, is not YAML, or is not a mapping of names to plain values.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", "check --config") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text", "check --config") from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{path} is not YAML: {_where(error)}", "write lines such as 'log-level: info'"
        ) from error
    if settings is None:
        return {}
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise ConfigError(f"{path} holds no settings", "write lines such as 'log-level: info'")
    for name, value in settings.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float | bool) for one in values):
            raise ConfigError(f"{path}: {name} is not a plain value or a list of them", f"correct {name}")
    return settings


def default_map(settings: Mapping[str, Any], *, path: str, command: click.Command) -> dict[str, Any]:
    """Return the settings by the names of the command's parameters, as click wants its defaults.

    Raises:
        ConfigError: a key is no option of the command.
    """
    options = {
        flag.lstrip("-"): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name != "config"
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("--")
    }
    defaults: dict[str, Any] = {}
    for name, value in settings.items():
        option = options.get(name.replace("_", "-"))
        if option is None or option.name is None:
            near = difflib.get_close_matches(name.replace("_", "-"), options, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(options))}"
            raise ConfigError(f"{path}: unknown setting {name}", hint)
        if f"--{name.replace('_', '-')}" in option.secondary_opts:
            value = not value  # noqa: PLW2901 - "no-rec: true" is the other half of one switch
        if isinstance(value, list) and not option.multiple:
            value = ",".join(str(one) for one in value)  # noqa: PLW2901 - the same setting, as a flag has it
        defaults[option.name] = value
    return defaults


def _where(error: yaml.YAMLError) -> str:
    """Return where and what, without the excerpt, which may show a password."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return "it cannot be parsed"
