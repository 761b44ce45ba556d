"""``fairlead store``: one member of a store."""

import asyncio
import os

import click
import structlog
import uvloop

from fairlead.api import help_text, load_config, serve, version_text
from fairlead.logs import configure_logs


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def store(arguments: tuple[str, ...]) -> int:
    """Run one member of a store; takes etcd's flags."""
    if {"-h", "--help", "-help"} & set(arguments):
        click.echo(help_text())
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
