"""Header blocks as they come in: decoded, judged, and remembered where that is sound.

A peer repeats the same few blocks on every stream.  A block that leaves the dynamic table as it was means the same
until the table next changes, so what was made of it is remembered under its bytes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mypy_extensions import mypyc_attr

from fairlead.http2.fields import Field, FieldDecoder
from fairlead.http2.limits import Limits

if TYPE_CHECKING:
    from fairlead.http2.stream import Stream

# An HPACK decoder cannot go on after it refused a list; ours refuses far beyond the limit we state.
_HARD_LIMIT_FACTOR: Final = 4


@mypyc_attr(allow_interpreted_subclasses=True)
class Head:
    """What opens a stream: shared by every stream that began with the same block.

    Attributes:
        content_length: of the body that follows; None: it does not say.
        open: makes the stream, from the connection and the stream id.
    """

    __slots__ = ("content_length", "open")

    content_length: int | None
    open: Callable[[Any, int], "Stream"]


@mypyc_attr(allow_interpreted_subclasses=True)
class HeaderReader:
    """The receiving end of one connection.

    Args:
        limits: the connection's.
        read: what makes a head of the fields of a request, on a stream; it may raise StreamFault.
    """

    __slots__ = ("_decoder", "_heads_max", "_read", "known")

    def __init__(self, limits: Limits, read: Callable[[list[Field], int], Head]) -> None:
        self._decoder = FieldDecoder(limits.header_bytes_max * _HARD_LIMIT_FACTOR)
        self._heads_max = limits.known_heads_max
        self._read = read
        self.known: dict[bytes, Head] = {}
        """Heads by block, each valid for the dynamic table as it is."""

    def fields(self, block: bytes) -> list[Field]:
        """Decode ``block``, keeping the table in step with the peer's.

        Raises:
            ConnectionFault: the block cannot be decoded; the table is lost, and the connection with it.
        """
        fields = self._decoder.decode(block)
        if self._decoder.has_changed:
            self.known.clear()
        return fields

    def head(self, block: bytes, stream_id: int) -> Head:
        """Return what ``block`` says; known from the next stream on, where that is sound.

        Raises:
            ConnectionFault: as for ``fields``.
            StreamFault: the message is malformed.
        """
        head = self.known.get(block)
        if head is None:
            head = self.read(self.fields(block), stream_id)
            if not self._decoder.has_changed:
                if len(self.known) >= self._heads_max:
                    self.known.clear()
                self.known[block] = head
        return head

    def read(self, fields: list[Field], stream_id: int) -> Head:
        """Return what ``fields`` say.

        Raises:
            StreamFault: the message is malformed.
        """
        return self._read(fields, stream_id)
