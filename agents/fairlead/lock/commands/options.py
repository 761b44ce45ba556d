"""What several of the commands take, and how they reach the store."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from fairlead.agent import AgentOptions, parse_duration_s
from fairlead.client import Client
from fairlead.lock.keys import DEFAULT_GROUP
from fairlead.lock.lock import Lock

T = TypeVar("T")

group_option = click.option(
    "--group",
    default=DEFAULT_GROUP,
    show_default=True,
    envvar=["FAIRLEAD_LOCK_GROUP", "LOCKSMITHCTL_GROUP"],
    help="Whose semaphore.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
reason_option = click.option("--reason", default="", help="For those who look: why.")


class Duration(click.ParamType[float]):
    """A span of time such as 30s or 1h30m."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration_s(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()


def with_lock(options: AgentOptions, group: str, do: Callable[[Lock, Client], Coroutine[Any, Any, T]]) -> T:
    """Connect to the store, do something with a group's lock, and return what came of it."""

    async def connected() -> T:
        async with Client(options.endpoints, tls=options.tls, credentials=options.credentials) as client:
            return await do(Lock(client, group), client)

    return asyncio.run(connected())


def operator() -> str:
    """Return who gives the order, for the log of the group."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or "somebody"
