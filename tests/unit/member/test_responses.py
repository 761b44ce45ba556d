"""Spliced responses are byte for byte what protobuf would have written."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.member.identity import Identity, cluster_id_of, member_id_of
from fairlead.member.responses import (
    Headers,
    bare_header,
    delete_body,
    put_body,
    range_body,
    txn_body,
    varint,
)
from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

revisions = st.integers(0, 2**63 - 1)
pairs = st.builds(
    kv_pb2.KeyValue,
    key=st.binary(max_size=200),
    value=st.binary(max_size=200),
    mod_revision=revisions,
    lease=st.integers(-(2**63), 2**63 - 1),
)


@given(revisions, st.integers(0, 2**64 - 1), revisions)
def test_headers(revision: int, member_id: int, term: int) -> None:
    headers = Headers(Identity(cluster_id=1, member_id=member_id), term)
    expected = pb.ResponseHeader(cluster_id=1, member_id=member_id, revision=revision, raft_term=term)
    decoded = pb.PutResponse.FromString(headers.at(revision))
    assert decoded.header == expected
    assert headers.at(revision) is headers.at(revision)


def test_a_new_term_changes_the_header() -> None:
    headers = Headers(Identity(cluster_id=1, member_id=1), 1)
    before = headers.at(5)
    headers.set_term(2)
    assert headers.at(5) != before


@given(st.lists(pairs, max_size=5), st.booleans(), st.integers(0, 2**40))
def test_ranges(kvs: list[kv_pb2.KeyValue], more: bool, count: int) -> None:  # noqa: FBT001 - hypothesis gives it
    body = range_body([kv.SerializeToString() for kv in kvs], more=more, count=count)
    assert body == pb.RangeResponse(kvs=kvs, more=more, count=count).SerializeToString()


@given(st.none() | pairs)
def test_puts(kv: kv_pb2.KeyValue | None) -> None:
    body = put_body(None if kv is None else kv.SerializeToString())
    assert body == pb.PutResponse(prev_kv=kv).SerializeToString()


@given(st.lists(pairs, max_size=3))
def test_deletions(kvs: list[kv_pb2.KeyValue]) -> None:
    body = delete_body(len(kvs), [kv.SerializeToString() for kv in kvs])
    assert body == pb.DeleteRangeResponse(deleted=len(kvs), prev_kvs=kvs).SerializeToString()


def test_transactions() -> None:
    op = pb.ResponseOp(response_put=pb.PutResponse(header=pb.ResponseHeader(revision=3)))
    body = txn_body(succeeded=True, responses=[op.SerializeToString()])
    assert body == pb.TxnResponse(succeeded=True, responses=[op]).SerializeToString()
    assert bare_header(3) == pb.PutResponse(header=pb.ResponseHeader(revision=3)).SerializeToString()


@given(st.integers(0, 2**64 - 1))
def test_varints(value: int) -> None:
    assert b"\x08" + varint(value) == (pb.ResponseHeader(cluster_id=value).SerializeToString() or b"\x08\x00")


def test_ids_are_those_that_etcd_computes() -> None:
    """The default single member, as etcd's own documentation prints it."""
    member_id = member_id_of(["http://localhost:2380"], "etcd-cluster")
    assert f"{member_id:x}" == "8e9e05c52164694d"
    assert f"{cluster_id_of([member_id]):x}" == "cdf818194e3a8c32"


def test_an_identity_survives_the_log() -> None:
    identity = Identity(cluster_id=2**64 - 1, member_id=3)
    assert Identity.decode(identity.encode()) == identity
