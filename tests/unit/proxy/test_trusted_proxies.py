"""Whom a request is from when proxies stand before ours: what is believed, of whom, and what servers are told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import free_ports
from tests.unit.proxy.harness import Peer, Proxy, Upstream, eventually, fields_of, running, status_of

from fairlead.agent import Networks
from fairlead.proxy.access_log import AccessLog
from fairlead.proxy.forwarding import (
    FORWARDED,
    HOPS_MAX,
    Forwarding,
    Sender,
    as_received,
    forwarding_lines,
    read_node,
)
from fairlead.proxy.proxy_protocol import write_header

PEER = b"10.0.0.1"
OURS = Networks(["10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.0/8"])
X = Forwarding(proxies=OURS)
F = Forwarding(proxies=OURS, header=FORWARDED, writes_forwarded=True)


def told(*values: str, policy: Forwarding = X) -> str:
    """The client according to these lines of X-Forwarded-For, or of Forwarded."""
    name = b"Forwarded" if policy is F else b"X-Forwarded-For"
    sender = policy.sender([(name, value.encode()) for value in values], peer=PEER)
    return sender.address.decode()


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6, 192.0.2.7, 10.1.1.1, 10.2.2.2"], "192.0.2.7"),
        (["6.6.6.6,192.0.2.7,10.1.1.1", "10.2.2.2"], "192.0.2.7"),
        (["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ([""], "10.0.0.1"),
        ([" , ,"], "10.0.0.1"),
        (["192.0.2.7:4711"], "192.0.2.7"),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["[2001:db8::7]:4711, [2001:db8:ffff::1]:80"], "2001:db8::7"),
        (["2001:DB8:0:0::7"], "2001:db8::7"),
        (["::ffff:192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7, ::ffff:10.1.1.1"], "192.0.2.7"),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_not_one_of_ours(lines: list[str], client: str) -> None:
    assert told(*lines) == client


def test_prefixes_and_certificates_are_believed_where_the_field_is_that_our_proxies_write() -> None:
    came = [
        (b"X-Forwarded-Prefix", b"/a"),
        (b"X-Forwarded-For", b"192.0.2.7"),
        (b"Forwarded", b"for=192.0.2.8"),
    ]
    assert X.sender(came, peer=PEER).others == ((b"X-Forwarded-Prefix", b"/a"),)
    assert F.sender(came, peer=PEER).others == ()


@pytest.mark.parametrize(
    "garbage",
    [
        "unknown",
        "_hidden",
        "_SEVKISEK:80",
        "localhost",
        "999.1.1.1",
        "1.2.3",
        "16909060",
        "0x7f000001",
        "010.0.0.1",
        "1.2.3.4:99999999",
        "1.2.3.4/8",
        "[1.2.3.4",
        "2001:db8::7%eth0",
        "fe80::1%10.0.0.1",
        '"192.0.2.7"',
        "192.0.2.7 192.0.2.8",
        "\xff\xfe",
        "1" * 5000,
        "127.0.0.1\t;",
    ],
)
def test_what_is_no_address_ends_what_is_believed(garbage: str) -> None:
    """Whatever stands to the left of it may be a client's invention."""
    assert told(f"192.0.2.7, {garbage}") == PEER.decode()
    assert told(f"192.0.2.7, {garbage}, 10.1.1.1") == "10.1.1.1"
    assert told(f"{garbage}, 192.0.2.7") == "192.0.2.7"


def test_a_hundred_hops_are_read_and_no_more() -> None:
    ours = [f"10.0.1.{n}" for n in range(HOPS_MAX)]
    assert told(", ".join(["192.0.2.7", *ours[1:]])) == "192.0.2.7"
    assert told(", ".join(["192.0.2.7", *ours])) == ours[0]
    assert told(*["192.0.2.7", *ours], policy=F) == PEER.decode(), "those are no forwarded-elements"


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["for=192.0.2.7"], "192.0.2.7"),
        (["For=192.0.2.7;Proto=https;By=10.0.0.9"], "192.0.2.7"),
        (['for="192.0.2.7:4711"'], "192.0.2.7"),
        (['for="[2001:db8::7]:4711"'], "2001:db8::7"),
        (['for="[2001:db8::7]"'], "2001:db8::7"),
        (["for=6.6.6.6, for=192.0.2.7, for=10.1.1.1"], "192.0.2.7"),
        (["for=6.6.6.6", "for=192.0.2.7,,for=10.1.1.1"], "192.0.2.7"),
        (['for="192.0.2.7";host="a,b"', "for=10.1.1.1"], "192.0.2.7"),
        (['for="1\\92.0.2.7"'], "192.0.2.7"),
        (["for=6.6.6.6, for=unknown"], "10.0.0.1"),
        (["for=6.6.6.6, for=_hidden, for=10.1.1.1"], "10.1.1.1"),
        (["for=6.6.6.6, proto=http"], "10.0.0.1"),
        (["for=6.6.6.6;for=192.0.2.7"], "10.0.0.1"),
        (["for=6.6.6.6, for = 10.1.1.1"], "10.0.0.1"),
        (["for=6.6.6.6, for=[2001:db8::7]"], "10.0.0.1"),
        (["for=6.6.6.6, for=10.1.1.1;"], "10.0.0.1"),
        (["6.6.6.6"], "10.0.0.1"),
        # What a client left open does not swallow what our proxies wrote behind it.
        (['for="6.6.6.6, for=192.0.2.7'], "192.0.2.7"),
        (['for=6.6.6.6;host="', 'for="[2001:db8::7]"'], "2001:db8::7"),
        (['for=6.6.6.6;host="\\", for="[2001:db8::7]";proto=http'], "2001:db8::7"),
        (['for="6.6.6.6'], "10.0.0.1"),
        (['for=6.6.6.6, for=192.0.2.7;host="a\\",b"'], "192.0.2.7"),
    ],
)
def test_forwarded_is_read_from_the_right_as_rfc_7239_writes_it(lines: list[str], client: str) -> None:
    assert told(*lines, policy=F) == client


def test_the_field_that_our_proxies_do_not_write_is_not_read() -> None:
    """It is what a client sent through them."""
    both = [(b"Forwarded", b"for=192.0.2.7"), (b"X-Forwarded-For", b"192.0.2.8"), (b"X-Real-IP", b"6.6.6.6")]
    assert X.sender(both, peer=PEER).address == b"192.0.2.8"
    assert F.sender(both, peer=PEER).address == b"192.0.2.7"
    assert F.sender(both[1:], peer=PEER).address == PEER


def test_proto_and_host_are_what_the_first_of_our_proxies_saw() -> None:
    value = b'for=192.0.2.7;proto=wss;host=evil, for=192.0.2.7;proto=https;host="a.example:444", for=10.1.1.1;proto=http'
    sender = F.sender([(b"Forwarded", value)], peer=PEER)
    assert (sender.scheme, sender.proto, sender.host) == (b"https", b"https", b"a.example:444")
    assert sender.hops == (b"192.0.2.7", b"192.0.2.7", b"10.1.1.1")


def lines_of(sender: Sender, *, writes_forwarded: bool, peer: bytes = PEER) -> dict[str, list[str]]:
    lines = forwarding_lines(
        sender,
        peer=peer,
        host=b"a.example:81",
        port=b"8080",
        scheme=b"http",
        writes_forwarded=writes_forwarded,
    )
    return fields_of(b"\r\n" + lines)


def test_servers_get_forwarded_with_quotes_where_they_belong() -> None:
    stranger = as_received([], peer=b"2001:db8::7")
    fields = lines_of(stranger, writes_forwarded=True, peer=b"2001:db8::7")
    assert fields["forwarded"] == ['for="[2001:db8::7]";host="a.example:81";proto=http']
    assert "forwarded" not in lines_of(stranger, writes_forwarded=False)


def test_the_chain_of_one_field_is_told_in_the_other() -> None:
    """RFC 7239, section 7.4, and back."""
    chain = b"192.0.2.7:4711, _secret, junk!, 2001:db8::7"
    policy = Forwarding(proxies=OURS, writes_forwarded=True)
    sender = policy.sender([(b"X-Forwarded-For", chain)], peer=PEER)
    (forwarded,) = lines_of(sender, writes_forwarded=True)["forwarded"]
    assert forwarded.startswith(
        'for=192.0.2.7, for=_secret, for=unknown, for="[2001:db8::7]", for=10.0.0.1;host='
    )
    sender = F.sender([(b"Forwarded", b'for="[2001:db8::7]:80", for=_secret, for=10.1.1.1')], peer=PEER)
    fields = lines_of(sender, writes_forwarded=True)
    assert fields["x-forwarded-for"] == ["2001:db8::7, unknown, 10.1.1.1, 10.0.0.1"]
    assert fields["forwarded"][0].startswith(
        'for="[2001:db8::7]:80", for=_secret, for=10.1.1.1, for=10.0.0.1;'
    )


def test_nodes_are_read_once_and_spelled_one_way() -> None:
    assert read_node(b"[::FFFF:192.0.2.7]:80") == b"192.0.2.7"
    assert read_node(b"[192.0.2.7]") == b"192.0.2.7"
    assert read_node(b"") is None


# On the wire


def _ip_gate(*networks: str) -> dict[str, object]:
    return {"Type": "ipallow", "Middleware": {"SourceRange": list(networks)}}


async def _seen(
    extra: str, *, forwarding: Forwarding, settings: dict[str, Any] | None = None
) -> dict[str, list[str]]:
    upstream = Upstream()
    async with running(upstream, forwarding=forwarding) as proxy:
        if settings is not None:
            proxy.serve(upstream, settings=settings)
        await proxy.get(extra=extra)
    return fields_of(upstream.heads[0])


SAID = (
    "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n"
    "X-Forwarded-Port: 443\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
)


@pytest.mark.parametrize("trusts_header", [False, True])
async def test_a_stranger_is_not_believed_whatever_a_frontend_says(*, trusts_header: bool) -> None:
    fields = await _seen(
        SAID,
        forwarding=Forwarding(proxies=Networks(["10.0.0.0/8"])),
        settings={"TrustForwardHeader": trusts_header},
    )
    assert (fields["x-forwarded-for"], fields["x-real-ip"]) == (["127.0.0.1"], ["127.0.0.1"])
    assert (fields["x-forwarded-proto"], fields["x-forwarded-host"]) == (["http"], ["a.example"])
    assert "forwarded" not in fields


@pytest.mark.parametrize("trusts_header", [False, True])
async def test_a_proxy_of_ours_is_believed_whatever_a_frontend_says(*, trusts_header: bool) -> None:
    fields = await _seen(SAID, forwarding=X, settings={"TrustForwardHeader": trusts_header})
    assert fields["x-forwarded-for"] == ["6.6.6.6, 192.0.2.7, 127.0.0.1"]
    assert fields["x-real-ip"] == ["192.0.2.7"]
    assert (fields["x-forwarded-proto"], fields["x-forwarded-host"]) == (["https"], ["shop.example"])
    assert fields["x-forwarded-port"] == ["443"]
    assert "forwarded" not in fields, "the client's, sent through a proxy that does not write it"


async def test_without_networks_a_frontend_lets_through_what_came_and_the_client_stays_the_peer() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        proxy.serve(upstream, settings={"TrustForwardHeader": True})
        proxy.put({"frontends/f/middlewares/gate": _ip_gate("127.0.0.1")})
        head, _ = await proxy.get(extra=SAID)
    assert status_of(head) == 200, "an address list is not fooled"
    fields = fields_of(upstream.heads[0])
    assert fields["x-forwarded-for"] == ["6.6.6.6, 192.0.2.7, 127.0.0.1"]
    assert fields["forwarded"] == ["for=6.6.6.6"]


async def test_servers_are_told_in_forwarded_when_it_is_asked_for() -> None:
    fields = await _seen("", forwarding=Forwarding(writes_forwarded=True))
    assert fields["forwarded"] == ['for=127.0.0.1;host="a.example";proto=http']
    fields = await _seen("Forwarded: for=6.6.6.6\r\n", forwarding=Forwarding(writes_forwarded=True))
    assert fields["forwarded"] == ['for=127.0.0.1;host="a.example";proto=http']
    fields = await _seen(SAID, forwarding=F)
    assert fields["forwarded"] == ['for=6.6.6.6, for=127.0.0.1;host="a.example";proto=http']


async def test_limits_gates_routes_and_the_log_see_the_client_behind_our_proxies(tmp_path: Path) -> None:
    upstream = Upstream()
    log = AccessLog(str(tmp_path / "log"))
    async with running(upstream, forwarding=X) as proxy:
        proxy.service.observers += (log.note,)
        proxy.put(
            {
                "frontends/f/middlewares/rate": {
                    "Type": "ratelimit",
                    "Middleware": {"Requests": 1, "PeriodSeconds": 60, "Burst": 1, "Variable": "client.ip"},
                },
                "frontends/inside/frontend": {
                    "Type": "http",
                    "BackendId": "b",
                    "Route": "ClientIP(`192.0.2.0/24`) && Path(`/inside`)",
                    "Priority": 5,
                },
                "frontends/inside/middlewares/gate": _ip_gate("192.0.2.7"),
            }
        )
        clients = ["192.0.2.7", "192.0.2.8", "192.0.2.7", "2001:db8::1", "2001:db8::2"]
        statuses = [await _from(proxy, each) for each in clients]
        inside = [await _from(proxy, each, path="/inside") for each in ("192.0.2.7", "192.0.2.8")]
    log.flush()
    log.close()
    logged = [json.loads(line)["client"] for line in (tmp_path / "log").read_text().splitlines()]
    assert statuses == [200, 200, 429, 200, 200]
    assert inside == [200, 403]
    assert logged == [*clients, "192.0.2.7", "192.0.2.8"]


async def _from(proxy: Proxy, client: str, *, path: str = "/") -> int:
    head, _ = await proxy.get(path, extra=f"X-Forwarded-For: 6.6.6.6, {client}\r\n")
    return status_of(head)


async def test_requests_of_one_connection_may_come_from_many_clients() -> None:
    """What is remembered of a connection's last head is never taken for another client's."""
    upstream = Upstream()
    async with running(upstream, forwarding=X) as proxy:
        peer = await proxy.connect()
        for client in ("192.0.2.7", "192.0.2.8", "192.0.2.7", ""):
            extra = f"X-Forwarded-For: {client}\r\n" if client else ""
            await peer.ask(f"GET / HTTP/1.1\r\nHost: a\r\n{extra}\r\n".encode())
    assert [fields_of(head)["x-real-ip"] for head in upstream.heads] == [
        ["192.0.2.7"],
        ["192.0.2.8"],
        ["192.0.2.7"],
        ["127.0.0.1"],
    ]


async def test_tls_that_a_proxy_of_ours_ended_counts_as_tls() -> None:
    upstream = Upstream()
    async with running(upstream, forwarding=X) as proxy:
        proxy.put({"frontends/f/middlewares/tls": {"Type": "redirect", "Middleware": {"Scheme": "https"}}})
        secured, _ = await proxy.get(extra="X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n")
        plain, _ = await proxy.get(extra="X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n")
        odd, _ = await proxy.get(extra="X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https, http\r\n")
    assert [status_of(each) for each in (secured, plain, odd)] == [200, 302, 302]


async def test_a_listener_may_say_itself_whom_it_believes_and_a_proxy_header_comes_first() -> None:
    """The peer is whom a PROXY header names, and that one is believed or not."""
    upstream = Upstream()
    async with running(upstream, forwarding=X) as proxy:
        nobody, behind = free_ports(2)
        proxy.put(
            {
                "listeners/nobody": _listener(nobody, TrustedProxies=[]),
                "listeners/behind": _listener(
                    behind, ProxyProtocol="PROXY_V1", TrustedProxies=["198.51.100.0/24"]
                ),
            }
        )
        await eventually(lambda: len(proxy.service.doors.sockets()) == 3)
        said = "X-Forwarded-For: 192.0.2.7"
        await _ask(nobody, b"", said)
        await _ask(behind, write_header(1, ("198.51.100.9", 1), ("198.51.100.1", 80)), said)
        await _ask(behind, write_header(1, ("127.0.0.1", 1), ("198.51.100.1", 80)), said)
    assert [fields_of(head)["x-real-ip"] for head in upstream.heads] == [
        ["127.0.0.1"],
        ["192.0.2.7"],
        ["127.0.0.1"],
    ]


async def test_networks_that_are_none_cost_only_their_listener() -> None:
    async with running(Upstream()) as proxy:
        proxy.put({"listeners/l": _listener(1, TrustedProxies=["10.0.0.0/99"])})
        assert "TrustedProxies: '10.0.0.0/99'" in proxy.board.problems[b"/vulcand/listeners/l"]


async def test_a_listener_that_is_put_again_as_it_was_stays_open() -> None:
    async with running(Upstream()) as proxy:
        one, two = free_ports(2)
        again = {"listeners/l": _listener(one, TrustedProxies=["10.0.0.0/8"])}
        proxy.put(again)
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        opened = dict(proxy.service.doors.sockets())[f"127.0.0.1:{one}"]
        proxy.put({**again, "listeners/other": _listener(two)})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 3)
        assert dict(proxy.service.doors.sockets())[f"127.0.0.1:{one}"] is opened


async def test_an_ipv4_client_has_one_spelling_on_a_socket_for_both_families() -> None:
    upstream = Upstream()
    async with running(upstream, forwarding=X) as proxy:
        (port,) = free_ports(1)
        proxy.put({"listeners/l": {"Protocol": "http", "Address": {"Network": "tcp", "Address": f":{port}"}}})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        await _ask(port, b"", "X: y")
        await _ask(port, b"", "X-Forwarded-For: 192.0.2.7")
    first, second = map(fields_of, upstream.heads)
    assert first["x-forwarded-for"] == ["127.0.0.1"]
    assert second["x-forwarded-for"] == ["192.0.2.7, 127.0.0.1"]


def _listener(port: int, **fields: object) -> dict[str, object]:
    return {
        "Protocol": "http",
        "Address": {"Network": "tcp", "Address": f"127.0.0.1:{port}"},
        **fields,
    }


async def _ask(port: int, header: bytes, said: str) -> None:
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
    head, _ = await peer.ask(header + f"GET / HTTP/1.1\r\nHost: a\r\n{said}\r\n\r\n".encode())
    assert status_of(head) == 200
    peer.close()
