"""What stops an agent that the operator can put right.

    ConfigError         an option, a file or an address that cannot be used
    └── OptionError     what an option was given is no such thing: no address, no number

Anything else that ends an agent is a bug, and crashes with a traceback.
"""

import errno
from typing import IO, Any

import click


class ConfigError(click.ClickException):
    """The operator got something wrong: one line says what, where and what to do.

    It is click's own kind of error, so that a command that raises it prints the line and exits with status 1.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        """Join what is wrong and what to do about it."""
        super().__init__(f"{message}; {hint}" if hint else message)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line on stderr."""
        click.echo(f"fairlead: {self.format_message()}", file=file, err=file is None)


class OptionError(ConfigError):
    """What an option was given cannot be read; a command that has a status for wrong command lines exits with that."""


def listen_error(error: OSError, address: object, *, flag: str) -> ConfigError:
    """Return the line for an address that cannot be bound: which, by which flag, and what to do.

    Args:
        error: from the attempt to bind.
        address: as the operator wrote it.
        flag: that gave the address, such as ``--listen``.
    """
    hints = {
        errno.EADDRINUSE: f"stop what listens there (ss -lntup shows it), or give another {flag}",
        errno.EACCES: f"ports below 1024 need CAP_NET_BIND_SERVICE, or give another {flag}",
        errno.EADDRNOTAVAIL: f"this host has no such address (ip addr shows those it has): give another {flag}",
    }
    # asyncio wraps the system's text in its own; errno has the plain one.
    reasons = {
        errno.EADDRINUSE: "the port is in use",
        errno.EACCES: "permission denied",
        errno.EADDRNOTAVAIL: "not an address of this host",
    }
    number = error.errno or 0
    reason = reasons.get(number) or error.strerror or str(error)
    return ConfigError(f"cannot listen on {address} ({flag}): {reason}", hints.get(number, f"check {flag}"))
