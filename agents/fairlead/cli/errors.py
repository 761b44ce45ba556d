"""Errors on their last way out: one line on stderr, and an exit status."""

import importlib
import sys

import click

FAILED = 1
# What an operator can mend; the text of each says how.  Named and not imported: an error can only be one of
# these if its package is loaded already, and a command should not load the whole store to fail well.
_OPERATORS = (
    ("fairlead.api", "ApiError"),
    ("fairlead.client", "ClientError"),
    ("fairlead.member", "MemberError"),
    ("fairlead.mvcc", "MvccError"),
    ("fairlead.rpc", "ServerConfigError"),
    ("fairlead.wal", "WalError"),
)


class CliError(Exception):
    """A command cannot do what it was asked; the text says what to do instead."""


def exit_status_of(error: Exception) -> int | None:
    """Print ``error`` as one line; return the status, or None when it is a bug and should be seen whole."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.Abort):
        return 130
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, (CliError, *_loaded())):
        click.echo(f"fairlead: {' '.join(str(error).split())}", err=True)
        return FAILED
    return None


def _loaded() -> tuple[type[Exception], ...]:
    return tuple(
        getattr(importlib.import_module(module), name) for module, name in _OPERATORS if module in sys.modules
    )
