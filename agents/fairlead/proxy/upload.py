"""A request's body on its way to a server: taken apart, bounded, and kept while it may be needed again.

Sans-IO; the exchange decides when.
"""

from typing import TYPE_CHECKING

from fairlead.proxy.body import Chunked, Decoder
from fairlead.proxy.request import Request

if TYPE_CHECKING:
    from fairlead.proxy.headers import Fields


class TooLarge(Exception):  # noqa: N818  the name of the answer, RFC 9110, section 15.5.14
    """The body outgrows its limit."""


class Upload:
    """One body.

    Attributes:
        is_complete: all of it has come.
        is_kept: all that has come is still here, to be sent again.
        received_bytes: so far, without framing.
        trailers: the fields behind it, as they came.
    """

    __slots__ = (
        "_decoder",
        "_keep_bytes_max",
        "_kept",
        "_kept_bytes",
        "_limit",
        "is_complete",
        "received_bytes",
        "trailers",
    )

    def __init__(
        self, request: Request, *, limit: int, keep_bytes_max: int, decoder: Decoder | None = None
    ) -> None:
        """Expect the body of ``request``; a ``limit`` of 0 is none, a ``decoder`` is used instead of its own."""
        self._decoder = decoder or request.decoder()
        self._limit = limit
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0
        self._keep_bytes_max = keep_bytes_max
        self.is_complete = self._decoder is None
        self.received_bytes = 0
        self.trailers: Fields = []

    @property
    def is_kept(self) -> bool:
        """See above."""
        return self._kept is not None

    def bound(self, bytes_max: int) -> None:
        """From now on take no more than ``bytes_max`` in all."""
        self._limit = min(self._limit or bytes_max, bytes_max)

    def keep_all(self, bytes_max: int) -> None:
        """From now on keep up to ``bytes_max``, and take no more."""
        self._keep_bytes_max = bytes_max
        self.bound(bytes_max)

    def take(self, data: bytes) -> tuple[list[bytes], int]:
        """Return what came of the body, and where it ended in ``data``, or -1 for not yet.

        Raises:
            BodyError: the framing is broken.
            TooLarge: the limit is passed.
        """
        assert self._decoder is not None
        pieces: list[bytes] = []
        end = self._decoder.feed(data, pieces)
        self.received_bytes += sum(map(len, pieces))
        if self._limit and self.received_bytes > self._limit:
            raise TooLarge
        self.is_complete = end >= 0
        if end >= 0 and isinstance(self._decoder, Chunked):
            self.trailers = self._decoder.trailers
        return pieces, end

    def end(self) -> None:
        """The body has ended, and it was not the decoder that saw it."""
        self.is_complete = True

    def keep(self, pieces: list[bytes]) -> None:
        """Keep ``pieces``, as they are sent on but for the framing."""
        if self._kept is not None:
            self._kept += pieces
            self._kept_bytes += sum(map(len, pieces))

    def kept(self) -> list[bytes]:
        """Return all that has come, without framing."""
        return self._kept or []

    def forget_if_large(self) -> None:
        """It has been sent on: keep only what is cheap to keep."""
        if self._kept_bytes > self._keep_bytes_max:
            self._kept = None
