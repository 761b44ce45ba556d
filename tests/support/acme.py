"""A small authority that speaks ACME, strict where real ones are: nonces once, signatures, states in their order.

It asks for its proofs over real sockets, at ports that the test names instead of 80 and 443.
"""

import asyncio
import base64
import datetime as dt
import hashlib
import json
import secrets
import ssl
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


class Refused(Exception):  # noqa: N818  what happens to the request
    """A problem document (RFC 7807)."""

    def __init__(self, kind: str, detail: str = "no") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


def decode(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authority:
    """One authority; ``port`` is where it listens."""

    def __init__(
        self,
        *,
        http_port: int,
        tls_port: int,
        kinds: tuple[str, ...] = ("http-01", "tls-alpn-01"),
        lifetime_s: int = 86_400 * 90,
    ) -> None:
        self.http_port, self.tls_port, self.kinds, self.lifetime_s = http_port, tls_port, kinds, lifetime_s
        self.port = 0
        self.proofs: list[str] = []
        self.bad_nonces = 1  # the first good nonce is refused, as real authorities do now and then
        self.refused = ""  # why every order is refused; empty: none is
        self.refusals = 0
        self.gate = asyncio.Event()  # nothing is issued before
        self.gate.set()
        self.waiting = asyncio.Event()  # somebody stands before it
        self.accounts: dict[str, dict[str, str]] = {}
        self.orders: list[dict[str, Any]] = []
        self._nonces: set[str] = set()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split(" ", 2)
            lengths = [
                int(line[16:]) for line in head.split("\r\n") if line.lower().startswith("content-length: ")
            ]
            body = await reader.readexactly(lengths[0]) if lengths else b""
            try:
                status, fields, made = await self._answer(method, path, head, body)
            except Refused as error:
                problem = {"type": f"urn:ietf:params:acme:error:{error.kind}", "detail": error.detail}
                status, fields, made = 400, {}, json.dumps(problem).encode()
            fields = {"Replay-Nonce": self._nonce(), **fields}
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            sent = b"" if method == "HEAD" else made
            writer.write(
                f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {len(made)}\r\nConnection: close\r\n\r\n".encode()
                + sent
            )
            await writer.drain()
        finally:
            writer.close()

    def _nonce(self) -> str:
        nonce = secrets.token_urlsafe(8)
        self._nonces.add(nonce)
        return nonce

    async def _answer(
        self, method: str, path: str, head: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if path == "/directory":
            names = {name: f"{self.url}/{name}" for name in ("newNonce", "newAccount", "newOrder")}
            return 200, {}, json.dumps(names).encode()
        if path == "/newNonce":
            return 200, {}, b""
        if method != "POST" or "content-type: application/jose+json" not in head.lower():
            raise Refused("malformed", "POST application/jose+json")
        kid, payload, jwk = self._verified(path, body)
        if path == "/newAccount":
            kid = f"{self.url}/account/{hashlib.sha256(json.dumps(jwk).encode()).hexdigest()[:8]}"
            if not payload or not payload.get("termsOfServiceAgreed"):
                raise Refused("userActionRequired")
            status = 200 if kid in self.accounts else 201
            self.accounts[kid] = jwk
            return status, {"Location": kid}, b"{}"
        if path == "/newOrder" and self.refused:
            self.refusals += 1
            raise Refused("rateLimited", self.refused)
        if path == "/newOrder":
            return self._new_order(payload)
        kind, _, number = path[1:].partition("/")
        order = self.orders[int(number.split("-")[0])]
        return await self._follow(kind, number, order, payload, self.accounts[kid])

    def _verified(self, path: str, body: bytes) -> tuple[str, Any, dict[str, str]]:
        outer = json.loads(body)
        protected = json.loads(decode(outer["protected"]))
        if protected["alg"] != "ES256" or protected["url"] != self.url + path:
            raise Refused("malformed", "alg or url")
        if ("jwk" in protected) == ("kid" in protected) or ("jwk" in protected) is not (
            path == "/newAccount"
        ):
            raise Refused("malformed", "jwk or kid")
        jwk = protected.get("jwk") or self.accounts.get(protected["kid"])
        if jwk is None:
            raise Refused("accountDoesNotExist")
        x, y = (int.from_bytes(decode(jwk[each]), "big") for each in "xy")
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        raw = decode(outer["signature"])
        signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.verify(signature, f"{outer['protected']}.{outer['payload']}".encode(), ec.ECDSA(hashes.SHA256()))
        if protected["nonce"] not in self._nonces or self.bad_nonces:
            self.bad_nonces -= bool(self.bad_nonces)
            raise Refused("badNonce")
        self._nonces.remove(protected["nonce"])
        payload = json.loads(decode(outer["payload"])) if outer["payload"] else None
        return protected.get("kid", ""), payload, jwk

    def _new_order(self, payload: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
        (identifier,) = payload["identifiers"]
        number = len(self.orders)
        challenges = [
            {
                "type": kind,
                "url": f"{self.url}/chall/{number}-{place}",
                "token": secrets.token_urlsafe(16),
                "status": "pending",
            }
            for place, kind in enumerate(self.kinds)
        ]
        self.orders.append({"name": identifier["value"], "status": "pending", "challenges": challenges})
        return 201, {"Location": f"{self.url}/order/{number}"}, json.dumps(self._shown(number)).encode()

    def _shown(self, number: int) -> dict[str, Any]:
        order = self.orders[number]
        shown = {
            "status": order["status"],
            "authorizations": [f"{self.url}/authz/{number}"],
            "finalize": f"{self.url}/finalize/{number}",
        }
        return shown | ({"certificate": f"{self.url}/cert/{number}"} if order["status"] == "valid" else {})

    async def _follow(
        self, kind: str, number: str, order: dict[str, Any], payload: Any, jwk: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        index = int(number.split("-", maxsplit=1)[0])
        if kind == "chall":
            if payload != {} or order["status"] != "pending":
                raise Refused("malformed", "challenge")
            await self._prove(order, order["challenges"][int(number.split("-")[1])], jwk)
            return 200, {}, b"{}"
        if kind == "finalize":
            if order["status"] != "ready":
                raise Refused("orderNotReady")
            self.waiting.set()
            await self.gate.wait()
            order["chain"] = self._issue(order["name"], decode(payload["csr"]))
            order["status"] = "valid"
        elif payload is not None:
            raise Refused("malformed", "not POST-as-GET")
        if kind == "authz":
            status = {"ready": "valid", "valid": "valid"}.get(order["status"], order["status"])
            made = {
                "status": status,
                "identifier": {"type": "dns", "value": order["name"]},
                "challenges": order["challenges"],
            }
            return 200, {}, json.dumps(made).encode()
        if kind == "cert":
            return 200, {"Content-Type": "application/pem-certificate-chain"}, order["chain"]
        return 200, {}, json.dumps(self._shown(index)).encode()

    async def _prove(self, order: dict[str, Any], challenge: dict[str, Any], jwk: dict[str, str]) -> None:
        canonical = json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()
        print_ = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()
        expected = f"{challenge['token']}.{print_}"
        try:
            prove = self._over_http if challenge["type"] == "http-01" else self._over_tls
            await asyncio.wait_for(prove(order["name"], challenge["token"], expected), 5)
            order["status"], challenge["status"] = "ready", "valid"
            self.proofs.append(challenge["type"])
        except (OSError, AssertionError, TimeoutError, ValueError) as error:
            order["status"] = challenge["status"] = "invalid"
            challenge["error"] = {"detail": f"{challenge['type']}: {error!r}"}

    async def _over_http(self, name: str, token: str, expected: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http_port)
        path = f"/.well-known/acme-challenge/{token}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 200 "), head
        assert body.decode() == expected

    async def _over_tls(self, name: str, _: str, expected: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["acme-tls/1"])
        _reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.tls_port, ssl=context, server_hostname=name
        )
        link = writer.get_extra_info("ssl_object")
        assert link.selected_alpn_protocol() == "acme-tls/1"
        certificate = x509.load_der_x509_certificate(link.getpeercert(binary_form=True))
        writer.close()
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [name]
        proof = certificate.extensions.get_extension_for_oid(IDENTIFIER)
        assert proof.critical
        assert proof.value.public_bytes() == b"\x04\x20" + hashlib.sha256(expected.encode()).digest()

    def _issue(self, name: str, request: bytes) -> bytes:
        csr = x509.load_der_x509_csr(request)
        assert csr.is_signature_valid
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [name]
        now = dt.datetime.now(tz=dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(csr.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(seconds=self.lifetime_s))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)
