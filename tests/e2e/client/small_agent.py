"""The smallest agent: follows ``/small/``, complains of values that are not numbers.

Run as a program by test_agent.py, as ``fairlead small`` would be.
"""

import asyncio
import sys

import click

from fairlead.agent import AgentContext, AgentOptions, common_options, run_agent
from fairlead.client import Mirror


async def serve(context: AgentContext) -> None:
    """Count the keys until told to stop."""
    context.on_reload(lambda: context.status.count("reloads", 1))
    async with context.export(Mirror(context.client, ["/small/"])) as mirror:
        follower = asyncio.create_task(follow(context, mirror))
        await context.stopping.wait()
        follower.cancel()


async def follow(context: AgentContext, mirror: Mirror) -> None:
    """Report every change."""
    async for change in mirror.changes():
        for key, kv in change.puts.items():
            if kv.value.isdigit():
                context.status.healed(key)
            else:
                context.status.problem(key, "not a number: write digits")
        context.status.count("keys", len(mirror))
        context.status.applied(change.revision)
        context.ready("nowhere")


@click.command("small")
@common_options("small")
def small(*, options: AgentOptions) -> None:
    """Follow ``/small/``."""
    sys.exit(run_agent("small", options, serve))


if __name__ == "__main__":
    small()
