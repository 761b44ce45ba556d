"""``cbreaker``: stop asking servers that fail, and begin again by and by.

    {"Condition": "NetworkErrorRatio() > 0.5", "Fallback": {"Type": "response", "Action": {"StatusCode": 503,
     "Body": "Come back later", "ContentType": "text/plain"}}, "OnTripped": {"Type": "webhook", "Action": {"URL":
     "http://x", "Method": "POST", "Headers": {"X": ["a"]}, "Form": {"k": ["v"]}}}, "OnStandby": ...,
     "FallbackDuration": 10000000000, "RecoveryDuration": 10000000000, "CheckPeriod": 100000000}

Durations are nanoseconds.  Source: vulcand, plugin/cbreaker.
"""

import base64
import binascii
import json
import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware.cbreaker.breaker import Breaker, Settings, State
from fairlead.proxy.middleware.cbreaker.condition import parse_condition
from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.limits import WEBHOOK_S
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.rewrite import encoded
from fairlead.proxy.middleware.spec import Spec
from fairlead.proxy.record import Record

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request to make when the state changes."""

    url: str
    method: str
    fields: Fields
    body: bytes


class CircuitBreaker(Middleware):
    """One breaker at its frontend."""

    def __init__(
        self,
        breaker: Breaker,
        *,
        fallback: Answer,
        tools: Tools,
        on_tripped: Webhook | None = None,
        on_standby: Webhook | None = None,
        keeps_path: bool = False,
    ) -> None:
        self.breaker = breaker
        self._fallback = fallback
        self._keeps_path = keeps_path
        self._tools = tools
        self._hooks = {State.TRIPPED: on_tripped, State.STANDBY: on_standby}

    def on_request(self, call: Call) -> Answer | None:
        """Let it pass, or fall back."""
        before = self.breaker.state
        passes = self.breaker.admits(call.now_s)
        self._tell(before)
        if passes:
            return None
        fallback = self._fallback
        fields = list(fallback.fields)
        if self._keeps_path:
            fields = [(name, url + encoded(call.request.path)) for name, url in fields]
        return Answer(fallback.status, fallback.body, fields=fields, flag=fallback.flag)

    def on_end(self, call: Call, record: Record) -> None:
        """Take note of the answer; nobody is to blame when the client left."""
        if record.status != 499:
            before = self.breaker.state
            now_s = call.now_s + record.duration_us / 1e6
            self.breaker.record(record.status, record.duration_us, now_s=now_s)
            self._tell(before)

    def _tell(self, before: State) -> None:
        state = self.breaker.state
        if state is before:
            return
        _LOG.warning("circuit breaker: %s, was %s", state.value, before.value)
        hook = self._hooks.get(state)
        if hook is not None:
            self._tools.spawn(self._call(hook))

    async def _call(self, hook: Webhook) -> None:
        await self._tools.web.ask(
            hook.method, hook.url, fields=hook.fields, body=hook.body, timeout_s=WEBHOOK_S
        )

    def describe(self) -> dict[str, Any]:
        """Return the state."""
        return {"state": self.breaker.state.value, "trips": self.breaker.trips}


def make(spec: Spec, *, tools: Tools, previous: Middleware | None) -> CircuitBreaker:
    """Read the JSON above; a breaker that has tripped stays so, whatever of it changes."""
    settings = Settings(
        condition=parse_condition(spec.required_text("Condition")),
        fallback_s=spec.long_s("FallbackDuration", 10.0),
        recovery_s=spec.long_s("RecoveryDuration", 10.0),
        check_s=spec.long_s("CheckPeriod", 0.1),
    )
    fallback, keeps_path = _read_fallback(_inner(spec, "Fallback"))
    hooks = {
        name: _read_webhook(_inner(spec, name)) if spec.raw(name) else None
        for name in ("OnTripped", "OnStandby")
    }
    breaker = previous.breaker if isinstance(previous, CircuitBreaker) else Breaker(settings)
    breaker.settings = settings
    return CircuitBreaker(
        breaker,
        fallback=fallback,
        tools=tools,
        on_tripped=hooks["OnTripped"],
        on_standby=hooks["OnStandby"],
        keeps_path=keeps_path,
    )


def _inner(spec: Spec, name: str) -> Spec:
    """Return the object in a field; vulcand takes one in a string, too."""
    value = spec.raw(name)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise spec.problem(name, 'must be an object with "Type" and "Action"')
    return Spec(value, where=name)


def _read_fallback(spec: Spec) -> tuple[Answer, bool]:
    """Return what is answered, and whether the path of the request comes behind its Location."""
    action = spec.spec("Action")
    match spec.required_text("Type"):
        case "response":
            fields: Fields = []
            if kind := action.text("ContentType"):
                fields.append((b"Content-Type", action.field_value("ContentType", kind)))
            status = action.whole("StatusCode", low=200, high=599)
            return Answer(status, _read_body(action), fields=fields, flag="CB"), False
        case "redirect":
            url, keeps_path = _read_url(action), action.flag("PreservePath")
            location = (url.rstrip("/") if keeps_path else url).encode()
            return Answer(302, b"Found", fields=[(b"Location", location)], flag="CB"), keeps_path
        case other:
            raise spec.problem("Type", f'must be "response" or "redirect", not {other!r}')


def _read_webhook(spec: Spec) -> Webhook:
    if (kind := spec.required_text("Type")) != "webhook":
        raise spec.problem("Type", f'must be "webhook", not {kind!r}')
    action = spec.spec("Action")
    fields = [
        (name.encode(), action.field_value("Headers", value))
        for name, values in _lists(action, "Headers")
        for value in values
    ]
    body = _read_body(action)
    form = _lists(action, "Form")
    if form and not body:
        body = urlencode([(name, value) for name, values in form for value in values]).encode()
        fields.append((b"Content-Type", b"application/x-www-form-urlencoded"))
    method = action.text("Method", "POST").upper()
    if method not in {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"}:
        raise action.problem("Method", f"must be one of HTTP's, not {method!r}")
    return Webhook(_read_url(action), method, fields, body)


def _lists(spec: Spec, name: str) -> list[tuple[str, tuple[str, ...]]]:
    inner = spec.spec(name)
    return [(key, inner.texts(key)) for key in inner.values]


def _read_url(spec: Spec) -> str:
    url = spec.required_text("URL")
    parts = urlsplit(url)
    if not url.isascii() or not url.isprintable() or " " in url or not (parts.scheme and parts.netloc):
        raise spec.problem("URL", f'must look like "http://10.0.0.1/path", not {url!r}')
    return url


def _read_body(spec: Spec) -> bytes:
    """Return a body: base64, else the string as it stands, or an object as JSON."""
    value = spec.raw("Body")
    if value is None:
        return b""
    if isinstance(value, dict):
        return json.dumps(value).encode()
    text = spec.text("Body")
    # Go decodes JSON strings into bytes as base64 when it can, and so do vulcand's keys.
    try:
        return base64.b64decode(text, validate=True) if text else b""
    except (binascii.Error, ValueError):
        return text.encode()
