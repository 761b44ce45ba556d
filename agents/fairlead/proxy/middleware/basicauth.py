"""``basicauth``: a name and a password before anything else (RFC 7617).

    {"Users": ["alice:$2b$12$..."], "Realm": "staff", "RemoveHeader": true, "UserHeader": "X-User"}

Lines of ``Users`` are htpasswd's, best those of htpasswd -B.  A check of bcrypt costs a processor some hundredth of a
second, so that it runs beside the event loop, few at a time, and what was right is remembered for a while.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.htpasswd import matches, read_hash
from fairlead.proxy.middleware.limits import LOGINS_KEPT_MAX, LOGINS_KEPT_S, LOGINS_WAITING_MAX
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.sources import Bounded
from fairlead.proxy.middleware.spec import Spec


class BasicAuth(Middleware):
    """The gate of one frontend."""

    def __init__(
        self, users: dict[bytes, bytes], *, tools: Tools, realm: str, is_removed: bool, user_field: bytes
    ) -> None:
        self.users = users
        # Checked for names that do not exist: an answer that comes sooner would tell that they do not.
        self._decoy = next(iter(users.values()))
        self._tools = tools
        self._challenge = b'Basic realm="%b", charset="UTF-8"' % realm.encode()
        self._is_removed = is_removed
        self._user_field = user_field
        # What was right lately, under a key that nobody else has: never the password itself.
        self._secret = secrets.token_bytes(32)
        self._known = Bounded[bool](LOGINS_KEPT_MAX)
        self._waiting = 0

    def on_request(self, call: Call) -> Any:
        """Let who is known pass, have others checked, and refuse the rest."""
        login = read_login(call.header(b"authorization"))
        if login is None:
            return self._refusal()
        name, password = login
        proof = hmac.digest(self._secret, name + b"\0" + password, hashlib.sha256)
        if self._known.get(proof, now_s=call.now_s, keep_s=LOGINS_KEPT_S):
            self._pass(call, name)
            return None
        if self._waiting >= LOGINS_WAITING_MAX:
            fields = [(b"Retry-After", b"1")]
            return Answer(503, b'{"error":"too many logins at once"}', fields=fields, flag="BA")
        return self._check(call, name, password=password, proof=proof)

    async def _check(self, call: Call, name: bytes, *, password: bytes, proof: bytes) -> Answer | None:
        self._waiting += 1
        try:
            is_right = await self._tools.compute(matches, password, self.users.get(name, self._decoy))
        finally:
            self._waiting -= 1
        if not is_right or name not in self.users:
            return self._refusal()
        self._known.put(proof, True, now_s=call.now_s, keep_s=LOGINS_KEPT_S)
        self._pass(call, name)
        return None

    def _pass(self, call: Call, name: bytes) -> None:
        if self._is_removed or self._user_field:
            request = call.edit()
            gone = {self._user_field.lower()} | ({b"authorization"} if self._is_removed else set())
            request.passed = [field for field in request.fields if field[0].lower() not in gone]
            if self._user_field:
                request.fields.append((self._user_field, name))

    def _refusal(self) -> Answer:
        fields = [(b"WWW-Authenticate", self._challenge), (b"Content-Type", b"application/json")]
        return Answer(401, b'{"error":"a name and a password are needed"}', fields=fields, flag="BA")


def read_login(value: bytes) -> tuple[bytes, bytes] | None:
    """Return name and password of an Authorization field, or None when it has none."""
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        plain = base64.b64decode(token.strip(b" "), validate=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, password = plain.partition(b":")
    # RFC 7617, section 2: neither may have control characters; the name goes into a header field.
    if not colon or any(byte < 32 or byte == 127 for byte in plain):
        return None
    return name, password


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> BasicAuth:  # noqa: ARG001
    """Read the JSON above.  What was remembered is forgotten: a password may have been taken away."""
    users: dict[bytes, bytes] = {}
    for line in spec.texts("Users"):
        name, _, hashed = line.partition(":")
        read = read_hash(hashed)
        if not name or read is None:
            # The line is not shown: it may hold a password.
            raise KeyProblem('Users must have lines such as "alice:$2b$..."; write them with htpasswd -nB')
        users[name.encode()] = read
    if not users:
        raise KeyProblem("Users is missing; nobody could ever pass")
    realm = spec.text("Realm", "fairlead")
    if not realm.isascii() or not realm.isprintable() or '"' in realm or "\\" in realm:
        raise spec.problem("Realm", "must be printable ASCII without quotes")
    field = spec.text("UserHeader")
    return BasicAuth(
        users,
        tools=tools,
        realm=realm,
        is_removed=spec.flag("RemoveHeader", default=True),
        user_field=spec.request_field_name("UserHeader", field) if field else b"",
    )
