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
    ("fairlead.compiled", "StaleError"),
    ("fairlead.lock", "LockError"),
    ("fairlead.member", "MemberError"),
    ("fairlead.mvcc", "MvccError"),
    ("fairlead.peer", "PeerError"),
    ("fairlead.raft", "RaftError"),
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
    if isinstance(error, click.UsageError) and not isinstance(error, click.exceptions.NoArgsIsHelpError):
        _say(_usage(error))
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, (CliError, *_loaded())):
        _say(f"fairlead: {error}")
        return getattr(error, "exit_code", FAILED)
    return None


def _say(text: str) -> None:
    click.echo(" ".join(text.split()), err=True)


def _usage(error: click.UsageError) -> str:
    """Return click's four lines as one: which command, what is wrong with its words, where to read on."""
    command = error.ctx.command_path if error.ctx else "fairlead"
    what = error.format_message().rstrip(".")
    # `kv put /offset -5`: the one mistake whose cure the help does not tell at once.
    takes_value = error.ctx is not None and any(param.name == "value" for param in error.ctx.command.params)
    is_dash = takes_value and isinstance(error, click.NoSuchOption)
    cure = "write -- before a value that begins with a dash; " if is_dash else ""
    line = f"{command}: {what[:1].lower()}{what[1:]}"
    # click may end with a question of its own: did you mean ...?
    return f"{line} See {command} --help" if line.endswith("?") else f"{line}; {cure}see {command} --help"


def _loaded() -> tuple[type[Exception], ...]:
    return tuple(
        getattr(importlib.import_module(module), name) for module, name in _OPERATORS if module in sys.modules
    )
