from hypothesis import given
from hypothesis import strategies as st

from fairlead.mvcc.codec import (
    deleted_key_value,
    encode_event,
    encode_key_value,
    encode_tombstone,
    key_of,
    varint,
)
from fairlead.proto.kv_pb2 import Event, KeyValue
from fairlead.proto.rpc_pb2 import WatchResponse

# Lengths around those at which a length takes one byte more, and any other.
keys = st.one_of(
    st.binary(min_size=1, max_size=300),
    st.sampled_from([127, 128, 1023, 1024, 16384]).map(lambda n: b"k" * n),
)
values = st.one_of(
    st.binary(max_size=300), st.sampled_from([127, 128, 1023, 1024, 16383, 16384]).map(lambda n: b"v" * n)
)
counts = st.one_of(
    st.integers(1, 2**63 - 1),
    st.sampled_from([127, 128, 1023, 1024, 16383, 16384, 2**21 - 1, 2**21, 2**28, 2**35]),
)
leases = st.integers(-(2**63), 2**63 - 1)


@given(key=keys, value=values, create=counts, mod=counts, version=counts, lease=leases)
def test_a_key_value_is_encoded_as_protobuf_does_it(
    key: bytes, value: bytes, create: int, mod: int, version: int, lease: int
) -> None:
    expected = KeyValue(
        key=key, value=value, create_revision=create, mod_revision=mod, version=version, lease=lease
    ).SerializeToString(deterministic=True)
    encoded = encode_key_value(
        key, value, create_revision=create, mod_revision=mod, version=version, lease=lease
    )
    assert encoded == expected
    assert key_of(encoded) == key


@given(key=keys, mod=counts)
def test_a_deletion_shows_the_key_and_its_revision_and_nothing_else(key: bytes, mod: int) -> None:
    tombstone = encode_tombstone(key)
    assert tombstone == KeyValue(key=key).SerializeToString()
    assert key_of(tombstone) == key
    assert deleted_key_value(tombstone, mod) == KeyValue(key=key, mod_revision=mod).SerializeToString()


@given(key=keys, value=values, prev=st.none() | values, is_delete=st.booleans())
def test_an_event_is_encoded_as_a_field_of_a_watch_response(
    key: bytes, value: bytes, prev: bytes | None, *, is_delete: bool
) -> None:
    kv = KeyValue(key=key, value=value, mod_revision=7)
    event = Event(kv=kv, type=Event.DELETE if is_delete else Event.PUT)
    before = None
    if prev is not None:
        event.prev_kv.CopyFrom(KeyValue(key=key, value=prev, mod_revision=6))
        before = event.prev_kv.SerializeToString()
    encoded = encode_event(kv.SerializeToString(), is_delete=is_delete, prev=before)
    assert encoded == WatchResponse(events=[event]).SerializeToString()


@given(leases)
def test_a_varint_is_what_protobuf_writes(number: int) -> None:
    expected = KeyValue(lease=number).SerializeToString()[1:] if number else b"\0"
    assert varint(number) == expected
