"""Groups of commands as tables: a command is imported only when it is called, so that the first word is quick."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click

Table = Mapping[str, tuple[str, str]]
"""By name: where the command lives, as ``module:attribute``, and what the group's help says of it; nothing hides it."""


class LazyGroup(click.Group):
    """A group that imports a sub-command only when it is called.

    Args:
        table: its commands.
        rest: for ``click.Group``.
    """

    def __init__(self, *, table: Table, **rest: Any) -> None:
        super().__init__(**rest)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the sub-command."""
        del ctx
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the sub-command; of a word that is nearly one, say which."""
        shown = [name for name, (_, text) in self.table.items() if text]
        if args[0] not in self.table and (near := difflib.get_close_matches(args[0], shown, n=1)):
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the sub-commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items() if text])


class RunGroup(LazyGroup):
    """A group that runs when none of its commands is named: ``run`` is put before flags."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` before flags."""
        is_help = args[:1] in (["--help"], ["-h"])
        if not is_help and (not args or args[0].startswith("-")):
            args = ["run", *self.translate(args)]
        return super().parse_args(ctx, args)

    def translate(self, args: list[str]) -> list[str]:
        """Return the flags of ``run`` for those that were given; a group that takes another program's has its own."""
        return args
