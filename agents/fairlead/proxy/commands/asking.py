"""Asking a running proxy's admin socket."""

import http.client
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from fairlead.agent import Address, ConfigError

F = TypeVar("F", bound=Callable[..., Any])
_TIMEOUT_S = 10.0


def admin_options(command: F) -> F:
    """Add ``--admin`` and ``--admin-token-file``."""
    command = click.option(
        "--admin",
        default="127.0.0.1:8182",
        show_default=True,
        metavar="HOST:PORT",
        envvar="FAIRLEAD_PROXY_ADMIN",
        help="Where the proxy's --admin-listen is.",
    )(command)
    return click.option("--admin-token-file", metavar="FILE", help="What it wants to see, if anything.")(
        command
    )


def ask(admin: str, token_file: str | None, path: str, *, post: Mapping[str, Any] | None = None) -> Any:
    """Return what the admin socket answers to a path.

    Raises:
        ConfigError: nobody answers there, or not with what was asked for.
    """
    address = Address.parse(admin, flag="--admin")
    headers = {"Authorization": f"Bearer {read_token(token_file)}"} if token_file else {}
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_TIMEOUT_S)
    try:
        body = None if post is None else json.dumps(post)
        connection.request("GET" if post is None else "POST", path, body=body, headers=headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConfigError(
            f"no proxy answers at {admin}", "start one with --admin-listen, or give --admin"
        ) from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise ConfigError(
            f"{admin} says: {answer.get('message', response.status)}", "see its --admin-token-file"
        )
    return answer


def read_token(path: str) -> str:
    """Return the token in a file.

    Raises:
        ConfigError: it cannot be read, or holds none.
    """
    try:
        token = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}", "check --admin-token-file") from error
    if not token:
        raise ConfigError(f"{path} is empty", "write a long random word into it")
    return token
