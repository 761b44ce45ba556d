"""``fairlead proxy``: its sub-commands.  Without one it runs."""

import click

from fairlead.commands import RunGroup, Table

# One line a command: where it lives, and what `fairlead proxy --help` says of it.
SUBCOMMANDS: Table = {
    "run": ("fairlead.proxy.commands.run:run", "Route HTTP (the default)."),
    "routes": (
        "fairlead.proxy.commands.looking:routes",
        "Show the routes in the order in which they are tried.",
    ),
    "explain": ("fairlead.proxy.commands.looking:explain", "Say what would become of a request, and why."),
    "top": ("fairlead.proxy.commands.looking:top", "Show who gets how much, of what, how fast."),
    "drain": (
        "fairlead.proxy.commands.drain:drain",
        "Give a server no new work, and wait until it has none.",
    ),
    "undo": ("fairlead.proxy.commands.undo:undo", "Go back to how the keys were at a revision."),
}


@click.command(cls=RunGroup, table=SUBCOMMANDS)
def proxy() -> None:
    """Route HTTP to servers by vulcand's keys, a whole store revision at a time.

    Without a command: run, with the flags that "fairlead proxy run --help" lists.
    """
