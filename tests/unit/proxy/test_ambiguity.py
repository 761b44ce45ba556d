"""Paths that may be read in two ways: matched raw, forwarded as they were matched, or refused (rule 14)."""

import pytest
from click.testing import CliRunner
from tests.unit.proxy.harness import Upstream, running, status_of
from tests.unit.proxy.streams import Http2Peer

from fairlead.proxy.ambiguity import KINDS, Ambiguity
from fairlead.proxy.commands import run
from fairlead.proxy.config import ProxyConfig

AMBIGUOUS = {
    "encoded-slash": ["/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a/..%2fadmin"],
    "dot-segments": [
        "/..",
        "/../a",
        "/a/../b",
        "/a/..",
        "/a/./b",
        "/%2e%2E/a",
        "/a/.%2e/b",
        "/a/..;/b",
        "/.",
    ],
    "empty-segments": ["//", "//a", "/a//b", "/a//"],
    "parameters": ["/a;b", "/a%3bb", "/a;/b", "/;"],
}
PLAIN = [
    "/",
    "/a/b",
    "/a.b",
    "/a..b",
    "/...",
    "/a/...",
    "/.well-known/x",
    "/a%20b",
    "/%2",
    "/a%25",
    "/a:b@c,d=e",
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_refuses_its_own_and_no_plain_path(kind: str) -> None:
    ambiguity = Ambiguity([kind])
    assert all(ambiguity.in_path(each.encode()) for each in AMBIGUOUS[kind])
    assert not any(ambiguity.in_path(each.encode()) for each in PLAIN)


@pytest.mark.parametrize("kinds", [[], list(KINDS)])
def test_nul_is_refused_always_and_plain_paths_never(kinds: list[str]) -> None:
    ambiguity = Ambiguity(kinds)
    assert ambiguity.in_path(b"/a%00.png") == b"%00"
    assert not any(ambiguity.in_path(each.encode()) for each in PLAIN)


async def test_what_is_forwarded_is_what_was_matched_byte_by_byte() -> None:
    upstream = Upstream()
    paths = [*PLAIN, *(each for some in AMBIGUOUS.values() for each in some)]
    async with running(upstream) as proxy:
        # Each path has a route of its own, and nothing else has one.
        proxy.put({}, delete=("frontends/f/frontend",))
        for number, path in enumerate(paths):
            route = {"Type": "http", "BackendId": "b", "Route": f"Path(`{path}`)"}
            proxy.put({f"frontends/f{number}/frontend": route})
        client = await proxy.connect()
        for path in paths:
            target = f"{path}?a=//..;%2f"
            head, _ = await client.ask(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert status_of(head) == 200, path
            assert upstream.heads[-1].split(b" ")[1] == target.encode()
        assert status_of((await proxy.get("/a/b/../b"))[0]) == 404, (
            "nothing is made simpler before it is matched"
        )


async def test_an_ambiguous_path_is_400_where_that_is_wanted_and_reaches_nobody() -> None:
    upstream = Upstream()
    async with running(upstream, refused_paths=["dot-segments", "encoded-slash"]) as proxy:
        for path, status in (
            ("/a/../b", 400),
            ("/a%2Fb", 400),
            ("/a//b", 200),
            ("/a;b", 200),
            ("/b?c=/../d", 200),
        ):
            head, body = await proxy.get(path)
            assert status_of(head) == status, path
            assert status == 200 or b"is not taken here" in body
        head, _ = await proxy.get("http://a.example/x/../y")
        assert status_of(head) == 400, "the absolute form is no way around"
        peer = Http2Peer(await proxy.connect())
        await peer.greet()
        stream = peer.connection.get_next_available_stream_id()
        fields = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/a/../b")]
        peer.connection.send_headers(stream, fields, end_stream=True)
        await peer.flush()
        assert await peer.status(stream) == 400, "nor is HTTP/2"
    assert len(upstream.heads) == 3


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/%2e./b/", "/b/"),
        ("/../../b", "/b"),
        ("/a/./b/%2E/c", "/a/b/c"),
        ("/a/b/..", "/a"),
        ("/a/..", "/"),
        ("/a/.", "/a"),
        ("//a///b//", "/a/b/"),
        ("//", "/"),
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("/.a/..b/c../...", "/.a/..b/c../..."),
        ("/a/..%2fb", "/a/..%2fb"),
        ("/a/..;/b", "/a/..;/b"),
        ("*", "*"),
    ],
)
def test_a_path_is_made_clean_where_that_is_wanted(path: str, clean: str) -> None:
    assert Ambiguity(cleans=True).cleaned(path.encode()).decode() == clean
    assert Ambiguity().cleaned(path.encode()).decode() == path


async def test_what_is_matched_clean_is_forwarded_clean_and_a_guard_is_not_passed_by() -> None:
    upstream = Upstream()
    async with running(upstream, cleans_paths=True) as proxy:
        route = {"Type": "http", "BackendId": "b", "Route": "PathRegexp(`^/open`)"}
        proxy.put({"frontends/open/frontend": route}, delete=("frontends/f/frontend",))
        for target in (
            "/open/../closed",
            "/open/%2e%2e/closed",
            "http://a.example/open/../closed",
            "/closed//../open/../closed",
        ):
            assert status_of((await proxy.get(target))[0]) == 404, target
        for target, seen in (
            ("//open/./x?y=/../z", "/open/x?y=/../z"),
            ("http://a.example/x/../open/", "/open/"),
        ):
            assert status_of((await proxy.get(target))[0]) == 200, target
            assert upstream.heads[-1].split(b" ")[1].decode() == seen
    assert len(upstream.heads) == 2


@pytest.mark.parametrize(
    ("flags", "are_clean"),
    [
        ("", "no"),
        ("--layout traefik", "yes"),
        ("--layout traefik --raw-paths", "no"),
        ("--clean-paths", "yes"),
    ],
)
def test_paths_are_clean_with_traefiks_keys_unless_they_are_wanted_raw(
    flags: str, are_clean: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _config_with(flags.split(), monkeypatch).cleans_paths is (are_clean == "yes")


def _config_with(flags: list[str], monkeypatch: pytest.MonkeyPatch) -> ProxyConfig:
    configs: list[ProxyConfig] = []

    def start(_: object, config: ProxyConfig, __: int) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(run, "_start", start)
    result = CliRunner().invoke(run.run, flags)
    assert (result.exit_code, result.output) == (0, "")
    return configs[0]


@pytest.mark.parametrize(
    ("flags", "kinds"),
    [
        ([], ()),
        (["--refuse-paths", "parameters", "--refuse-paths", "dot-segments"], ("parameters", "dot-segments")),
        (["--refuse-paths", "all"], tuple(KINDS)),
    ],
)
def test_the_flag_names_the_kinds(
    flags: list[str], kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _config_with(flags, monkeypatch).refused_paths == kinds
