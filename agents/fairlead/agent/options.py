"""What every agent can be told, and where it is told: a flag, else the environment, else the file.

``common_options("dns")`` adds the shared flags to a click command.  From then on every option of that command,
shared or not, may also be given as ``FAIRLEAD_DNS_<FLAG>`` and as a key of ``--config FILE.yaml`` that is named
as the flag is; the shared ones as ``FAIRLEAD_<FLAG>`` too.
"""

import functools
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from fairlead.agent.errors import ConfigError, OptionError
from fairlead.agent.settings import default_map, read_settings
from fairlead.client import Credentials, Endpoint, EndpointError, Tls

DEFAULT_ENDPOINT = "http://127.0.0.1:2379"
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("console", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host and a port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in options; an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str, *, flag: str) -> "Address":
        """Return the address that ``HOST:PORT`` names; an empty host is every address.

        Raises:
            ConfigError: it names none.
        """
        host, colon, port = text.strip().rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise OptionError(f"not an address: {text!r}", f"write {flag} HOST:PORT, such as 127.0.0.1:8080")
        return cls(host=host or "0.0.0.0", port=int(port))  # noqa: S104 - what ":8080" means everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """What every agent is told.

    Attributes:
        config: the file of settings, for a reload.
        metrics_listen: where /metrics, /healthz and /readyz are served; None: nowhere.
        metrics_is_shared: other processes may listen there too, such as this one's successor.
        host: what the status key is named after.
        pinned: settings that a flag or the environment gave; a reload of the file leaves them.
    """

    endpoints: tuple[str, ...] = (DEFAULT_ENDPOINT,)
    tls: Tls | None = None
    credentials: Credentials | None = None
    config: Path | None = None
    metrics_listen: Address | None = None
    metrics_is_shared: bool = False
    log_level: str = "info"
    log_format: str = "console"
    host: str = field(default_factory=socket.gethostname)
    pinned: frozenset[str] = frozenset()


class _CommonOption(click.Option):
    """An option that ``FAIRLEAD_<FLAG>`` sets for every agent, and ``FAIRLEAD_<KIND>_<FLAG>`` for one."""

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert self.name is not None
        self.envvar = [f"FAIRLEAD_{kind.upper()}_{self.name.upper()}", f"FAIRLEAD_{self.name.upper()}"]


def common_options(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the shared options and hands them over as ``options: AgentOptions``.

    Put it directly below ``@click.command``; the options of the agent itself come below it.

    Args:
        kind: the agent, as in ``fairlead dns``.
    """
    decorators = _decorators(kind)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(**values: Any) -> Any:
            common = {name: values.pop(name) for name in COMMON_NAMES}
            return function(options=_options(common, click.get_current_context()), **values)

        decorated: Callable[..., Any] = command
        for add in reversed(decorators):
            decorated = add(decorated)
        return decorated

    return decorate


def _decorators(kind: str) -> list[Callable[..., Any]]:
    """Return the shared options, in the order of the help."""
    flag = functools.partial(click.option, cls=_CommonOption, kind=kind)
    return [
        flag(
            "--endpoints", default=DEFAULT_ENDPOINT, show_default=True, metavar="URL[,URL]", help="The store."
        ),
        flag("--cacert", metavar="FILE", help="CA that signed the store's certificate (PEM)."),
        flag("--cert", metavar="FILE", help="Client certificate (PEM)."),
        flag("--key", metavar="FILE", help="Key of the client certificate (PEM)."),
        flag(
            "--user", metavar="NAME:PASSWORD", help="User of the store; safer in the environment or a file."
        ),
        flag("--metrics-listen", metavar="HOST:PORT", help="Serve /metrics, /healthz and /readyz here."),
        flag(
            "--log-level",
            type=click.Choice(LOG_LEVELS),
            default="info",
            show_default=True,
            help="Least to log.",
        ),
        flag(
            "--log-format",
            type=click.Choice(LOG_FORMATS),
            default="console",
            show_default=True,
            help="For people or for machines.",
        ),
        flag(
            "--config",
            metavar="FILE.yaml",
            is_eager=True,
            callback=functools.partial(_use_file, kind),
            help="Settings, named as the flags are; flags and environment come first.",
        ),
    ]


COMMON_NAMES = (
    "endpoints", "cacert", "cert", "key", "user", "metrics_listen", "log_level", "log_format", "config",
)  # fmt: skip


def _use_file(kind: str, context: click.Context, _: click.Parameter, value: str | None) -> str | None:
    """Let the file's settings stand in for options that are not given; eager, so before all others."""
    context.auto_envvar_prefix = f"FAIRLEAD_{kind.upper()}"
    if value is not None:
        context.default_map = default_map(read_settings(Path(value)), path=value, command=context.command)
    return value


def _options(values: Mapping[str, Any], context: click.Context) -> AgentOptions:
    files = {name: Path(values[name]) for name in ("cacert", "cert", "key") if values[name]}
    try:
        tls = Tls(ca=files.get("cacert"), cert=files.get("cert"), key=files.get("key")) if files else None
        endpoints = tuple(part for part in values["endpoints"].split(",") if part.strip())
        for endpoint in endpoints or ("",):
            Endpoint.parse(endpoint, tls=tls)
        credentials = Credentials.parse(values["user"]) if values["user"] else None
    except EndpointError as error:
        raise OptionError(str(error)) from error
    for name, path in files.items():
        if not os.access(path, os.R_OK):
            raise ConfigError(f"cannot read {path}", f"check --{name}")
    listen = values["metrics_listen"]
    given = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}
    return AgentOptions(
        endpoints=endpoints,
        tls=tls,
        credentials=credentials,
        config=Path(values["config"]) if values["config"] else None,
        metrics_listen=Address.parse(listen, flag="--metrics-listen") if listen else None,
        log_level=values["log_level"],
        log_format=values["log_format"],
        pinned=frozenset(name for name in COMMON_NAMES if context.get_parameter_source(name) in given),
    )
