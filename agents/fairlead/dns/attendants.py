"""What goes on beside the queries for the zone's sake: keys that sign are kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fairlead.agent import ConfigError
from fairlead.dns.config import DnsConfig
from fairlead.dns.dnssec import KeyFileError, KeyFolder, Signer, SigningLimits
from fairlead.dns.dnssec.keeper import SignerKeeper
from fairlead.dns.model import Model
from fairlead.dns.responder import Responder


class Attendants:
    """Everything that attends to a model while its responder answers.

    Raises:
        ConfigError: the keys that sign cannot be used.
    """

    def __init__(self, config: DnsConfig, *, model: Model, responder: Responder) -> None:
        self._keeper = None
        if config.dnssec_keys is not None:
            limits = SigningLimits()
            signer = Signer(tree=model.tree, zones=model.zones, limits=limits)
            folder = KeyFolder(config.dnssec_keys, limits)
            self._keeper = SignerKeeper(signer, folder, limits, forget=model.table.clear)
            try:
                self._keeper.load()
            except KeyFileError as error:
                raise ConfigError(str(error), "check --dnssec-keys") from error
            responder.hooks.sign = signer.sign

    @contextlib.asynccontextmanager
    async def attending(self) -> AsyncIterator[None]:
        """Attend until left."""
        tasks: list[asyncio.Task[None]] = []
        if self._keeper is not None:
            tasks.append(asyncio.create_task(self._keeper.run(), name="dns signing keys"))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
