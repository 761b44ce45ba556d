"""Traefik's middlewares, those that have a counterpart here.

What has none is passed on under Traefik's own name, so that it is refused and named like any unknown type; and a guard
that has none closes its routers, since without it they would stand open.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fairlead.agent import parse_go_duration_s
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.middleware.limits import BUFFER_BYTES_MAX
from fairlead.proxy.model.frontend import ATTEMPTS_MAX
from fairlead.proxy.traefik.node import Node, without_provider

Made = tuple[str, dict[str, Any]]
"""A type of ours, and its settings."""
_DEPTH_MAX = 8
_MEMBERS_MAX = 100
_GUARDS = frozenset(
    {"digestauth", "passtlsclientcert", "ipwhitelist", "ipallowlist", "basicauth", "forwardauth"}
)
FRONTEND = "frontend"
"""In place of a type: what follows belongs to the frontend itself."""
SERVICE = "Service"
"""In settings: a service of Traefik's, in place of its servers (``From``)."""
_CORS = {
    "AllowOriginRegexps": "accesscontrolalloworiginlistregex",
    "AllowMethods": "accesscontrolallowmethods",
    "AllowHeaders": "accesscontrolallowheaders",
    "ExposeHeaders": "accesscontrolexposeheaders",
}
_POLICIES = {
    "X-Frame-Options": "customframeoptionsvalue",
    "X-XSS-Protection": "custombrowserxssvalue",
    "Content-Security-Policy": "contentsecuritypolicy",
    "Content-Security-Policy-Report-Only": "contentsecuritypolicyreportonly",
    "Public-Key-Pins": "publickey",
    "Referrer-Policy": "referrerpolicy",
    "Permissions-Policy": "permissionspolicy",
    "Feature-Policy": "featurepolicy",
}


def expand(names: list[str], middlewares: Mapping[str, Node], depth: int = 0) -> list[str]:
    """Return the names of single middlewares that ``names`` come to: chains are taken apart.

    Raises:
        KeyProblem: chains that lead in a circle, or too many members.
    """
    if depth > _DEPTH_MAX:
        raise KeyProblem(f"the chain {names[0]} leads in a circle")
    found: list[str] = []
    for each in map(without_provider, names):
        node = middlewares.get(each)
        inside = node.texts("chain/middlewares") if node is not None and "chain" in node else []
        found += expand(inside, middlewares, depth + 1) if inside else [each]
        if len(found) > _MEMBERS_MAX:
            raise KeyProblem(f"more than {_MEMBERS_MAX} middlewares")
    return found


def middlewares_of(node: Node) -> list[Made]:
    """Return what one middleware becomes here; headers may become two.

    Raises:
        KeyProblem: it says nothing, or an option is not what it should be.
    """
    (kind, *others) = node.names() or [""]
    if not kind or others:
        raise KeyProblem("a middleware has exactly one type")
    make = _MAKERS.get(kind)
    node.text(kind)  # "true", where it has no options
    if make is not None:
        return make(node.at(kind))
    node.leave()
    # Nobody's password: a guard that cannot be made is a guard that lets nobody in.
    return [("basicauth" if kind in _GUARDS else kind, {})]


def _headers(node: Node) -> list[Made]:
    if node.texts("allowedhosts"):
        raise KeyProblem("headers/allowedHosts is not served here; name hosts in the rule: Host(`a.example`)")
    made = [*_transport_security(node), *_cors(node)]
    changes: dict[str, Any] = {}
    for side, own in (("Request", {}), ("Response", _page_security(node))):
        custom = node.pairs(f"custom{side.lower()}headers")
        pairs = {name: value for name, value in own.items() if name.lower() not in custom} | custom
        if pairs:
            # In Traefik an empty value removes the field.
            changes[side] = {
                "Set": {name: value for name, value in pairs.items() if value},
                "Remove": [name for name, value in pairs.items() if not value],
            }
    if changes or not made:
        made.append(("headers", changes))
    return made


def _cors(node: Node) -> list[Made]:
    origins = [*node.texts("accesscontrolalloworiginlist"), *node.texts("accesscontrolalloworigin")]
    cors: dict[str, Any] = {ours: found for ours, theirs in _CORS.items() if (found := node.texts(theirs))}
    cors |= {"AllowOrigins": origins} if origins else {}
    node.accept("addvaryheader", "true")
    if not cors:
        return []
    # No browser gives "*" what it would with credentials, so that only saying so is lost.
    is_with_credentials = node.flag("accesscontrolallowcredentials") and "*" not in origins
    return [
        (
            "cors",
            cors | {"AllowCredentials": is_with_credentials, "MaxAge": node.number("accesscontrolmaxage")},
        )
    ]


def _transport_security(node: Node) -> list[Made]:
    """Return what sends clients to TLS, and what keeps them there."""
    is_development = node.flag("isdevelopment")
    made: list[Made] = []
    if node.flag("sslredirect") and not is_development:
        settings = {"Scheme": "https", "Host": node.text("sslhost")}
        made.append(("redirect", {**settings, "Permanent": not node.flag("ssltemporaryredirect")}))
    seconds, is_forced = node.number("stsseconds"), node.flag("forcestsheader")
    parts = [f"max-age={seconds}"]
    parts += ["includeSubDomains"] if node.flag("stsincludesubdomains") else []
    parts += ["preload"] if node.flag("stspreload") else []
    if seconds > 0 and (is_forced or not is_development):
        # RFC 6797, section 7.2: not over plain HTTP, unless Traefik's user insists.
        only = {} if is_forced else {"Scheme": "https"}
        made.append(
            ("headers", {**only, "Response": {"Set": {"Strict-Transport-Security": "; ".join(parts)}}})
        )
    return made


def _page_security(node: Node) -> dict[str, str]:
    """Return the fields that tell browsers what a page may do."""
    fields = {name: text for name, option in _POLICIES.items() if (text := node.text(option))}
    if node.flag("framedeny"):
        fields.setdefault("X-Frame-Options", "DENY")
    if node.flag("contenttypenosniff"):
        fields["X-Content-Type-Options"] = "nosniff"
    if node.flag("browserxssfilter"):
        fields.setdefault("X-XSS-Protection", "1; mode=block")
    return fields


def _rate_limit(node: Node) -> list[Made]:
    average, burst = node.number("average"), max(1, node.number("burst", 1))
    period = node.duration("period") or "1s"
    if average <= 0:
        return []  # As in Traefik: no limit.
    try:
        period_s = parse_go_duration_s(period)
    except ValueError as error:
        raise KeyProblem(f'rateLimit/period looks like "1s" or "1m30s", not {period!r}') from error
    if period_s <= 0:
        raise KeyProblem(f"rateLimit/period must be more than {period!r}")
    # Whole seconds, at the same rate: "200ms" becomes a second in which five times as many may come.
    whole_s = max(1, round(period_s))
    requests = max(1, round(average * whole_s / period_s))
    return [("ratelimit", {"Requests": requests, "PeriodSeconds": whole_s, "Burst": burst, **_source(node)})]


def _source(node: Node) -> dict[str, Any]:
    criterion = node.at("sourcecriterion")
    if name := criterion.text("requestheadername"):
        return {"Variable": f"request.header.{name}"}
    if criterion.flag("requesthost"):
        return {"Variable": "request.host"}
    bits = criterion.number("ipstrategy/ipv6subnet")
    return {"Variable": "client.ip", **_strategy(criterion), **({"IPv6Subnet": bits} if bits else {})}


def _strategy(node: Node) -> dict[str, Any]:
    depth, excluded = node.number("ipstrategy/depth"), node.texts("ipstrategy/excludedips")
    return {"Depth": depth} if depth else {"ExcludedIPs": excluded} if excluded else {}


def _basic_auth(node: Node) -> list[Made]:
    settings = {
        "Users": node.texts("users"),
        "Realm": node.text("realm") or "traefik",
        "RemoveHeader": node.flag("removeheader"),
    }
    return [
        ("basicauth", {**settings, "UserHeader": name} if (name := node.text("headerfield")) else settings)
    ]


def _forward_auth(node: Node) -> list[Made]:
    settings: dict[str, Any] = {
        "Address": node.text("address"),
        "AuthRequestHeaders": node.texts("authrequestheaders"),
        "AuthResponseHeaders": node.texts("authresponseheaders"),
    }
    if regexp := node.text("authresponseheadersregex"):
        settings["AuthResponseHeadersRegexp"] = regexp
    if node.flag("trustforwardheader"):
        settings["TrustForwardHeader"] = True
    if cookies := node.texts("addauthcookiestoresponse"):
        settings["AddAuthCookiesToResponse"] = cookies
    if node.flag("preserverequestmethod"):
        settings["PreserveRequestMethod"] = True
    return [("forwardauth", settings)]


def _circuit_breaker(node: Node) -> list[Made]:
    action = {"StatusCode": node.number("responsecode", 503), "Body": "", "ContentType": "text/plain"}
    settings: dict[str, Any] = {
        "Condition": node.text("expression"),
        "Fallback": {"Type": "response", "Action": action},
    }
    for ours in ("CheckPeriod", "FallbackDuration", "RecoveryDuration"):
        if duration := node.duration(ours.lower()):
            settings[ours] = duration
    return [("cbreaker", settings)]


def _compress(node: Node) -> list[Made]:
    settings: dict[str, Any] = {}
    if least := node.number("minresponsebodybytes"):
        settings["MinBytes"] = least
    if types := node.texts("includedcontenttypes"):
        settings["Types"] = types
    if excluded := node.texts("excludedcontenttypes"):
        settings["ExcludedTypes"] = [*excluded, "application/grpc"]
    return [("compress", settings)]


def _buffering(node: Node) -> list[Made]:
    bytes_max = node.number("maxrequestbodybytes")
    # What is larger than a buffer may be is bounded as it passes.
    kind = "buffer" if bytes_max <= BUFFER_BYTES_MAX else "bodylimit"
    made: list[Made] = [(kind, {"MaxBodyBytes": bytes_max})] if bytes_max > 0 else []
    own: dict[str, Any] = {}
    if expression := node.text("retryexpression"):
        own["FailoverPredicate"] = expression
    if kept := node.number("memrequestbodybytes"):
        own["Limits"] = {"MaxMemBodyBytes": kept}
    return [*made, (FRONTEND, {"Settings": own})] if own else made


def _retry(node: Node) -> list[Made]:
    attempts = node.number("attempts")
    if attempts < 1:
        raise KeyProblem("retry/attempts is missing; give a whole number of at least 1")
    value: dict[str, Any] = {"Retry": {"Attempts": min(attempts, ATTEMPTS_MAX)}}
    if statuses := node.texts("status"):
        wanted = " || ".join(["IsNetworkError()", *map(_is_status, statuses)])
        value["Settings"] = {"FailoverPredicate": f"({wanted}) && Attempts() < {attempts}"}
    return [(FRONTEND, value)]


def _is_status(text: str) -> str:
    first, dash, last = text.partition("-")
    if not first.isdigit() or not (last.isdigit() if dash else True):
        raise KeyProblem(f'retry/status looks like "503" or "500-599", not {text!r}')
    if not dash:
        return f"ResponseCode() == {int(first)}"
    return f"(ResponseCode() >= {int(first)} && ResponseCode() <= {int(last)})"


def _redirect_scheme(node: Node) -> list[Made]:
    settings = {
        "Scheme": node.text("scheme"),
        "Port": node.number("port"),
        "Permanent": node.flag("permanent"),
    }
    return [("redirect", settings)]


def _redirect_regex(node: Node) -> list[Made]:
    settings = {
        "Regexp": node.text("regex"),
        "Replacement": node.text("replacement"),
        "Permanent": node.flag("permanent"),
    }
    return [("redirect", settings)]


def _errors(node: Node) -> list[Made]:
    settings = {"Query": node.text("query") or "/", "Statuses": node.texts("status")}
    return [("errorpages", {SERVICE: without_provider(node.required("service")), **settings})]


def _ip_allow(node: Node) -> list[Made]:
    settings = {"SourceRange": node.texts("sourcerange"), **_strategy(node)}
    if status := node.number("rejectstatuscode"):
        settings["StatusCode"] = status
    return [("ipallow", settings)]


def _add_prefix(node: Node) -> list[Made]:
    return [("addprefix", {"Prefix": f"/{node.required('prefix').removeprefix('/')}"})]


def _strip_prefix(node: Node) -> list[Made]:
    prefixes = [f"/{each.removeprefix('/')}" for each in node.texts("prefixes")]
    node.accept("forceslash", "true")
    return [("stripprefix", {"Prefixes": prefixes, "WholeSegments": False})]


def _replace_by_regexp(node: Node) -> list[Made]:
    settings = {"Regexp": node.required("regex"), "Replacement": node.text("replacement")}
    return [("replacepath", settings)]


def _content_type(node: Node) -> list[Made]:
    node.accept("autodetect", "false")
    return []  # A missing Content-Type is not guessed here either.


_MAKERS: dict[str, Callable[[Node], list[Made]]] = {
    "addprefix": _add_prefix,
    "stripprefix": _strip_prefix,
    "stripprefixregex": lambda node: [("stripprefix", {"Regexps": node.texts("regex")})],
    "replacepath": lambda node: [("replacepath", {"Path": node.required("path")})],
    "replacepathregex": _replace_by_regexp,
    "compress": _compress,
    "contenttype": _content_type,
    "buffering": _buffering,
    "retry": _retry,
    "circuitbreaker": _circuit_breaker,
    "inflightreq": lambda node: [("connlimit", {"Connections": node.number("amount"), **_source(node)})],
    "headers": _headers,
    "ratelimit": _rate_limit,
    "basicauth": _basic_auth,
    "forwardauth": _forward_auth,
    "errors": _errors,
    "redirectscheme": _redirect_scheme,
    "redirectregex": _redirect_regex,
    "ipallowlist": _ip_allow,
    "ipwhitelist": _ip_allow,
}
