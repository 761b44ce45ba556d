"""What goes on beside the queries for the zone's sake: keys that sign are kept, secondaries are told, serials are saved."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fairlead.agent import ConfigError
from fairlead.client import Mirror
from fairlead.dns.config import DnsConfig
from fairlead.dns.dnssec import KeyFileError, KeyFolder, Signer, SigningLimits
from fairlead.dns.dnssec.keeper import SignerKeeper
from fairlead.dns.model import Model
from fairlead.dns.responder import Responder
from fairlead.dns.server import DnsServer
from fairlead.dns.transfer import Notifier, SerialFile, TransferLimits, Transfers
from fairlead.dns.zone import Zone

SERIAL_NAME: Final = "dns.serial"


class Attendants:
    """Everything that attends to a model while its responder answers.

    Raises:
        ConfigError: the keys that sign cannot be used.
    """

    def __init__(self, config: DnsConfig, *, model: Model, server: DnsServer) -> None:
        self._model = model
        self._limits = TransferLimits()
        self._signer: Signer | None = None
        responder = server.responder
        self._keeper = self._keep_signer(config, responder) if config.dnssec_keys is not None else None
        self._notifier = Notifier(config.transfer.secondaries, self._limits)
        self._serial_file = SerialFile(config.data_dir / SERIAL_NAME) if config.data_dir is not None else None
        self._transfers = Transfers(
            config.transfer,
            self._limits,
            tree=model.tree,
            zones=model.zones,
            is_signed_here=self._is_signed,
        )
        if config.transfer.is_on:
            responder.hooks.transfer = self._transfers.answer
        server.zone_counts = self.counts

    def counts(self) -> dict[str, int]:
        """Return what has been counted, by the names of metrics."""
        return {
            "signatures_made": self._signer.signed if self._signer is not None else 0,
            "signatures_reused": self._signer.reused if self._signer is not None else 0,
            "transfers_served": self._transfers.served,
            "transfers_refused": self._transfers.refused,
            "notifications_acknowledged": self._notifier.notify.acknowledged,
            "notifications_given_up": self._notifier.notify.given_up,
        }

    def begin(self, mirror: Mirror) -> None:
        """Go on from what was served before a restart, before the first change is taken up.

        Args:
            mirror: has something to read: from the store, or from its copy, which may be older than what was served.
        """
        epoch = self._serial_file.load() if self._serial_file is not None else None
        if epoch is not None:
            self._model.zones.restore(epoch)
        self.before_change(mirror)

    def before_change(self, mirror: Mirror) -> None:
        """Note where the next change comes from."""
        self._model.zones.is_of_copy = mirror.age_s == float("inf")

    def changed(self) -> None:
        """Look at the model, which has just taken up a change."""
        self._notifier.set_serials(self._model.zones.serials())

    @contextlib.asynccontextmanager
    async def attending(self) -> AsyncIterator[None]:
        """Attend until left."""
        tasks = [asyncio.create_task(self._notifier.run(), name="dns notify")]
        if self._keeper is not None:
            tasks.append(asyncio.create_task(self._keeper.run(), name="dns signing keys"))
        if self._serial_file is not None:
            tasks.append(asyncio.create_task(self._save_serials(self._serial_file), name="dns serial"))
        try:
            self.changed()
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._serial_file is not None:
                self._serial_file.save(self._model.zones.epoch)

    async def _save_serials(self, file: SerialFile) -> None:
        while True:
            await asyncio.to_thread(file.save, self._model.zones.epoch)
            await asyncio.sleep(self._limits.serial_save_s)

    def _keep_signer(self, config: DnsConfig, responder: Responder) -> SignerKeeper:
        assert config.dnssec_keys is not None
        limits = SigningLimits()
        signer = self._signer = Signer(tree=self._model.tree, zones=self._model.zones, limits=limits)
        folder = KeyFolder(config.dnssec_keys, limits)
        keeper = SignerKeeper(signer, folder, limits, forget=self._model.table.clear)
        try:
            keeper.load()
        except KeyFileError as error:
            raise ConfigError(str(error), "check --dnssec-keys") from error
        responder.hooks.sign = signer.sign
        return keeper

    def _is_signed(self, zone: Zone) -> bool:
        return self._signer is not None and zone.name in self._signer.keys
