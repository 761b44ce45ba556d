import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.dns import names
from fairlead.dns.errors import BadKeyError, BadNameError
from fairlead.dns.keys import KeySpace

labels = st.lists(st.binary(min_size=1, max_size=63), max_size=3)


@given(labels)
def test_names_are_what_dnspython_says_they_are(parts: list[bytes]) -> None:
    name = names.from_labels(parts)
    judge = dns.name.Name([part.lower() for part in parts] + [b""])
    assert name == judge.to_wire()
    assert names.labels(name) == list(judge.labels[:-1])
    assert dns.name.from_text(names.to_text(name)) == judge
    above = [judge]
    while above[-1] != dns.name.root:
        above.append(above[-1].parent())
    assert list(names.suffixes(name)) == [each.to_wire() for each in above]


@pytest.mark.parametrize("text", ["a..b", ".a", "..", "a" * 64, ".".join(["a" * 63] * 4), "\ud800"])
def test_what_dns_cannot_carry_is_refused(text: str) -> None:
    with pytest.raises(BadNameError):
        names.from_text(text)


def test_a_name_of_255_bytes_is_the_longest() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(names.from_text(longest)) == 255
    with pytest.raises(BadNameError):
        names.from_text(longest + "d")


@pytest.mark.parametrize("text", ["Example.COM", "example.com.", "EXAMPLE.com."])
def test_case_and_the_last_dot_make_no_difference(text: str) -> None:
    assert names.from_text(text) == b"\x07example\x03com\x00"


@pytest.mark.parametrize("text", ["", "."])
def test_the_root_is_a_name(text: str) -> None:
    assert names.from_text(text) == names.ROOT
    assert names.to_text(names.ROOT) == "."


@pytest.mark.parametrize("prefix", ["skydns", "/skydns", "skydns/", "/skydns/"])
def test_a_prefix_ends_at_a_slash(prefix: str) -> None:
    """Or the keys of a neighbour, /skydns2/..., would be ours."""
    keys = KeySpace(prefix)
    assert keys.prefix == b"/skydns/"
    assert repr(keys) == "KeySpace('/skydns/')"


def test_a_key_is_a_name_reversed() -> None:
    name = KeySpace("deep/skydns").name_of(b"/deep/skydns/local/skydns/east/1")
    assert names.to_text(name) == "1.east.skydns.local."


@pytest.mark.parametrize("path", ["a/", "a//b", "/a", "", "A", "a/" + "b" * 64])
def test_a_key_that_stands_for_no_name_says_why(path: str) -> None:
    with pytest.raises(BadKeyError):
        KeySpace("").name_of(b"/" + path.encode())
