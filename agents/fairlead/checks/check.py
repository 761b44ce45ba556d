"""Questions whose answer is yes or no: does an address answer, does a page, does a command succeed.

{http: "http://127.0.0.1:8080/healthz", status: 200, timeout: 2s}
{tcp: "127.0.0.1:5432"}
{cmd: [pg_isready, -q]}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from fairlead.agent import Address, ConfigError, parse_duration_s
from fairlead.checks.probe import ProbeError, Prober
from fairlead.checks.process import run_process

TIMEOUT_S = 5.0
_USER_AGENT = "fairlead check"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """A page answers with ``status``, or with any 2xx or 3xx when that is 0."""

    url: str
    status: int = 0
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpCheck:
    """A connection is taken."""

    address: Address
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandCheck:
    """A command exits with 0."""

    argv: tuple[str, ...]
    timeout_s: float = TIMEOUT_S


Check = HttpCheck | TcpCheck | CommandCheck


def read_check(fields: object, *, where: str) -> Check:
    """Return the check that one mapping of a settings file asks for.

    Raises:
        ConfigError: it asks for none; the text begins with ``where``.
    """
    if not isinstance(fields, dict):
        raise ConfigError(
            f"{where}: not a check", "write one such as {http: URL}, {tcp: HOST:PORT}, {cmd: [WORDS]}"
        )
    unknown = fields.keys() - {"http", "tcp", "cmd", "status", "timeout"}
    if unknown:
        raise ConfigError(
            f"{where}: unknown {', '.join(sorted(map(str, unknown)))}", "a check has http, tcp or cmd"
        )
    try:
        timeout_s = parse_duration_s(str(fields["timeout"])) if "timeout" in fields else TIMEOUT_S
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    return _check(fields, where=where, timeout_s=timeout_s)


def _check(fields: Mapping[str, Any], *, where: str, timeout_s: float) -> Check:
    match fields:
        case {"http": str(url)}:
            return HttpCheck(
                url=_url(url, where=where), status=_status(fields, where=where), timeout_s=timeout_s
            )
        case {"tcp": str(address)}:
            return TcpCheck(address=Address.parse(address, flag=f"{where}.tcp"), timeout_s=timeout_s)
        case {"cmd": [*words]} if words:
            return CommandCheck(argv=tuple(map(str, words)), timeout_s=timeout_s)
    raise ConfigError(
        f"{where}: not a check", "write one such as {http: URL}, {tcp: HOST:PORT}, {cmd: [WORDS]}"
    )


def _status(fields: Mapping[str, Any], *, where: str) -> int:
    status = fields.get("status", 0)
    if not isinstance(status, int) or isinstance(status, bool):
        raise ConfigError(f"{where}.status: not a number", "write one such as 200")
    return status


def _url(text: str, *, where: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{where}: {text!r} is no URL: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError(f"{where}: {text!r} is no URL", "write one such as http://127.0.0.1:8080/healthz")
    return text


async def run_check(check: Check) -> str | None:
    """Return what does not hold, in one line, or None when it does."""
    match check:
        case HttpCheck():
            return await _ask_page(check)
        case TcpCheck():
            return await _connect(check)
        case CommandCheck():
            return (await run_process(check.argv, timeout_s=check.timeout_s)).problem or None


async def _ask_page(check: HttpCheck) -> str | None:
    try:
        async with Prober(user_agent=_USER_AGENT) as prober:
            status = await prober.status_of(check.url, timeout_s=check.timeout_s)
    except ProbeError as error:
        return f"{check.url}: {error}"
    if status == check.status or (not check.status and status < 400):
        return None
    return f"{check.url}: status {status}"


async def _connect(check: TcpCheck) -> str | None:
    address = check.address
    try:
        await Prober(user_agent=_USER_AGENT).connect(address.host, address.port, timeout_s=check.timeout_s)
    except ProbeError as error:
        return f"{address}: {error}"
    return None
