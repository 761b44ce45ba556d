"""What the values of the keys say: vulcand's JSON field by field, and what an operator is told where it is wrong."""

import base64
import dataclasses
import json
import ssl
from typing import Any

import pytest

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.expression import Call
from fairlead.proxy.keys import Kind, ObjectId
from fairlead.proxy.model import (
    AutoCert,
    Backend,
    Canary,
    Fields,
    Frontend,
    HealthCheck,
    Host,
    Listener,
    Middleware,
    Mirror,
    Object,
    Ocsp,
    Outlier,
    Queue,
    Retry,
    Server,
    Sticky,
    Timeouts,
    TlsSettings,
    read_object,
)


def read(kind: Kind, value: object, *, owner: str = "", name: str = "x") -> Object:
    return read_object(ObjectId(kind, owner, name), json.dumps(value).encode())


def test_a_host_is_read_as_vulcand_writes_it() -> None:
    sealed = b'{"Encryption":"secretbox.v1","Value":{"Val":"AA==","Nonce":"AA=="}}'
    host = read(
        Kind.HOST,
        {
            "Name": "ignored.example",
            "Settings": {
                "Default": True,
                "KeyPair": base64.b64encode(sealed).decode(),
                "AutoCert": {
                    "Email": "a@b.example",
                    "RenewBefore": "720h",
                    "DirectoryURL": "https://ca.example",
                },
                "OCSP": {
                    "Enabled": True,
                    "Period": "2h",
                    "Responders": ["http://o"],
                    "SkipSignatureCheck": True,
                },
            },
        },
        name="A.Example",
    )
    assert host == Host(
        name="a.example",
        is_default=True,
        sealed_key_pair=sealed,
        auto_cert=AutoCert(
            email="a@b.example", renew_before_s=2_592_000.0, directory_url="https://ca.example"
        ),
        ocsp=Ocsp(period_s=7200.0, responders=("http://o",), skip_signature_check=True),
    )
    assert read(Kind.HOST, {"Settings": {"OCSP": {"Enabled": False}}}) == Host(name="x")
    unwrapped = read(Kind.HOST, {"Settings": {"KeyPair": json.loads(sealed)}})
    assert isinstance(unwrapped, Host)
    assert json.loads(unwrapped.sealed_key_pair) == json.loads(sealed)


def test_a_listener_is_read_as_vulcand_writes_it() -> None:
    tls = {
        "PreferServerCipherSuites": True,
        "InsecureSkipVerify": True,
        "SessionTicketsDisabled": True,
        "SessionCache": {"Type": "LRU", "Settings": {"Capacity": 7}},
        "CipherSuites": ["TLS_RSA_WITH_AES_128_CBC_SHA"],
        "MinVersion": "VersionTLS11",
        "MaxVersion": "VersionTLS12",
    }
    listener = read(
        Kind.LISTENER,
        {
            "Protocol": "HTTPS",
            "Address": {"Network": "tcp", "Address": "[::1]:443"},
            "Scope": 'Host("a")',
            "Settings": {"TLS": tls},
            "ProxyProtocol": "PROXY_V1",
        },
    )
    assert listener == Listener(
        id="x",
        host="::1",
        port=443,
        scope=Call("Host", ("a",), 0),
        tls=TlsSettings(
            min_version=ssl.TLSVersion.TLSv1_1,
            max_version=ssl.TLSVersion.TLSv1_2,
            cipher_suites=("TLS_RSA_WITH_AES_128_CBC_SHA",),
            prefer_server_ciphers=True,
            session_tickets=False,
            session_cache_max=7,
            verify=False,
        ),
        expects_proxy_protocol=True,
    )
    unix = {"Protocol": "http", "Address": {"Network": "unix", "Address": "/run/p.sock"}}
    assert read(Kind.LISTENER, unix) == Listener(id="x", path="/run/p.sock")
    everywhere = {"Protocol": "http", "Address": {"Network": "tcp", "Address": ":80"}}
    assert read(Kind.LISTENER, everywhere) == Listener(id="x", port=80)


def test_a_middleware_keeps_its_settings_for_its_type() -> None:
    value = {"Id": "other", "Priority": -1, "Type": "RateLimit", "Middleware": {"Requests": 1}}
    middleware = read(Kind.MIDDLEWARE, value, owner="f")
    assert middleware == Middleware(
        id="x", frontend_id="f", type="ratelimit", priority=-1, settings={"Requests": 1}
    )
    assert isinstance(middleware, Middleware)
    assert middleware.fields.number("requests") == 1


def test_a_backend_is_read_with_all_that_is_ours() -> None:
    value = {
        "Settings": {"TLS": {"CACertFile": ["/ca.pem"]}},
        "Balance": "P2C",
        "Sticky": {"Cookie": "sid", "TTL": "1h", "Secure": True},
        "Health": {
            "Path": "/up", "Interval": "1s", "Timeout": "500ms", "Status": "200-204", "Body": "ok",
            "Rise": 1, "Fall": 4, "Port": 81, "Host": "h", "Method": "HEAD", "UnhealthyInterval": "250ms",
            "Scheme": "HTTPS", "Headers": {"X-A": "b"}, "FollowRedirects": True,
        },
        "Outlier": {"Consecutive5xx": 3, "EjectTime": "5s", "MaxEjectPercent": 34},
        "SlowStart": "30s",
        "MaxConns": 9,
        "Queue": {"Size": 10, "Timeout": "2s"},
        "Discover": "dns:web.svc.",
    }  # fmt: skip
    assert read(Kind.BACKEND, value) == Backend(
        id="x",
        tls=TlsSettings(ca_files=("/ca.pem",)),
        balance="p2c",
        sticky=Sticky(cookie="sid", ttl_s=3600, is_secure=True),
        health=HealthCheck(
            path="/up", interval_s=1, timeout_s=0.5, statuses=(200, 204), body="ok", rise=1, fall=4, host="h",
            port=81, method="HEAD", interval_ill_s=0.25, scheme="https", headers=(("X-A", "b"),), follows=True,
        ),
        outlier=Outlier(failures_max=3, eject_s=5, ejected_ratio_max=0.34),
        slow_start_s=30,
        connections_max=9,
        queue=Queue(size=10, timeout_s=2),
        discover="web.svc",
    )  # fmt: skip


def test_a_server_is_read_with_all_that_is_ours() -> None:
    value = {"URL": "http://h", "Weight": 0, "State": "Drain", "Zone": "z", "MaxConns": 2, "Backup": True}
    assert read(Kind.SERVER, value, owner="b") == Server(
        id="x",
        backend_id="b",
        host="h",
        port=80,
        weight=0,
        state="drain",
        zone="z",
        connections_max=2,
        is_backup=True,
    )


def test_a_frontend_is_read_with_all_that_is_ours() -> None:
    value = {
        "BackendId": "b",
        "Route": 'Host("a")',
        "Priority": 4,
        "Entrypoints": ["web", "internal"],
        "Canary": [
            {"BackendId": "c", "Percent": 5},
            {"BackendId": "d", "Header": "X-Try=1", "Cookie": "try"},
        ],
        "Mirror": {"BackendId": "m", "Percent": 10},
        "Fallback": "f",
        "Retry": {"Budget": 0.1, "PerTryTimeout": "1s", "Attempts": 3},
        "Timeouts": {"Read": "1s", "Dial": "2s", "Total": "3s"},
        "ErrorPages": {"500-599": "sorry", "404": "lost"},
        "Settings": {
            "Limits": {"MaxMemBodyBytes": 5, "MaxBodyBytes": 6},
            "FailoverPredicate": "Attempts() < 2",
            "Hostname": "h",
            "TrustForwardHeader": True,
            "PassHostHeader": True,
            "Stream": True,
            "StreamFlushIntervalNanoSecs": 1_000_000,
        },
    }
    assert read(Kind.FRONTEND, value) == Frontend(
        id="x",
        backend_id="b",
        route='Host("a")',
        expression=Call("Host", ("a",), 0),
        priority=4,
        entrypoints=("web", "internal"),
        canaries=(Canary(backend_id="c", ratio=0.05), Canary(backend_id="d", header="X-Try=1", cookie="try")),
        mirrors=(Mirror(backend_id="m", ratio=0.1),),
        fallback="f",
        retry=Retry(budget_ratio=0.1, try_s=1, attempts_max=3),
        timeouts=Timeouts(read_s=1, dial_s=2, total_s=3),
        error_pages=(("404", "lost"), ("500-599", "sorry")),
        body_bytes_max=6,
        memory_bytes_max=5,
        failover="Attempts() < 2",
        hostname="h",
        trust_forward_header=True,
        pass_host_header=True,
        stream=True,
        flush_s=0.001,
    )


@pytest.mark.parametrize("kind", [Frontend, Backend, Server, Host, Listener, Middleware])
def test_every_field_tells_two_objects_apart(kind: type) -> None:
    """vulcand forgot two in its Equals: flipping them live did nothing (1.6, fault 2)."""
    assert all(field.compare for field in dataclasses.fields(kind))


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (Kind.HOST, {"Settings": {"KeyPair": "%"}}, "Settings.KeyPair must be a sealed value"),
        (
            Kind.HOST,
            {"Settings": {"OCSP": {"Enabled": True, "Period": "1"}}},
            "Settings.OCSP.Period: a duration",
        ),
        (Kind.LISTENER, {}, "Address.Address is missing"),
        (Kind.LISTENER, {"Address": {"Address": "x"}}, "Address.Address must look like"),
        (Kind.LISTENER, {"Address": {"Address": "x:99999"}}, "Address.Address must look like"),
        (Kind.LISTENER, {"Address": {"Address": "x:\u0661"}}, "Address.Address must look like"),
        (Kind.LISTENER, {"Address": {"Network": "udp"}}, 'Address.Network must be "tcp", "unix", not'),
        (
            Kind.LISTENER,
            {"Address": {"Address": ":1"}, "Protocol": "ftp"},
            'Protocol must be "http", "https"',
        ),
        (Kind.LISTENER, {"Address": {"Address": ":1"}, "Scope": "Pat("}, "character 1"),
        (Kind.LISTENER, {"Address": {"Address": ":1"}, "ProxyProtocol": "v3"}, "ProxyProtocol must be"),
        (
            Kind.LISTENER,
            {"Address": {"Address": ":1"}, "Protocol": "https", "Settings": {"TLS": {"MinVersion": "1.2"}}},
            "Settings.TLS.MinVersion must be one of VersionTLS10",
        ),
        (
            Kind.BACKEND,
            {"Settings": {"TLS": {"CipherSuites": ["best"]}}},
            "Settings.TLS.CipherSuites has 'best'",
        ),
        (
            Kind.BACKEND,
            {"Settings": {"TLS": {"MaxVersion": "VersionTLS11"}}},
            "Settings.TLS.MaxVersion is lower than MinVersion",
        ),
        (Kind.MIDDLEWARE, {}, "Type is missing"),
        (Kind.MIDDLEWARE, {"Type": "t", "Middleware": []}, "Middleware must be an object"),
        (Kind.MIDDLEWARE, {"Type": "t", "Priority": True}, "Priority must be a whole number, not true"),
        (Kind.BACKEND, {"Balance": "random"}, 'Balance must be "wrr", "p2c"'),
        (Kind.BACKEND, {"Balance": "p2c", "Rebalance": True}, 'Rebalance goes with "Balance":"wrr"'),
        (Kind.BACKEND, {"Sticky": {"Cookie": "a;b"}}, "Sticky.Cookie must be a cookie's name"),
        (Kind.BACKEND, {"Sticky": {"Cookie": "a\r\nb"}}, "Sticky.Cookie must be printable ASCII"),
        (Kind.BACKEND, {"Health": {"Path": "up"}}, "Health.Path must begin with a slash"),
        (Kind.BACKEND, {"Health": {"Status": "2xx"}}, "Health.Status must look like"),
        (Kind.BACKEND, {"Health": {"Status": 99}}, "Health.Status must be from 100"),
        (Kind.BACKEND, {"Health": {"Rise": 0}}, "Health.Rise must be at least 1"),
        (
            Kind.BACKEND,
            {"Outlier": {"MaxEjectPercent": 101}},
            "Outlier.MaxEjectPercent must be a number from 0 to 100",
        ),
        (Kind.BACKEND, {"Queue": {"Size": -1}}, "Queue.Size must be from 0 to 100000"),
        (Kind.SERVER, {"URL": "http://h", "State": "gone"}, 'State must be "up", "drain", "maintenance"'),
        (Kind.SERVER, {"URL": "http://h", "Weight": -1}, "Weight must be from 0 to"),
        (Kind.SERVER, {"URL": "http://u@h"}, "URL must look like"),
        (
            Kind.FRONTEND,
            {"BackendId": "b", "Route": 'Path("/")', "Canary": [{"BackendId": "c"}]},
            "Canary[0].Percent",
        ),
        (
            Kind.FRONTEND,
            {"BackendId": "b", "Route": 'Path("/")', "Mirror": {}},
            "Mirror.BackendId is missing",
        ),
        (Kind.FRONTEND, {"BackendId": "b", "Route": 'Path("/")', "Retry": {"Attempts": 11}}, "from 1 to 10"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(kind: Kind, value: object, said: str) -> None:
    with pytest.raises(KeyProblem) as caught:
        read(kind, value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("5s", 5.0), (250_000_000, 0.25), (0, None), ("", None), ("0", None), (None, None)],
)
def test_durations_are_text_or_nanoseconds(value: Any, expected: float | None) -> None:
    assert Fields({"Read": value}).duration_s("Read") == expected


def test_names_match_whatever_their_case_as_in_go() -> None:
    assert Fields({"url": "a"}).text("URL") == "a"
    assert Fields({"url": "a", "URL": "b"}).text("URL") == "b"
