"""Follows the DNS records of the store as long as any backend is a DNS name; a store full of others costs nothing."""

import asyncio

from fairlead.agent import AgentContext
from fairlead.client import Mirror
from fairlead.proxy.config import ProxyConfig
from fairlead.proxy.routes import Routes

LOADING_S = 5.0
"""How long a proxy that starts waits for the records, before it serves without them."""


async def follow_names(
    context: AgentContext, config: ProxyConfig, routes: Routes, *, loaded: asyncio.Event
) -> None:
    """Wait until a backend is a DNS name, then follow the records for good; ``loaded`` is set when they are here."""
    await routes.names_wanted.wait()
    copy = None if config.data_dir is None else config.data_dir / "proxy-names.copy"
    mirror = context.export(Mirror(context.client, [routes.discovery.prefix], copy_path=copy), name="names")
    async with mirror:
        async for change in mirror.changes():
            routes.apply_names({key: kv.value for key, kv in change.puts.items()}, change.deletes)
            loaded.set()
