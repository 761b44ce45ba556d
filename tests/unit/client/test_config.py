from pathlib import Path

import pytest

from fairlead.client import Credentials, Endpoint, EndpointError, Tls


@pytest.mark.parametrize(
    ("text", "url", "is_tls"),
    [
        ("http://127.0.0.1:2379", "http://127.0.0.1:2379", False),
        ("https://store.example:2379/", "https://store.example:2379", True),
        (" localhost:2379 ", "http://localhost:2379", False),
        ("http://[::1]:2379", "http://[::1]:2379", False),
    ],
)
def test_an_endpoint_is_read_as_etcdctl_reads_it(text: str, url: str, *, is_tls: bool) -> None:
    endpoint = Endpoint.parse(text)

    assert (endpoint.url, endpoint.is_tls) == (url, is_tls)


def test_an_endpoint_without_a_scheme_is_tls_where_there_are_certificates() -> None:
    assert Endpoint.parse("localhost:2379", tls=Tls(ca=Path("ca.pem"))).is_tls


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "ftp://localhost:1",
        "http://localhost:",
        "http://localhost:0",
        "http://h:70000",
        "h:1/x",
    ],
)
def test_what_is_no_endpoint_is_refused_by_name_with_the_flag_to_give(text: str) -> None:
    with pytest.raises(EndpointError, match="--endpoints") as caught:
        Endpoint.parse(text)

    assert repr(text) in str(caught.value)


def test_a_certificate_without_its_key_is_refused() -> None:
    with pytest.raises(EndpointError, match="--cert and --key"):
        Tls(cert=Path("cert.pem"))


def test_a_password_may_hold_colons_and_is_never_shown() -> None:
    credentials = Credentials.parse("app:a:b")

    assert credentials.password == "a:b"
    assert "a:b" not in repr(credentials)


@pytest.mark.parametrize("text", ["", "app", ":secret"])
def test_a_user_without_a_password_is_refused(text: str) -> None:
    with pytest.raises(EndpointError, match="NAME:PASSWORD"):
        Credentials.parse(text)
