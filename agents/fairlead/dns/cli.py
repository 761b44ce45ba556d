"""``fairlead dns``: its sub-commands.  Without one it runs, with SkyDNS's flags."""

import click

from fairlead.commands import RunGroup, Table

# One line a command: where it lives, and what `fairlead dns --help` says of it.
SUBCOMMANDS: Table = {
    "run": ("fairlead.dns.commands.run:run", "Answer DNS from keys (the default)."),
    "explain": ("fairlead.dns.commands.looking:explain", "Say why a name gets its answer."),
    "check": ("fairlead.dns.commands.looking:check", "Look for mistakes in all keys."),
    "top": ("fairlead.dns.commands.looking:top", "What is asked for the most, and what in vain."),
    "accept": ("fairlead.dns.commands.accept:accept", "Let go of what the deletion guard holds back."),
    "keys": ("fairlead.dns.commands.keys:keys", "Make and roll over the keys that sign zones."),
}


@click.command(cls=RunGroup, table=SUBCOMMANDS)
def dns() -> None:
    """Answer DNS from SkyDNS's keys.

    Without a command: run, with the flags that "fairlead dns run --help" lists.
    """
