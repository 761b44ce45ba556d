"""As much of WebSocket as it takes to part from it: where frames end, and the frame that says goodbye.

Source: RFC 6455, sections 5.2, 5.5.1 and 7.4.1 (1001: the endpoint is going away).
"""

TO_CLIENT = b"\x88\x02\x03\xe9"
# A client has to mask what it sends; a mask of zeros is one (section 5.3 wants chance against scripts, not proxies).
TO_SERVER = b"\x88\x82\0\0\0\0\x03\xe9"
_HEAD_BYTES_MAX = 14
_LENGTH_BYTES = {126: 2, 127: 8}
_CLOSE = 8


class Frames:
    """Follows one direction.

    Attributes:
        has_closed: a close frame has begun.
    """

    __slots__ = ("_head", "_left", "has_closed")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self.has_closed = False

    @property
    def is_between(self) -> bool:
        """Whether another frame may begin here."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> None:
        """Take what passes."""
        position, size = 0, len(data)
        while position < size:
            if self._left:
                step = min(self._left, size - position)
                self._left -= step
                position += step
                continue
            before = len(self._head)
            head = self._head + data[position : position + _HEAD_BYTES_MAX - before]
            code = head[1] & 0x7F if len(head) > 1 else 0
            start = 2 + _LENGTH_BYTES.get(code, 0)
            end = start + (4 if len(head) > 1 and head[1] & 0x80 else 0)
            if len(head) < end:
                self._head = head
                return
            self._head = b""
            self._left = int.from_bytes(head[2:start], "big") if start > 2 else code
            self.has_closed = self.has_closed or head[0] & 0x0F == _CLOSE
            position += end - before
