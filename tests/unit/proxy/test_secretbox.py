"""Sealed values, as vulcand writes them."""

import base64
import json

import pytest
from tests.unit.proxy.pairs import SEAL_KEY, make_pair

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.secretbox import SealKey


def test_what_is_sealed_opens_with_the_same_key_only() -> None:
    sealed = SEAL_KEY.seal(b"secret")
    assert SEAL_KEY.open(sealed) == b"secret"
    assert b"secret" not in sealed.replace(b"secretbox", b"")
    assert SEAL_KEY.seal(b"secret") != sealed, "a nonce is used once"
    with pytest.raises(KeyProblem, match="another key"):
        SealKey("a0" * 32).open(sealed)


def test_the_json_is_vulcands() -> None:
    sealed = json.loads(SEAL_KEY.seal(b"x"))
    assert sealed["Encryption"] == "secretbox.v1"
    assert {name: len(base64.b64decode(text)) for name, text in sealed["Value"].items()} == {
        "Val": 17,
        "Nonce": 24,
    }


def test_a_pair_survives_and_shows_nothing_of_its_key() -> None:
    pair = make_pair("a.example")
    assert SEAL_KEY.open_key_pair(SEAL_KEY.seal_key_pair(pair)) == pair
    assert "PRIVATE" not in repr(pair)


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b"[]", b'{"Encryption":"none","Value":{"Val":"","Nonce":""}}',
     b'{"Encryption":"secretbox.v1","Value":{"Val":"?","Nonce":""}}',
     b'{"Encryption":"secretbox.v1","Value":{"Val":"","Nonce":""}}',
     b'{"Encryption":"secretbox.v1","Value":null}'],
)  # fmt: skip
def test_what_is_not_sealed_is_named(value: bytes) -> None:
    with pytest.raises(KeyProblem):
        SEAL_KEY.open(value)


@pytest.mark.parametrize("text", ["", "zz" * 32, "00" * 31, "00" * 33])
def test_a_seal_key_has_64_digits(text: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        SealKey(text)
