"""What an authority may say, and what is made of it; the whole way is in the end-to-end tests."""

import base64
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fairlead.proxy.acme import AccountKey, AcmeClient, AcmeError
from fairlead.proxy.acme.certs import ACME_IDENTIFIER, certificate_request, challenge_pair, renew_s
from fairlead.proxy.headers import Fields

DIRECTORY = {name: f"http://ca/{name}" for name in ("newNonce", "newAccount", "newOrder")}
Answer = tuple[int, dict[str, str], object]


class Scripted:
    """An authority that answers each path from a list; the last answer is given again and again."""

    def __init__(self, **paths: list[Answer]) -> None:
        self.paths: dict[str, list[Answer]] = {
            "directory": [(200, {}, DIRECTORY)],
            "newNonce": [(200, {}, {})],
            **{path: list(answers) for path, answers in paths.items()},
        }
        self.nonces = 0
        self.sent: list[tuple[str, Any]] = []

    async def ask(
        self, method: str, url: str, *, fields: Fields, body: bytes = b"", timeout_s: float
    ) -> tuple[int, Fields, bytes]:
        path = url.removeprefix("http://ca/")
        answers = self.paths[path]
        status, headers, value = answers[0] if len(answers) == 1 else answers.pop(0)
        self.nonces += 1
        if body:
            self.sent.append((path, json.loads(body)))
        named = {"Replay-Nonce": str(self.nonces), **headers}
        made = value if isinstance(value, bytes) else json.dumps(value).encode()
        return status, [(name.encode(), each.encode()) for name, each in named.items()], made


class Solver:
    def __init__(self) -> None:
        self.shown: list[tuple[str, str, str]] = []
        self.hidden = 0

    async def show(self, kind: str, name: str, token: str, key_authorization: str) -> None:
        self.shown.append((kind, name, key_authorization.partition(".")[0]))

    async def hide(self) -> None:
        self.hidden += 1


async def no_time(_: float) -> None:
    return


def client(web: Scripted) -> AcmeClient:
    return AcmeClient(web, "http://ca/directory", AccountKey.made(), sleep=no_time)


ACCOUNT: list[Answer] = [(201, {"Location": "http://ca/account/1"}, {})]
ORDER: Answer = (
    201,
    {"Location": "http://ca/order"},
    {"authorizations": ["http://ca/authz"], "finalize": "http://ca/finalize"},
)
CHALLENGES = [
    {"type": "dns-01", "url": "http://ca/no", "token": "n"},
    {"type": "tls-alpn-01", "url": "http://ca/chall", "token": "t"},
]
PENDING: Answer = (200, {}, {"status": "pending", "challenges": CHALLENGES})


def problem(kind: str, detail: str = "because") -> Answer:
    return 400, {}, {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}


async def test_a_refused_nonce_is_asked_for_again_and_not_for_ever() -> None:
    web = Scripted(newAccount=[problem("badNonce"), *ACCOUNT])
    await client(web).register("a@example")
    assert len(web.sent) == 2
    with pytest.raises(AcmeError, match="nonces"):
        await client(Scripted(newAccount=[problem("badNonce")])).register("")


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ({"directory": [(404, {}, {})]}, "is no directory"),
        ({"directory": [(200, {}, b"<html>")]}, "is no directory"),
        ({"newAccount": [problem("unauthorized", "account is closed")]}, "account is closed"),
    ],
)
async def test_an_authority_that_does_not_want_us_is_told(paths: dict[str, list[Answer]], said: str) -> None:
    with pytest.raises(AcmeError, match=said):
        await client(Scripted(**paths)).register("")


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ({"newOrder": [problem("rejectedIdentifier", "not this name")]}, "not this name"),
        ({"authz": [(200, {}, {"status": "pending", "challenges": CHALLENGES[:1]})]}, "offers dns-01"),
        (
            {
                "authz": [
                    PENDING,
                    (200, {}, {"status": "invalid", "challenges": [{"error": {"detail": "no route"}}]}),
                ]
            },
            "no route",
        ),
        ({"authz": [PENDING]}, "has not come to a decision"),
        ({"authz": [(200, {}, {"status": "valid"})], "order": [(200, {}, {"status": "invalid"})]}, "invalid"),
    ],
    ids=["name", "kinds", "proof", "slow", "order"],
)
async def test_an_order_that_fails_says_why_and_shows_nothing_any_more(
    paths: dict[str, list[Answer]], said: str
) -> None:
    given: dict[str, list[Answer]] = {
        "newAccount": ACCOUNT,
        "newOrder": [ORDER],
        "chall": [(200, {}, {})],
        "order": [(200, {}, {"status": "pending"})],
    }
    web, solver = Scripted(**(given | paths)), Solver()
    it = client(web)
    await it.register("")
    with pytest.raises(AcmeError, match=said):
        await it.order("a.example", solver, kinds=("http-01", "tls-alpn-01"))
    assert solver.hidden == len(solver.shown)


async def test_what_is_no_certificate_is_not_served() -> None:
    web = Scripted(
        newAccount=ACCOUNT,
        newOrder=[ORDER],
        authz=[PENDING, (200, {}, {"status": "valid"})],
        chall=[(200, {}, {})],
        order=[
            (200, {}, {"status": "ready"}),
            (200, {}, {"status": "valid", "certificate": "http://ca/cert"}),
        ],
        finalize=[(200, {}, {})],
        cert=[(200, {}, b"<html>")],
    )
    it, solver = client(web), Solver()
    await it.register("")
    with pytest.raises(AcmeError, match="no certificate"):
        await it.order("a.example", solver, kinds=("http-01", "tls-alpn-01"))
    assert solver.shown == [("tls-alpn-01", "a.example", "t")]
    assert all("kid" in json.loads(_decoded(body["protected"])) for _, body in web.sent[1:])


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_an_account_is_its_key() -> None:
    key = AccountKey.made()
    again = AccountKey.read(key.pem())
    assert again.jwk == key.jwk
    assert (
        again.key_authorization("t") == key.key_authorization("t") != AccountKey.made().key_authorization("t")
    )
    other = ec.generate_private_key(ec.SECP384R1())
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for wrong in (pem, b"nonsense", b""):
        with pytest.raises(ValueError, match=r"."):
            AccountKey.read(wrong)


def test_certificates_say_what_they_are_for() -> None:
    pair = challenge_pair("a.example", "t.print", now_s=1_700_000_000)
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    assert certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER).critical
    expires_s = 1_700_000_000 + 2 * 86_400
    assert renew_s(pair.certificate, before_s=3600) == expires_s - 3600
    assert renew_s(pair.certificate, before_s=30 * 86_400) == expires_s - 1.5 * 86_400, "at half of its life"
    _, der = certificate_request("a.example")
    names = x509.load_der_x509_csr(der).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
