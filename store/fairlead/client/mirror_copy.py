"""A mirror on disk, so that an agent restarts and serves while the whole store is down.

The file is: eight bytes of magic, the CRC32-C of the rest (4 bytes, big-endian), the length of a JSON list of
prefixes (4 bytes, big-endian), that list in hexadecimal, and an encoded ``RangeResponse`` with the pairs and
their revision.  It holds what the store holds, secrets included, so only its owner may read it.
"""

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import google_crc32c

from fairlead.client.errors import ClientError
from fairlead.client.values import KeyValue, get_result
from fairlead.durable import make_directory, write_durably
from fairlead.proto import kv_pb2, rpc_pb2

_MAGIC = b"FLMIRR\x00\x01"
_HEAD = struct.Struct(">8sI")
_LENGTH = struct.Struct(">I")


class CopyError(ClientError):
    """A copy that cannot be used, or not be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorCopy:
    """What a mirror held at one revision."""

    prefixes: Sequence[bytes]
    revision: int
    cluster_id: int
    kvs: Sequence[KeyValue]


def encode(copy: MirrorCopy) -> bytes:
    """Return the bytes of the file."""
    prefixes = json.dumps([prefix.hex() for prefix in copy.prefixes]).encode()
    body = b"".join(
        [
            _LENGTH.pack(len(prefixes)),
            prefixes,
            rpc_pb2.RangeResponse(
                header=rpc_pb2.ResponseHeader(revision=copy.revision, cluster_id=copy.cluster_id),
                kvs=_messages(copy.kvs),
                count=len(copy.kvs),
            ).SerializeToString(),
        ]
    )
    return _HEAD.pack(_MAGIC, google_crc32c.value(body)) + body


def decode(data: bytes) -> MirrorCopy:
    """Return what the bytes of a file say.

    Raises:
        CopyError: they are not what ``encode`` wrote.
    """
    if len(data) < _HEAD.size + _LENGTH.size:
        raise CopyError("it is too short")
    magic, checksum = _HEAD.unpack_from(data)
    body = data[_HEAD.size :]
    if magic != _MAGIC:
        raise CopyError("it is not a mirror's copy, or one of another version")
    if google_crc32c.value(body) != checksum:
        raise CopyError("its checksum does not match")
    (length,) = _LENGTH.unpack_from(body)
    prefixes = [bytes.fromhex(text) for text in json.loads(body[_LENGTH.size : _LENGTH.size + length])]
    result = get_result(rpc_pb2.RangeResponse.FromString(body[_LENGTH.size + length :]))
    return MirrorCopy(
        prefixes=prefixes, revision=result.revision, cluster_id=result.cluster_id, kvs=result.kvs
    )


def load(path: Path, *, prefixes: Sequence[bytes]) -> MirrorCopy | None:
    """Return the copy at ``path``; None when there is none, or one of other prefixes.

    Raises:
        CopyError: the file cannot be read, or is damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CopyError(f"cannot read {path}: {error.strerror}") from error
    try:
        copy = decode(data)
    except CopyError as error:
        raise CopyError(f"the copy {path} is not used: {error}; it is written anew from the store") from error
    return copy if list(copy.prefixes) == list(prefixes) else None


def save(path: Path, copy: MirrorCopy) -> None:
    """Put the copy at ``path`` at once and whole: after a crash the old or the new one is there.

    Raises:
        CopyError: it cannot be written.
    """
    try:
        make_directory(path.parent)
        write_durably(path, encode(copy))
    except OSError as error:
        raise CopyError(f"cannot write the copy {path}: {error.strerror}") from error


def _messages(kvs: Iterable[KeyValue]) -> Iterable[kv_pb2.KeyValue]:
    for kv in kvs:
        yield kv_pb2.KeyValue(
            key=kv.key,
            value=kv.value,
            create_revision=kv.create_revision,
            mod_revision=kv.mod_revision,
            version=kv.version,
            lease=kv.lease,
        )
