from tests.history import HashSample, check_hashes


def sample(member: str, revision: int, compacted: int, value: int) -> HashSample:
    return HashSample(member=member, revision=revision, compact_revision=compacted, hash=value)


def test_members_agree_at_one_revision() -> None:
    assert check_hashes([sample("m1", 9, 2, 0xAA), sample("m2", 9, 2, 0xAA), sample("m3", 8, 2, 0xBB)])


def test_members_that_differ_are_named() -> None:
    verdict = check_hashes([sample("m1", 9, 2, 0xAA), sample("m2", 9, 2, 0xBB)])
    assert not verdict
    assert verdict.text == "members differ at revision 9, compacted to 2: m1 000000aa, m2 000000bb"


def test_hashes_behind_different_compactions_cannot_be_compared() -> None:
    assert check_hashes([sample("m1", 9, 2, 0xAA), sample("m2", 9, 3, 0xBB)])
