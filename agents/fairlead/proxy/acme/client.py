"""Ordering one certificate from an authority (RFC 8555).

    newAccount ─► newOrder ─► authorizations ─► challenge answered ─► valid ─► finalize ─► certificate

The network is ``Web``; waiting is ``sleep``.  Every answer is bounded, every loop too.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from fairlead.proxy.acme.certs import certificate_request
from fairlead.proxy.acme.jose import AccountKey, encode
from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware.making import Web
from fairlead.proxy.secretbox import KeyPair

_TIMEOUT_S = 30.0
_POLLS_MAX = 30
_POLL_S = 2.0
_NONCES_MAX = 3
_PROBLEM = "urn:ietf:params:acme:error:"


class AcmeError(Exception):
    """The authority does not give what was asked for; the text says what it said."""


class Solver(Protocol):
    """Makes the answer to a challenge visible, everywhere where the authority may ask."""

    async def show(self, kind: str, name: str, token: str, key_authorization: str) -> None:
        """Show it; return when it can be seen."""

    async def hide(self) -> None:
        """Show nothing any more."""


class AcmeClient:
    """One account at one authority."""

    def __init__(
        self, web: Web, directory_url: str, key: AccountKey, *, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._web = web
        self._directory_url = directory_url
        self._key = key
        self._sleep = sleep
        self._directory: Mapping[str, Any] = {}
        self._nonce = ""
        self._kid = ""

    async def register(self, email: str) -> None:
        """Open the account, or find the one that this key has; its terms count as agreed to.

        Raises:
            AcmeError: the authority does not want to.
            OSError: it cannot be asked.
        """
        status, _, body = await self._web.ask("GET", self._directory_url, fields=[], timeout_s=_TIMEOUT_S)
        self._directory = _object(body)
        if status != 200 or not {"newNonce", "newAccount", "newOrder"} <= self._directory.keys():
            raise AcmeError(f"{self._directory_url} is no directory of an authority")
        account: dict[str, object] = {"termsOfServiceAgreed": True}
        if email:
            account["contact"] = [f"mailto:{email}"]
        fields, _ = await self._post(self._directory["newAccount"], account)
        self._kid = _field(fields, b"location")

    async def order(self, name: str, solver: Solver, *, kinds: tuple[str, ...]) -> KeyPair:
        """Return a certificate for ``name`` and its key.

        Args:
            name: a DNS name.
            solver: shows answers to challenges.
            kinds: of challenges that can be answered, the preferred one first.

        Raises:
            AcmeError: the authority refuses, or takes too long.
            OSError: it cannot be asked.
        """
        identifiers = [{"type": "dns", "value": name}]
        fields, body = await self._post(self._directory["newOrder"], {"identifiers": identifiers})
        order, url = _object(body), _field(fields, b"location")
        for authorization in order["authorizations"]:
            await self._authorize(authorization, name, solver, kinds=kinds)
        key, request = certificate_request(name)
        await self._until(url, {"ready"})
        await self._post(order["finalize"], {"csr": encode(request)})
        done = await self._until(url, {"valid"})
        _, chain = await self._post(done["certificate"], None)
        if b"BEGIN CERTIFICATE" not in chain:
            raise AcmeError("the authority sent no certificate")
        return KeyPair(certificate=chain, key=key)

    async def _authorize(self, url: str, name: str, solver: Solver, *, kinds: tuple[str, ...]) -> None:
        _, body = await self._post(url, None)
        authorization = _object(body)
        if authorization.get("status") == "valid":
            return
        offered = {each.get("type"): each for each in authorization.get("challenges", [])}
        kind = next((each for each in kinds if each in offered), None)
        if kind is None:
            raise AcmeError(f"the authority offers {', '.join(map(str, offered))} for {name}, not {kinds[0]}")
        challenge = offered[kind]
        token = str(challenge["token"])
        try:
            await solver.show(kind, name, token, self._key.key_authorization(token))
            await self._post(challenge["url"], {})
            await self._until(url, {"valid"})
        finally:
            await solver.hide()

    async def _until(self, url: str, wanted: set[str]) -> Mapping[str, Any]:
        for _ in range(_POLLS_MAX):
            _, body = await self._post(url, None)
            found = _object(body)
            status = found.get("status")
            if status in wanted:
                return found
            if status not in {"pending", "processing", "ready"}:
                raise AcmeError(f"the authority says {status}: {_reason(found)}")
            await self._sleep(_POLL_S)
        raise AcmeError(f"the authority has not come to a decision after {_POLLS_MAX * _POLL_S:.0f} s")

    async def _post(self, url: str, payload: object) -> tuple[Fields, bytes]:
        for _ in range(_NONCES_MAX):
            if not self._nonce:
                head = self._directory["newNonce"]
                _, fields, _ = await self._web.ask("HEAD", head, fields=[], timeout_s=_TIMEOUT_S)
                self._nonce = _field(fields, b"replay-nonce")
            nonce, self._nonce = self._nonce, ""
            signed = self._key.sign(payload, url=url, nonce=nonce, kid=self._kid)
            kind = [(b"Content-Type", b"application/jose+json"), (b"User-Agent", b"fairlead")]
            status, fields, body = await self._web.ask(
                "POST", url, fields=kind, body=signed, timeout_s=_TIMEOUT_S
            )
            self._nonce = _field(fields, b"replay-nonce")
            if 200 <= status < 300:
                return fields, body
            problem = _object(body)
            if problem.get("type") != f"{_PROBLEM}badNonce":
                raise AcmeError(f"{status} {_reason(problem)}")
        raise AcmeError("the authority takes none of its own nonces")


def _field(fields: Fields, name: bytes) -> str:
    return next((value.decode("latin-1") for each, value in fields if each.lower() == name), "")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _reason(found: Mapping[str, Any]) -> str:
    errors = [found, found.get("error"), *(each.get("error") for each in found.get("challenges", []))]
    said = [str(each["detail"]) for each in errors if isinstance(each, dict) and "detail" in each]
    return "; ".join(said)[:300] or "and nothing else"
