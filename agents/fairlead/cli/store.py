"""``fairlead store``: one member of a store, and what is done with snapshots of it."""

import asyncio
import os

import click
import structlog
import uvloop

from fairlead.api import help_text, load_config, serve, version_text
from fairlead.commands import LazyGroup
from fairlead.logs import configure_logs

# One line a command: where it lives, and what `fairlead store --help` says of it.
SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "run": ("fairlead.cli.store:run", ""),
    "save": ("fairlead.cli.store_save:save", "Save a snapshot of a running store to a file."),
    "restore": ("fairlead.cli.store_restore:restore", "Make a member's data directory of a snapshot file."),
    "status": ("fairlead.cli.store_restore:status", "Show what is in a snapshot file."),
}


class _Store(LazyGroup):
    """A group that runs a member when no command is named: etcd's flags take no words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` before flags; ``snapshot save`` is what etcdctl calls ``save``."""
        if args[:1] == ["snapshot"] and args[1:2] != ["run"]:
            args = args[1:]
        if not args or args[0] not in self.table:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.command(cls=_Store, table=SUBCOMMANDS, add_help_option=False)
def store() -> None:
    """Run one member of a store; takes etcd's flags."""


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> int:
    """Run one member of a store; takes etcd's flags."""
    if {"-h", "--help", "-help"} & set(arguments):
        commands = [f"  {name:<9} {text}" for name, (_, text) in SUBCOMMANDS.items() if text]
        click.echo("\n".join([help_text(), "", "Commands instead of FLAGS:", *commands]))
        return 0
    if {"--version", "-version"} & set(arguments):
        click.echo(version_text())
        return 0
    config = load_config(arguments, os.environ)
    configure_logs(level=config.log_level, form=config.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(serve(config))
    structlog.get_logger("fairlead.store").info("stopped", status=status)
    return status
