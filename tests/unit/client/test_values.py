import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.client import FROM_KEY, prefix_end
from fairlead.client.values import key_range


@given(prefix=st.binary(max_size=4), key=st.binary(min_size=1, max_size=6))
def test_the_end_of_a_prefix_parts_the_keys_that_start_with_it_from_all_others(
    prefix: bytes, key: bytes
) -> None:
    end = prefix_end(prefix)
    is_in_range = key >= prefix and (end == FROM_KEY or key < end)

    assert is_in_range == key.startswith(prefix)


def test_an_empty_prefix_is_every_key() -> None:
    assert key_range("", range_end="", prefix=True) == (b"\x00", b"\x00")


def test_text_goes_out_as_utf_8() -> None:
    assert key_range("é", range_end="z", prefix=False) == (b"\xc3\xa9", b"z")


def test_a_range_is_given_in_one_way_only() -> None:
    with pytest.raises(ValueError, match="not both"):
        key_range("a", range_end="b", prefix=True)
