"""Who is corrupt, told from hashes."""

from fairlead.member.corruption import find_corrupt
from fairlead.mvcc import KeyValueHash


def found(digest: int, *, compacted: int = -1, revision: int = 9) -> KeyValueHash:
    return KeyValueHash(digest, compacted, revision)


def test_nobody_is_corrupt_where_all_agree() -> None:
    assert find_corrupt({1: found(7), 2: found(7), 3: found(7)}, trusted=1) == set()


def test_who_differs_from_the_majority_is_corrupt_be_it_the_leader() -> None:
    assert find_corrupt({1: found(7), 2: found(8), 3: found(7)}, trusted=1) == {2}
    assert find_corrupt({1: found(8), 2: found(7), 3: found(7)}, trusted=1) == {1}


def test_of_two_that_differ_the_one_that_asks_is_trusted() -> None:
    assert find_corrupt({1: found(7), 2: found(8)}, trusted=1) == {2}


def test_hashes_of_other_revisions_or_compactions_say_nothing() -> None:
    hashes = {1: found(7), 2: found(8, revision=8), 3: found(8, compacted=4)}
    assert find_corrupt(hashes, trusted=1) == set()
