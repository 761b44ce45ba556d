"""What others say cannot do anything to our log."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.peer.words import one_line


@given(st.text(max_size=600))
def test_words_of_others_fit_on_a_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 500


def test_plain_words_stay_as_they_are() -> None:
    assert one_line("member 2 was removed; bring it back") == "member 2 was removed; bring it back"
    assert one_line("a\nb\x1b[31m") == "a b [31m"
