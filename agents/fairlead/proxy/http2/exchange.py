"""One exchange whose client speaks HTTP/2: how its answer is framed there."""

from typing import TYPE_CHECKING

from fairlead.proxy.body import UntilClose
from fairlead.proxy.exchange import Exchange
from fairlead.proxy.http2.messages import block_of
from fairlead.proxy.trailers import announcement
from fairlead.proxy.upload import Upload

if TYPE_CHECKING:
    from fairlead.proxy.http2.client_side import ClientStream
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.response import Response
    from fairlead.proxy.service import Service


class Http2Exchange(Exchange):
    """An exchange whose client speaks HTTP/2."""

    is_framed = True
    __slots__ = ("_stream",)

    def __init__(self, service: "Service", stream: "ClientStream", plan: "Plan") -> None:
        super().__init__(service, stream, plan)
        self._stream = stream
        if self._body is None:
            return
        if stream.has_half_closed:
            self._body.end()
            self.upload = None
        else:
            self.upload = self._body = Upload(
                plan.request,
                limit=plan.body_bytes_max,
                keep_bytes_max=plan.kept_bytes_max(service.limits.replay_bytes_max),
                decoder=UntilClose(),
            )
        if plan.request.header(b"content-type").startswith(b"application/grpc"):
            self._pace = None  # A stream of messages, each in its own time.

    def _send_interim(self, response: "Response") -> None:
        self._stream.send_head(block_of(response))

    def _may_keep(self, response: "Response") -> bool:
        """Other streams go on whatever becomes of this one."""
        return True

    def _send_head(self, response: "Response", pieces: list[bytes], added: bytes, *, is_end: bool) -> None:
        if response.announced and response.is_of_unknown_length and self._tells_trailers:
            added += announcement(response.announced, self._trailer_names)
        if added:
            block = block_of(response, added)
        elif not (block := response.block):
            # Servers repeat themselves, and then this is the same object.
            block = response.block = block_of(response)
        if is_end and not self.trailers:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self.sent_bytes += len(body)
            self._stream.send_whole(block, body)
        else:
            self._stream.send_head(block)
            self._send_body(pieces, is_end=is_end)

    def _send_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        self.sent_bytes += sum(map(len, pieces))
        self._stream.send_body(pieces)
        if is_end:
            self._stream.end(self.trailers if self._tells_trailers else [])

    def splice_target(self) -> None:
        """Frames stand around every piece of a body."""

    @property
    def _tells_trailers(self) -> bool:
        """They are part of every message here, whether the client speaks of them or not."""
        return not self._is_body_changed
