"""``fairlead dns``: its sub-commands.  Without one it runs, with SkyDNS's flags."""

import importlib

import click

# One line a command: where it lives, and what `fairlead dns --help` says of it.
SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "run": ("fairlead.dns.commands.run:run", "Answer DNS from keys (the default)."),
}


class _Dns(click.Group):
    """A group that imports a sub-command only when it is called, and that runs when none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``run`` before flags."""
        is_help = args[:1] in (["--help"], ["-h"])
        if not is_help and (not args or args[0].startswith("-")):
            args = ["run", *args]
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


@click.command(cls=_Dns)
def dns() -> None:
    """Answer DNS from SkyDNS's keys.

    Without a command: run, with the flags that "fairlead dns run --help" lists.
    """
