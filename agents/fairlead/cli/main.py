"""``main``: find the sub-command, run it, and turn whatever goes wrong into one line and a status.

Exit statuses: 0 done; 1 failed, the line on stderr says why and what to do; 2 the command line is wrong;
130 stopped by Ctrl-C.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from fairlead.cli.errors import exit_status_of

# One line a command: where it lives, and what `fairlead --help` says of it.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("fairlead.cli.up:up", "Run a store and the agents of a site file, all in one terminal."),
    "store": ("fairlead.cli.store:store", "Run one member of a store; takes etcd's flags."),
    "render": ("fairlead.render.cli:render", "Render configuration files from keys and reload their apps."),
    "dns": ("fairlead.dns.cli:dns", "Answer DNS from keys."),
    "proxy": ("fairlead.proxy.cli:proxy", "Route HTTP by keys."),
    "hello": ("fairlead.cli.hello:hello", ""),
    "kv": ("fairlead.cli.kv:kv", "Read and write keys."),
}


class _Commands(click.Group):
    """A group that imports a sub-command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items() if text])


@click.command(cls=_Commands, name="fairlead", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fairlead")
def fairlead() -> None:
    """Configuration management on a replicated store that speaks the etcd v3 API."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    try:
        result = fairlead.main(args=arguments, prog_name="fairlead", standalone_mode=False)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        status = exit_status_of(error)
        if status is None:
            raise
        return status
    return result if isinstance(result, int) else 0
