"""``fairlead render``: its sub-commands.  Without one it runs, with confd's flags: a drop-in for confd."""

import importlib
import os

import click

from fairlead.render.commands.confd import translate_arguments

# One line a command: where it lives, and what `fairlead render --help` says of it.
SUBCOMMANDS: dict[str, tuple[str, str]] = {
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


class _Render(click.Group):
    """A group that imports a sub-command only when it is called, and that runs when none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` before flags, and read confd's."""
        is_help = args[:1] in (["--help"], ["-h"])
        if not is_help and (not args or args[0].startswith("-")):
            args = ["run", *translate_arguments(args, environ=os.environ)]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the sub-command."""
        del ctx
        if cmd_name not in SUBCOMMANDS:
            return None
        module, _, attribute = SUBCOMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the sub-commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in SUBCOMMANDS.items()])


@click.command(cls=_Render)
def render() -> None:
    """Render configuration files from keys and reload the programs that read them.

    Without a command: run, with the flags that "fairlead render run --help" lists.
    """
