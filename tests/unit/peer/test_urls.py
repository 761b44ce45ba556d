"""Peer URLs, as operators write them."""

import pytest

from fairlead.peer import PeerConfigError
from fairlead.peer.urls import Address, parse_url


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:2380", Address("127.0.0.1", 2380, is_tls=False)),
        ("https://m1.example:2380/", Address("m1.example", 2380, is_tls=True)),
        ("http://[::1]:2380", Address("::1", 2380, is_tls=False)),
    ],
)
def test_a_url_names_an_address(url: str, address: Address) -> None:
    assert parse_url(url) == address
    assert str(address) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "", "127.0.0.1:2380", "http://127.0.0.1", "unix://x:1", "http://:2380", "http://a:99999", "http://[::1:2380",
        "http://a:1/path",
    ],
)  # fmt: skip
def test_what_names_none_is_refused(url: str) -> None:
    with pytest.raises(PeerConfigError, match="write it as http://HOST:2380"):
        parse_url(url)
