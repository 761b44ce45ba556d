"""``fairlead lock``: its sub-commands."""

import click

from fairlead.commands import LazyGroup, Table

# One line a command: where it lives, and what `fairlead lock --help` says of it; aliases are locksmithctl's.
SUBCOMMANDS: Table = {
    "status": ("fairlead.lock.commands.looking:status", "Who holds, who may, what is overdue."),
    "why": ("fairlead.lock.commands.looking:why", "What a host waits for."),
    "acquire": ("fairlead.lock.commands.holding:acquire", "Get a permit."),
    "release": ("fairlead.lock.commands.holding:release", "Give a permit back."),
    "run": ("fairlead.lock.commands.holding:run", "Run a command with a permit."),
    "set-max": ("fairlead.lock.commands.ruling:set_max", "Say how many may hold at once; 0 freezes."),
    "freeze": ("fairlead.lock.commands.ruling:freeze", "Let nobody in."),
    "unfreeze": ("fairlead.lock.commands.ruling:unfreeze", "Let hosts in again."),
    "on-overdue": ("fairlead.lock.commands.ruling:on_overdue", "Say what becomes of who is overdue."),
    "import": ("fairlead.lock.commands.ruling:import_", "Take over airlock's groups."),
    "send-need-reboot": (
        "fairlead.lock.commands.holding:send_need_reboot",
        "Ask a host's agent to reboot it.",
    ),
    "agent": ("fairlead.lock.commands.serving:agent", "Take this host through its reboots."),
    "serve": ("fairlead.lock.commands.serving:serve", "Serve FleetLock, for Zincati."),
    "lock": ("fairlead.lock.commands.holding:acquire", ""),
    "unlock": ("fairlead.lock.commands.holding:release", ""),
}


@click.command(cls=LazyGroup, table=SUBCOMMANDS)
def lock() -> None:
    """One host at a time: the semaphore that locksmith's hosts use, and what is built on it."""
