"""The hot half of protobuf, by hand: KeyValue and Event as bytes.

A value is encoded once, when it is put, and spliced as it is into every answer and every event from then
on.  The bytes equal those of protobuf's own ``SerializeToString`` (a property test holds that); what is read
back rarely (restart, compares) goes through protobuf itself.

Source: protocol buffers encoding; ``fairlead/proto/kv.proto``.
"""

_ONE_BYTE = tuple(bytes((n,)) for n in range(128))
_TWO_64 = (1 << 64) - 1

# Field keys, ``number << 3 | wire type``.  KeyValue:
_KEY, _CREATE, _MOD, _VERSION, _VALUE, _LEASE = b"\x0a", b"\x10", b"\x18", b"\x20", b"\x2a", b"\x30"
# Event (type, kv, prev_kv) and WatchResponse.events:
_TYPE_DELETE, _KV, _PREV_KV, _EVENTS = b"\x08\x01", b"\x12", b"\x1a", b"\x5a"


def varint(number: int) -> bytes:
    """Return ``number`` as a varint; a negative one as ten bytes, as int64 fields have it."""
    if 0 <= number < 128:
        return _ONE_BYTE[number]
    if 0 <= number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    if 0 <= number < 2097152:
        return bytes((number & 127 | 128, number >> 7 & 127 | 128, number >> 14))
    number &= _TWO_64
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


# A field's key and a small number behind it, ready made.
_SMALL = 1024
_KEYS, _VERSIONS, _VALUES = (
    tuple(tag + varint(number) for number in range(_SMALL)) for tag in (_KEY, _VERSION, _VALUE)
)


def encode_key_value(
    key: bytes, value: bytes, *, create_revision: int, mod_revision: int, version: int, lease: int
) -> bytes:
    """Return a live KeyValue; ``key`` and the three numbers are never zero, ``value`` and ``lease`` may be."""
    size = len(key)
    parts = [
        _KEYS[size] if size < _SMALL else _KEY + varint(size), key,
        _CREATE, varint(create_revision),
        _MOD, varint(mod_revision),
        _VERSIONS[version] if version < _SMALL else _VERSION + varint(version),
    ]  # fmt: skip
    if value:
        size = len(value)
        parts += (_VALUES[size] if size < _SMALL else _VALUE + varint(size), value)
    if lease:
        parts += (_LEASE, varint(lease))
    return b"".join(parts)


def encode_tombstone(key: bytes) -> bytes:
    """Return what the log keeps of a deletion: a KeyValue of the key alone, as etcd has it."""
    return _KEY + varint(len(key)) + key


def deleted_key_value(tombstone: bytes, mod_revision: int) -> bytes:
    """Return the KeyValue that a DELETE event shows: the key and the revision of the deletion."""
    return tombstone + _MOD + varint(mod_revision)


def key_of(key_value: bytes) -> bytes:
    """Return the key of an encoded KeyValue or tombstone of ours, where it is the first field."""
    size = key_value[1]
    if size < 128:
        return key_value[2 : 2 + size]
    start, shift = 2, 7
    size &= 127
    while True:
        byte = key_value[start]
        size |= (byte & 127) << shift
        start += 1
        if byte < 128:
            return key_value[start : start + size]
        shift += 7


def encode_event(key_value: bytes, *, is_delete: bool, prev: bytes | None) -> bytes:
    """Return one ``events`` field of a WatchResponse, tag included.

    Args:
        key_value: the encoded KeyValue as the event shows it.
        is_delete: whether the event is a DELETE; a PUT otherwise.
        prev: the encoded KeyValue before the event, or None.
    """
    event = _KV + varint(len(key_value)) + key_value
    if is_delete:
        event = _TYPE_DELETE + event
    if prev is not None:
        event += _PREV_KV + varint(len(prev)) + prev
    return _EVENTS + varint(len(event)) + event
