"""PROXY headers: every form of both versions, read and written, and what is refused."""

import pytest

from fairlead.proxy.proxy_protocol import ProxyHeader, ProxyHeaderError, read_header, write_header

V4 = (("192.0.2.1", 1234), ("198.51.100.2", 443))
V6 = (("2001:db8::1", 1234), ("2001:db8::2", 443))
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("ends", [V4, V6])
def test_what_is_written_is_read_again(version: int, ends: tuple[tuple[str, int], tuple[str, int]]) -> None:
    data = write_header(version, *ends)
    assert read_header(data + b"GET /") == ProxyHeader(len(data), *ends)
    for size in range(len(data)):
        assert read_header(data[:size]) is None, "more must come"


@pytest.mark.parametrize("version", [1, 2])
def test_addresses_of_two_families_are_left_unsaid(version: int) -> None:
    data = write_header(version, V4[0], V6[1])
    assert read_header(data) == ProxyHeader(len(data))
    assert write_header(version, None, V4[1]) == data


def test_tlvs_are_skipped() -> None:
    data = SIGNATURE + b"\x21\x11\x00\x12" + bytes([192, 0, 2, 1, 198, 51, 100, 2]) + b"\x04\xd2\x01\xbb"
    data += b"\x03\x00\x03abc"
    assert read_header(data + b"GET") == ProxyHeader(len(data), *V4)


@pytest.mark.parametrize(
    "data",
    [
        SIGNATURE + b"\x20\x00\x00\x00",
        SIGNATURE + b"\x21\x00\x00\x03abc",
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN a b 1 2\r\n",
    ],
)
def test_local_and_unknown_connections_stay_what_they_are(data: bytes) -> None:
    assert read_header(data + b"rest") == ProxyHeader(len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1234\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1234 99999\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 +123 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 0123 443\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1234 443\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.2 1234 443\r\n",
        b"PROXY TCP4 1.2.3 198.51.100.2 1234 443\r\n",
        b"PROXY TCP4  192.0.2.1 198.51.100.2 1234 443\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.2 1234 443\r\n",
        b"PROXY " + b"x" * 200,
        SIGNATURE + b"\x31\x11\x00\x0c" + b"\0" * 12,
        SIGNATURE + b"\x22\x11\x00\x0c" + b"\0" * 12,
        SIGNATURE + b"\x21\x11\x00\x04" + b"\0" * 4,
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read_header(data)
