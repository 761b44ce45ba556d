"""The journal's lines: a CRC32-C in hex, a blank, a record as JSON, a line end.

A crash may leave the last line torn; it was not synced, so nothing was built on it, and it is cut off.  A wrong
line with others after it is damage, and nothing that rests on the journal may go on from there.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import google_crc32c

from fairlead.render.errors import JournalError
from fairlead.render.jsonio import read_object

_HEAD_BYTES = 9


class Lines(NamedTuple):
    """What a journal holds: its records, where each begins, and how many bytes of it are whole."""

    records: list[dict[str, Any]]
    offsets: list[int]
    size: int


def encode_record(record: Mapping[str, Any]) -> bytes:
    """Return the line for one record."""
    text = json.dumps(record, separators=(",", ":"), sort_keys=True).encode()
    return b"%08x %s\n" % (google_crc32c.value(text), text)


def decode_lines(data: bytes) -> Lines:
    """Return the records of a journal's bytes, up to a torn end.

    Raises:
        JournalError: a line in the middle is damaged.
    """
    records: list[dict[str, Any]] = []
    offsets: list[int] = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        record = None if end < 0 else _decode(data[at:end])
        if record is None:
            if end < 0 or end + 1 == len(data):
                break
            raise JournalError(at)
        records.append(record)
        offsets.append(at)
        at = end + 1
    return Lines(records, offsets, at)


def _decode(line: bytes) -> dict[str, Any] | None:
    text = line[_HEAD_BYTES:]
    if line[:_HEAD_BYTES] != b"%08x " % google_crc32c.value(text):
        return None
    return read_object(text)
