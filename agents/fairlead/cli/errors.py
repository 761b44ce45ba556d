"""Errors on their last way out: one line on stderr, and an exit status."""

import click

from fairlead.api import ApiError
from fairlead.client import ClientError
from fairlead.member import MemberError
from fairlead.mvcc import MvccError
from fairlead.rpc import ServerConfigError
from fairlead.wal import WalError

FAILED = 1
# What an operator can mend; the text of each says how.
_OPERATORS = (ApiError, ClientError, MemberError, MvccError, ServerConfigError, WalError)


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
    if isinstance(error, (CliError, *_OPERATORS)):
        click.echo(f"fairlead: {' '.join(str(error).split())}", err=True)
        return FAILED
    return None
