"""Status messages survive their way through a trailer."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.rpc.codes import Code, percent_decoded, percent_encoded


def test_the_codes_are_those_of_grpc() -> None:
    assert [code.value for code in Code] == list(range(17))
    assert (Code.UNAVAILABLE, Code.UNAUTHENTICATED) == (14, 16)


def test_printable_ascii_stays_and_everything_else_is_percent_encoded() -> None:
    assert percent_encoded("etcdserver: no leader") == b"etcdserver: no leader"
    assert percent_encoded("100% sure\nü") == b"100%25 sure%0A%C3%BC"


def test_a_lone_surrogate_does_not_break_an_answer() -> None:
    assert percent_encoded("\ud800") == b"?"


def test_a_stray_percent_sign_stays() -> None:
    """The specification: decoders must not fail on invalid values."""
    assert percent_decoded(b"50% of %zz%41") == "50% of %zzA"


@given(st.text().filter(lambda text: text.encode("utf-8", "replace").decode() == text))
def test_any_text_comes_back(text: str) -> None:
    encoded = percent_encoded(text)
    assert all(0x20 <= byte <= 0x7E for byte in encoded)
    assert percent_decoded(encoded) == text
