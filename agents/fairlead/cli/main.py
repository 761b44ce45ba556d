"""``main``: find the sub-command, run it, and turn whatever goes wrong into one line and a status.

Exit statuses: 0 done; 1 failed, the line on stderr says why and what to do; 2 the command line is wrong;
130 stopped by Ctrl-C.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version

import click

from fairlead.cli.errors import exit_status_of
from fairlead.commands import LazyGroup
from fairlead.compiled import form

# One line a command: where it lives, and what `fairlead --help` says of it.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("fairlead.cli.up:up", "Run a store and the agents of a site file, all in one terminal."),
    "store": ("fairlead.cli.store:store", "Run one member of a store, with etcd's flags; save, restore."),
    "render": ("fairlead.render.cli:render", "Render configuration files from keys and reload their apps."),
    "dns": ("fairlead.dns.cli:dns", "Answer DNS from keys."),
    "proxy": ("fairlead.proxy.cli:proxy", "Route HTTP by keys."),
    "lock": ("fairlead.lock.cli:lock", "One host at a time: reboots, and commands under a semaphore."),
    "register": (
        "fairlead.register.cli:register",
        "Put one service into DNS, proxy and templates, with a check.",
    ),
    "hello": ("fairlead.cli.hello:hello", ""),
    "kv": ("fairlead.cli.kv:kv", "Read and write keys."),
}


def _version(context: click.Context, _: click.Parameter, is_asked: bool) -> None:  # noqa: FBT001  click calls it so
    if is_asked:
        click.echo(f"fairlead, version {version('fairlead')}, hot paths: {form()}")
        context.exit()


@click.command(
    cls=LazyGroup,
    table=COMMANDS,
    name="fairlead",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Say which version this is.",
)
def fairlead() -> None:
    """Configuration management on a replicated store that speaks the etcd v3 API."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    try:
        form()  # Better no start than one from other sources than those that can be read.
        result = fairlead.main(args=arguments, prog_name="fairlead", standalone_mode=False)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        status = exit_status_of(error)
        if status is None:
            raise
        return status
    return result if isinstance(result, int) else 0
