from fairlead.mvcc import Backend
from fairlead.mvcc.bucket import Bucket


def layered(either: Backend) -> Bucket:
    """A bucket with b, d, f committed, c put and d deleted in a running commit, a put and f deleted since."""
    bucket = either.bucket("meta")
    for key in (b"b", b"d", b"f"):
        bucket.put(key, b"committed")
    either.commit_now()
    bucket.put(b"c", b"flying")
    bucket.delete(b"d")
    either.begin_commit()
    bucket.put(b"a", b"fresh")
    bucket.delete(b"f")
    return bucket


def test_reads_see_every_layer_and_the_newest_wins(either: Backend) -> None:
    bucket = layered(either)
    found = {key: bucket.get(key) for key in (b"a", b"b", b"c", b"d", b"f", b"g")}
    assert found == {b"a": b"fresh", b"b": b"committed", b"c": b"flying", b"d": None, b"f": None, b"g": None}


def test_items_merge_the_layers_in_key_order(either: Backend) -> None:
    bucket = layered(either)
    assert list(bucket.items()) == [(b"a", b"fresh"), (b"b", b"committed"), (b"c", b"flying")]
    assert list(bucket.items(b"b")) == [(b"b", b"committed"), (b"c", b"flying")]
    bucket.put(b"b", b"again")
    bucket.put(b"c", b"newer")
    bucket.put(b"z", b"last")
    assert list(bucket.items(b"b")) == [(b"b", b"again"), (b"c", b"newer"), (b"z", b"last")]


def test_many_are_read_across_the_layers_in_the_order_asked_for(either: Backend) -> None:
    bucket = layered(either)
    assert bucket.get_many([b"c", b"b", b"a"]) == [b"flying", b"committed", b"fresh"]


def test_pending_counts_what_no_commit_has_taken(either: Backend) -> None:
    bucket = layered(either)
    assert (bucket.pending_count, bucket.pending_bytes) == (2, len(b"fresh"))
    assert (either.pending_count, either.pending_bytes) == (2, len(b"fresh"))


def test_a_key_put_and_deleted_between_commits_never_was(either: Backend) -> None:
    bucket = either.bucket("meta")
    bucket.put(b"a", b"1")
    bucket.delete(b"a")
    either.commit_now()
    assert bucket.get(b"a") is None
    assert list(bucket.items()) == []
