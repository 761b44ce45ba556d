"""``fairlead render``: its sub-commands.  Without one it runs, with confd's flags: a drop-in for confd."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import click

from fairlead.agent import OptionError
from fairlead.commands import RunGroup, Table
from fairlead.render.commands.confd import translate_arguments

# One line a command: where it lives, and what `fairlead render --help` says of it.
SUBCOMMANDS: Table = {
    "run": ("fairlead.render.commands.run:run", "Keep the files as the keys have them (the default)."),
    "once": ("fairlead.render.commands.run:once", "Process every resource once."),
    "plan": ("fairlead.render.commands.planning:plan", "Show what would change; 2 when anything would."),
    "check": ("fairlead.render.commands.checking:check", "Look for mistakes in resources and templates."),
    "test": ("fairlead.render.commands.trial:test", "Run the template tests; needs no store."),
    "status": ("fairlead.render.commands.fleet:status", "What every host runs on."),
    "history": ("fairlead.render.commands.past:history", "What was changed on this host, and when."),
    "show": ("fairlead.render.commands.past:show", "The files as of a change."),
    "why": ("fairlead.render.commands.past:why", "Which keys made a file what it is."),
    "rollback": ("fairlead.render.commands.steer:rollback", "Bring back an earlier change."),
    "retry": ("fairlead.render.commands.steer:retry", "Try again what was refused."),
    "keygen": ("fairlead.render.commands.sealing:keygen", "Make a key for sealed values."),
    "seal": ("fairlead.render.commands.sealing:seal_", "Seal a value for one key of the store."),
    "import": ("fairlead.render.commands.importing:import_", "Turn a tree of confd or remco into ours."),
}


_EX_USAGE = 64
"""The command line is wrong (sysexits); 2, which others say, is what ``plan`` says when something would change."""


class _WrongWordsError(click.UsageError):
    exit_code = _EX_USAGE


class _WrongValueError(OptionError):
    exit_code = _EX_USAGE


class _Render(RunGroup):
    """Its flags are confd's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Have a mistake in the flags exit with our status."""
        with _usage_errors(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Have a mistake in the words of a command exit with our status."""
        with _usage_errors(ctx):
            return super().invoke(ctx)

    def translate(self, args: list[str]) -> list[str]:
        """Return confd's flags as ours."""
        return translate_arguments(args, environ=os.environ)


@contextlib.contextmanager
def _usage_errors(ctx: click.Context) -> Iterator[None]:
    try:
        yield
    except (click.exceptions.NoArgsIsHelpError, _WrongWordsError):
        raise
    except click.UsageError as error:
        # click forgets whose option it was that lacks its value.
        raise _WrongWordsError(error.format_message(), error.ctx or ctx) from error
    except OptionError as error:
        raise _WrongValueError(error.message) from error


@click.command(cls=_Render, table=SUBCOMMANDS)
def render() -> None:
    """Render configuration files from keys and reload the programs that read them.

    Without a command: run, with the flags that "fairlead render run --help" lists.
    """
