"""Acknowledgements that are no news wait for company, and never get lost."""

from fairlead.member.acknowledgements import Acknowledgements
from fairlead.raft import AppendReply, HeartbeatReply


def reply(index: int, *, to: int = 1, term: int = 5, success: bool = True) -> AppendReply:
    return AppendReply(to=to, sender=2, term=term, index=index, success=success)


def beat(to: int = 1) -> HeartbeatReply:
    return HeartbeatReply(to=to, sender=2, term=5, round=0)


def test_what_is_news_goes_at_once() -> None:
    known = Acknowledgements()
    assert known.sift([reply(7)]) == [reply(7)]
    assert known.sift([reply(8), reply(9)]) == [reply(8), reply(9)]


def test_what_is_no_news_goes_with_the_next_message_to_the_same_member_and_before_it() -> None:
    known = Acknowledgements()
    known.sift([reply(7), reply(7, to=3)])
    assert known.sift([reply(7)]) == []
    assert known.sift([beat(to=3)]) == [beat(to=3)]
    assert known.sift([beat()]) == [reply(7), beat()]
    assert known.sift([beat()]) == [beat()]


def test_of_several_the_newest_stands_for_all() -> None:
    known = Acknowledgements()
    known.sift([reply(7)])
    assert known.sift([reply(6), reply(7)]) == []
    assert known.sift([beat()]) == [reply(7), beat()]


def test_news_makes_what_is_held_superfluous() -> None:
    known = Acknowledgements()
    known.sift([reply(7)])
    assert known.sift([reply(7), reply(8), beat()]) == [reply(8), beat()]


def test_another_term_is_news() -> None:
    known = Acknowledgements()
    known.sift([reply(7)])
    assert known.sift([reply(7, term=6)]) == [reply(7, term=6)]


def test_a_rejection_goes_at_once_and_so_does_what_follows_it() -> None:
    """The leader looks for the place where the logs meet, and waits for each answer."""
    known = Acknowledgements()
    known.sift([reply(7)])
    no = reply(9, success=False)
    assert known.sift([no]) == [no]
    assert known.sift([reply(7)]) == [reply(7)]


def test_everything_is_news_to_a_member_that_may_have_lost_something() -> None:
    known = Acknowledgements()
    known.sift([reply(7)])
    known.forget(1)
    assert known.sift([reply(7)]) == [reply(7)]
