"""From the fields of a request to a checked and resolved head, with what a client changes from call to call.

Source: RFC 9113, sections 8.2 and 8.3 (what makes a request malformed), whose rules are in ``fairlead.http2``.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Self

from fairlead.http2 import (
    FIELD_OVERHEAD,
    ErrorCode,
    Field,
    Head,
    HeaderReader,
    Stream,
    StreamFault,
    check_field,
    request_pseudo,
)
from fairlead.http2 import content_length as content_length_of
from fairlead.rpc.limits import Limits

Resolve = Callable[["RequestHead"], Callable[[Any, int], Stream]]
"""Says what makes the stream that answers a request."""

_TIMEOUT: Final = b"grpc-timeout"
_BAD_TIMEOUT: Final = re.compile(rb"[\x00\r\n]|\A[ \t]|[ \t]\Z")


class RequestHead(Head):
    """A request's pseudo-header and header fields, checked.

    Shared by every stream that sent the same block: nothing changes it after ``open`` is set.
    """

    __slots__ = ("authority", "fields", "list_bytes", "method", "path", "scheme")

    def __init__(
        self,
        pseudo: dict[bytes, bytes],
        fields: dict[str, str],
        *,
        list_bytes: int,
        content_length: int | None,
    ) -> None:
        self.method = pseudo.get(b":method", b"").decode("latin-1")
        self.scheme = pseudo.get(b":scheme", b"").decode("latin-1")
        self.path = pseudo.get(b":path", b"").decode("latin-1")
        # Whatever the client calls us: clientv3 sends "#initially=[host:2379;host2:2379]".
        self.authority = pseudo.get(b":authority", b"").decode("latin-1")
        self.fields = fields
        self.list_bytes = list_bytes
        self.content_length = content_length

    def __repr__(self) -> str:
        return f"<RequestHead {self.method} {self.path}>"

    def with_timeout(self, value: bytes) -> Self:
        """Return a copy that differs in its grpc-timeout only."""
        head = type(self).__new__(type(self))
        head.method = self.method
        head.scheme = self.scheme
        head.path = self.path
        head.authority = self.authority
        head.content_length = self.content_length
        head.fields = {**self.fields, "grpc-timeout": value.decode("latin-1")}
        head.list_bytes = self.list_bytes + len(value) - len(self.fields["grpc-timeout"])
        return head


class RequestReader(HeaderReader):
    """Reads the heads of one connection."""

    __slots__ = ("_alike", "_resolve")

    def __init__(self, limits: Limits, resolve: Resolve) -> None:
        super().__init__(limits, self._whole)
        self._resolve = resolve
        self._alike: dict[tuple[Field, ...], RequestHead] = {}  # By all fields but grpc-timeout.

    def _whole(self, fields: list[Field], stream_id: int) -> RequestHead:
        head = self._request(fields, stream_id)
        head.open = self._resolve(head)
        return head

    def _request(self, fields: list[Field], stream_id: int) -> RequestHead:
        same = tuple([field for field in fields if field[0] != _TIMEOUT])
        if len(same) + 1 != len(fields):
            return request_head(fields, stream_id)
        # What a client changes from call to call is the time that is left; the rest was checked before.
        alike = self._alike.get(same)
        at = next(at for at, field in enumerate(fields) if field[0] == _TIMEOUT)
        value = fields[at][1]
        is_in_place = at + 1 == len(fields) or fields[at + 1][0][:1] != b":"
        if alike is not None and is_in_place and not _BAD_TIMEOUT.search(value):
            return alike.with_timeout(value)
        head = request_head(fields, stream_id)
        if len(self._alike) >= self._heads_max:
            self._alike.clear()
        self._alike[same] = head
        return head


def request_head(fields: list[Field], stream_id: int) -> RequestHead:
    """Return the request that ``fields`` describe.

    Raises:
        StreamFault: the request is malformed (RFC 9113, section 8.1.1).
    """
    pseudo, regular = request_pseudo(fields, stream_id)
    merged = _merged(regular, stream_id)
    authority = pseudo.get(b":authority", b"").decode("latin-1")
    if b":authority" in pseudo and merged.get("host", authority) != authority:
        # "... a Host header field that identifies an entity that differs" (8.3.1).
        raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "host differs from :authority")
    return RequestHead(
        pseudo,
        merged,
        list_bytes=sum([len(name) + len(value) + FIELD_OVERHEAD for name, value in fields]),
        content_length=content_length_of(regular, stream_id) if "content-length" in merged else None,
    )


def _merged(fields: list[Field], stream_id: int) -> dict[str, str]:
    """Return checked fields by name; repeated ones are joined as RFC 9110, section 5.2 allows."""
    merged: dict[str, str] = {}
    for raw_name, raw_value in fields:
        check_field(raw_name, raw_value, stream_id)
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name not in merged:
            merged[name] = value
        elif name == "host" and merged[name] != value:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "two different values of host")
        elif name not in {"content-length", "host"}:
            # RFC 9113, section 8.2.3: cookies may come in pieces.
            merged[name] += ("; " if name == "cookie" else ",") + value
    return merged
