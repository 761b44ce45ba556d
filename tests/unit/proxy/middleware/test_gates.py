"""Who may come in: addresses, passwords, another server's word, and too many at a time."""

import base64

import bcrypt
import pytest
from tests.unit.proxy.middleware.harness import Told, answer_of, call_of, ended, made, response_of, value

from fairlead.proxy.middleware import Answer
from fairlead.proxy.middleware.basicauth import BasicAuth, read_login
from fairlead.proxy.middleware.connlimit import ConnLimit
from fairlead.proxy.middleware.htpasswd import read_hash
from fairlead.proxy.middleware.limits import LOGINS_WAITING_MAX

HASHED = bcrypt.hashpw(b"open:sesame", bcrypt.gensalt(4)).decode()


def login(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("peer", "passes"),
    [
        (b"10.1.2.3", True),
        (b"10.6.6.6", False),
        (b"192.0.2.1", False),
        (b"2001:db8::9", True),
        (b"2001:db9::9", False),
        (b"::ffff:10.1.2.3", True),
        (b"fe80::1%eth0", False),
        (b"", False),
        (b"unix", False),
    ],
)
def test_addresses_are_allowed_or_denied(peer: bytes, passes: bool) -> None:  # noqa: FBT001
    gate = made("ipallow", {"SourceRange": ["10.0.0.0/8", "2001:db8::/32"], "Deny": ["10.6.6.6"]})
    answer = answer_of(gate, call_of(peer=peer, headers={"X-Forwarded-For": "10.1.2.3"}))
    assert (answer is None) is passes
    assert answer is None or (answer.status, answer.flag) == (403, "IP")


def test_who_may_not_come_is_told_in_the_operators_way() -> None:
    answer = answer_of(made("ipallow", {"SourceRange": ["10.0.0.1"], "StatusCode": 404}), call_of())
    assert answer is not None
    assert answer.status == 404


def test_denying_alone_lets_the_others_in() -> None:
    gate = made("ipallow", {"Deny": ["10.0.0.0/8"]})
    assert answer_of(gate, call_of(peer=b"192.0.2.1")) is None
    assert answer_of(gate, call_of(peer=b"10.0.0.1")) is not None


def test_a_password_opens_and_is_not_passed_on() -> None:
    gate = made("basicauth", {"Users": [f"alice:{HASHED}"], "UserHeader": "X-User"})
    call = call_of(headers=login("alice", "open:sesame") | {"X-User": "root"})
    assert answer_of(gate, call) is None
    assert value(call.request.fields, "Authorization") is None
    assert [field for field in call.request.fields if field[0] == b"X-User"] == [(b"X-User", b"alice")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        login("alice", "wrong"),
        login("bob", "open:sesame"),
        login("alice", "open:sesame" + "x" * 100),
        {"Authorization": "Bearer abc"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"alice").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"alice\r\nX: y:open:sesame").decode()},
    ],
    ids=lambda headers: str(headers)[:50],
)
def test_anything_else_is_asked_for_a_password(headers: dict[str, str]) -> None:
    answer = answer_of(
        made("basicauth", {"Users": [f"alice:{HASHED}"], "Realm": "staff"}), call_of(headers=headers)
    )
    assert answer is not None
    assert (answer.status, answer.flag) == (401, "BA")
    assert value(answer.fields, "WWW-Authenticate") == b'Basic realm="staff", charset="UTF-8"'


def test_htpasswds_prefix_is_the_same_hash() -> None:
    gate = made("basicauth", {"Users": [f"alice:{HASHED.replace('$2b$', '$2y$')}"]})
    assert answer_of(gate, call_of(headers=login("alice", "open:sesame"))) is None


@pytest.mark.parametrize(
    ("password", "hashed"),
    [  # made by openssl passwd -apr1, htpasswd -ns
        ("test", "$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"),
        ("a longer password than sixteen bytes", "$apr1$ab$8ItIMBWI2mJuA9q7tymP40"),
        ("", "$apr1$x$tMwYqBfQwi3FYAr0aJc8M/"),
        ("test", "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="),
    ],
)
def test_what_older_password_files_have_is_read_too(password: str, hashed: str) -> None:
    gate = made("basicauth", {"Users": [f"alice:{hashed}"]})
    assert answer_of(gate, call_of(headers=login("alice", password))) is None
    for name, wrong in (("alice", password + "x"), ("bob", password)):
        answer = answer_of(gate, call_of(headers=login(name, wrong)))
        assert answer is not None
        assert answer.status == 401


@pytest.mark.parametrize(
    "hashed",
    ["test", "$apr1$H6uskkkW$short", "{SHA}qUqP5", "$1$ab$8ItIMBWI2mJuA9q7tymP40", "$2b$31$" + "a" * 53],
)
def test_what_is_no_hash_is_refused(hashed: str) -> None:
    assert read_hash(hashed) is None


def test_a_login_that_was_right_is_not_checked_again_until_the_users_change() -> None:
    world = Told()
    checks = []
    compute = world.tools.compute

    async def counting(function: object, *arguments: object) -> object:
        checks.append(arguments)
        return await compute(function, *arguments)

    object.__setattr__(world.tools, "compute", counting)
    gate = made("basicauth", {"Users": [f"alice:{HASHED}"]}, world=world)
    for now_s in (0, 1, 299):
        assert answer_of(gate, call_of(headers=login("alice", "open:sesame"), now_s=now_s)) is None
    assert len(checks) == 1
    answer_of(gate, call_of(headers=login("alice", "wrong"), now_s=300))
    assert len(checks) == 2
    changed = made("basicauth", {"Users": [f"bob:{HASHED}"]}, world=world, previous=gate)
    assert answer_of(changed, call_of(headers=login("alice", "open:sesame"), now_s=301)) is not None


def test_logins_that_wait_are_bounded() -> None:
    gate = made("basicauth", {"Users": [f"alice:{HASHED}"]})
    assert isinstance(gate, BasicAuth)
    waiting = []
    for number in range(LOGINS_WAITING_MAX):
        check = gate.on_request(call_of(headers=login("alice", str(number))))
        assert not isinstance(check, Answer)
        gate._waiting += 1
        waiting.append(check)
    answer = gate.on_request(call_of(headers=login("alice", "one more")))
    assert isinstance(answer, Answer)
    assert answer.status == 503
    for check in waiting:
        check.close()


def test_a_name_may_not_have_control_characters() -> None:
    assert read_login(b"Basic " + base64.b64encode(b"a\nb:c")) is None
    assert read_login(b"basic " + base64.b64encode(b"a:b:c")) == (b"a", b"b:c")


def test_another_server_may_let_a_request_pass_and_say_who_it_is() -> None:
    world = Told((200, [(b"X-User", b"alice"), (b"X-Other", b"o")], b""))
    gate = made(
        "forwardauth", {"Address": "http://auth/check", "AuthResponseHeaders": ["X-User"]}, world=world
    )
    call = call_of(
        "/a?b", method="PUT", headers={"X-User": "root", "Cookie": "c", "X-Forwarded-Method": "GET"}
    )
    assert answer_of(gate, call) is None
    assert [field for field in call.request.fields if field[0] == b"X-User"] == [(b"X-User", b"alice")]
    assert value(call.request.fields, "X-Other") is None
    method, url, fields, _ = world.asked[0]
    assert (method, url) == ("GET", "http://auth/check")
    asked = {name.lower(): value for name, value in fields}
    assert asked[b"cookie"] == b"c"
    assert asked[b"x-forwarded-method"] == b"PUT"
    assert asked[b"x-forwarded-uri"] == b"/a?b"
    assert asked[b"x-forwarded-host"] == b"localhost"
    assert asked[b"x-forwarded-for"] == b"192.0.2.1"


def test_what_the_gate_does_not_say_cannot_be_said_by_the_client() -> None:
    gate = made(
        "forwardauth",
        {"Address": "http://auth/", "AuthResponseHeaders": ["X-User"]},
        world=Told((204, [], b"")),
    )
    call = call_of(headers={"x-user": "root"})
    assert answer_of(gate, call) is None
    assert value(call.request.fields, "X-User") is None


def test_the_gate_may_say_whatever_an_expression_finds() -> None:
    said = [(b"foo-bar", b"auth"), (b"X-Other", b"o"), (b"Foo-Host", b"h"), (b"Connection", b"close")]
    spec = {
        "Address": "http://auth/",
        "AuthResponseHeaders": ["X-User"],
        "AuthResponseHeadersRegexp": "^Foo-|^Conn",
    }
    call = call_of(headers={"Foo-Bar": "client", "Foo-Baz": "client", "X-User": "client", "A": "a"})
    assert answer_of(made("forwardauth", spec, world=Told((200, said, b""))), call) is None
    assert call.request.fields == [(b"A", b"a"), (b"foo-bar", b"auth"), (b"Foo-Host", b"h")]


def test_the_gate_hears_what_a_client_says_of_its_request_only_when_told_to() -> None:
    came = {"X-Forwarded-Host": "fii.bir", "X-Forwarded-Uri": "/forward?q=1", "X-Forwarded-Method": "OPTIONS"}
    for trusts in (False, True):
        world = Told()
        gate = made("forwardauth", {"Address": "http://auth/", "TrustForwardHeader": trusts}, world=world)
        answer_of(gate, call_of("/path?q=1", headers=came))
        told = {
            name.decode(): value.decode() for name, value in world.asked[0][2] if name.startswith(b"X-Forw")
        }
        own = {"X-Forwarded-Host": "localhost", "X-Forwarded-Uri": "/path?q=1", "X-Forwarded-Method": "GET"}
        rest = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1"}
        assert told == (came if trusts else own) | rest


def test_the_gate_may_renew_its_own_cookies_and_is_asked_with_the_requests_method_if_wanted() -> None:
    said = [(b"set-cookie", b"session=new; Path=/"), (b"Set-Cookie", b"other=x"), (b"X-User", b"alice")]
    spec = {"Address": "http://auth/", "AddAuthCookiesToResponse": ["session"], "PreserveRequestMethod": True}
    world = Told((200, said, b""))
    gate, call = made("forwardauth", spec, world=world), call_of(method="DELETE")
    assert answer_of(gate, call) is None
    assert world.asked[0][0] == "DELETE"
    response = response_of()
    response.fields = [(b"Set-Cookie", b"session=old"), (b"Set-Cookie", b"sessions=kept"), (b"A", b"b")]
    gate.on_response(call, response)
    assert response.fields == [
        (b"Set-Cookie", b"sessions=kept"),
        (b"A", b"b"),
        (b"set-cookie", b"session=new; Path=/"),
    ]
    again, call = made("forwardauth", spec, world=Told((200, [], b""))), call_of()
    assert answer_of(again, call) is None
    response.fields = [(b"Set-Cookie", b"session=the-servers")]
    again.on_response(call, response)
    assert response.fields == [(b"Set-Cookie", b"session=the-servers")], "it has set none"


def test_its_refusal_is_the_clients_answer() -> None:
    world = Told((302, [(b"Location", b"https://login/"), (b"Connection", b"close")], b"go"))
    answer = answer_of(made("forwardauth", {"Address": "http://auth/"}, world=world), call_of())
    assert answer is not None
    assert (answer.status, answer.body, answer.fields) == (302, b"go", [(b"Location", b"https://login/")])


def test_when_it_cannot_be_asked_nobody_passes() -> None:
    answer = answer_of(
        made("forwardauth", {"Address": "http://auth/"}, world=Told(ConnectionRefusedError())), call_of()
    )
    assert answer is not None
    assert (answer.status, answer.flag) == (503, "FA")


def test_only_the_fields_that_are_named_are_shown_to_it() -> None:
    world = Told()
    gate = made("forwardauth", {"Address": "http://auth/", "AuthRequestHeaders": ["Cookie"]}, world=world)
    answer_of(gate, call_of(headers={"Cookie": "c", "Authorization": "secret"}))
    names = {name.lower() for name, _ in world.asked[0][2]}
    assert b"cookie" in names
    assert b"authorization" not in names


def test_so_many_at_a_time_and_no_more() -> None:
    """oxy's TestHitLimitAndRelease."""
    limiter = made("connlimit", {"Connections": 1, "Variable": "request.header.Limit"})
    first, other = call_of(headers={"Limit": "a"}), call_of(headers={"Limit": "b"})
    assert answer_of(limiter, first) is None
    answer = answer_of(limiter, call_of(headers={"Limit": "a"}))
    assert answer is not None
    assert (answer.status, answer.flag) == (429, "CL")
    assert answer_of(limiter, other) is None
    ended(limiter, first, 200)
    assert answer_of(limiter, call_of(headers={"Limit": "a"})) is None


def test_a_changed_limit_counts_what_is_under_way() -> None:
    old = made("connlimit", {"Connections": 2})
    first = call_of()
    assert answer_of(old, first) is None
    new = made("connlimit", {"Connections": 1}, previous=old)
    assert isinstance(new, ConnLimit)
    assert answer_of(new, call_of()) is not None
    ended(old, first, 200)  # the chain that it began with ends it
    assert new.open_by_client == {}
    assert answer_of(new, call_of()) is None


@pytest.mark.parametrize(
    ("bits", "first", "second", "is_one"),
    [
        (64, "2001:db8::1", "2001:db8::ffff:1", True),
        (64, "2001:db8::1", "2001:db8:0:1::1", False),
        (128, "2001:db8::1", "2001:db8::2", False),
        (0, "2001:db8::1", "2001:db8::2", False),
        (64, "192.0.2.1", "192.0.2.2", False),
        (64, "::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        (64, "unix", "unix", True),
    ],
)
def test_clients_of_one_network_may_be_one_client(bits: int, first: str, second: str, is_one: object) -> None:
    limiter = made("connlimit", {"Connections": 1, "IPv6Subnet": bits})
    assert answer_of(limiter, call_of(peer=first.encode())) is None
    assert (answer_of(limiter, call_of(peer=second.encode())) is not None) is is_one
