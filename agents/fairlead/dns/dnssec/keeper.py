"""Keeps a signer up to date: key files that change, and the time that goes by."""

import asyncio
import logging
import time
from collections.abc import Callable

from fairlead.dns.dnssec.errors import KeyFileError
from fairlead.dns.dnssec.keyfile import KeyFolder
from fairlead.dns.dnssec.limits import SigningLimits
from fairlead.dns.dnssec.signer import Signer

_LOG = logging.getLogger(__name__)


class SignerKeeper:
    """Gives a signer its keys and the time.

    Args:
        signer: whose.
        folder: where the keys are.
        forget: called when answers that were kept are not right any more.
    """

    def __init__(
        self, signer: Signer, folder: KeyFolder, limits: SigningLimits, *, forget: Callable[[], None]
    ) -> None:
        self._signer = signer
        self._folder = folder
        self._limits = limits
        self._forget = forget
        self._seen: object = None

    def load(self) -> None:
        """Read the keys and take up the time, before the first answer.

        Raises:
            KeyFileError: a file cannot be used.
        """
        self._seen = self._folder.state()
        self._signer.set_time(time.time())
        self._signer.set_keys(self._folder.read_all())

    async def run(self) -> None:
        """Follow files and time until cancelled; keys that cannot be read change nothing."""
        while True:
            await asyncio.sleep(self._limits.reload_s)
            self._refresh(time.time())

    def _refresh(self, now_s: float) -> None:
        seen = self._folder.state()
        if seen != self._seen:
            self._seen = seen
            try:
                self._signer.set_keys(self._folder.read_all())
                self._forget()
            except KeyFileError as error:
                _LOG.warning("the keys that were read before stay in force: %s", error)
        if self._signer.set_time(now_s):
            self._forget()
