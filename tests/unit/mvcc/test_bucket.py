from fairlead.mvcc import Backend
from fairlead.mvcc.bucket import Bucket


def layered(backend: Backend) -> Bucket:
    """A bucket with b, d, f committed, c put and d deleted in a running commit, a put and f deleted since."""
    bucket = backend.bucket("meta")
    for key in (b"b", b"d", b"f"):
        bucket.put(key, b"committed")
    backend.commit_now()
    bucket.put(b"c", b"flying")
    bucket.delete(b"d")
    backend.begin_commit()
    bucket.put(b"a", b"fresh")
    bucket.delete(b"f")
    return bucket


def test_reads_see_every_layer_and_the_newest_wins(backend: Backend) -> None:
    bucket = layered(backend)
    found = {key: bucket.get(key) for key in (b"a", b"b", b"c", b"d", b"f", b"g")}
    assert found == {b"a": b"fresh", b"b": b"committed", b"c": b"flying", b"d": None, b"f": None, b"g": None}


def test_items_merge_the_layers_in_key_order(backend: Backend) -> None:
    bucket = layered(backend)
    assert list(bucket.items()) == [(b"a", b"fresh"), (b"b", b"committed"), (b"c", b"flying")]
    assert list(bucket.items(b"b")) == [(b"b", b"committed"), (b"c", b"flying")]
    bucket.put(b"b", b"again")
    bucket.put(b"c", b"newer")
    bucket.put(b"z", b"last")
    assert list(bucket.items(b"b")) == [(b"b", b"again"), (b"c", b"newer"), (b"z", b"last")]


def test_many_are_read_across_the_layers_in_the_order_asked_for(backend: Backend) -> None:
    bucket = layered(backend)
    assert bucket.get_many([b"c", b"b", b"a"]) == [b"flying", b"committed", b"fresh"]


def test_pending_counts_what_no_commit_has_taken(backend: Backend) -> None:
    bucket = layered(backend)
    assert (bucket.pending_count, bucket.pending_bytes) == (2, len(b"fresh"))
    assert (backend.pending_count, backend.pending_bytes) == (2, len(b"fresh"))


def test_a_key_put_and_deleted_between_commits_never_was(backend: Backend) -> None:
    bucket = backend.bucket("meta")
    bucket.put(b"a", b"1")
    bucket.delete(b"a")
    backend.commit_now()
    assert bucket.get(b"a") is None
    assert list(bucket.items()) == []
