"""Asks whether a reboot is needed, and what speaks against it."""

from datetime import UTC, datetime
from pathlib import Path

import httpx

from fairlead.checks import Check, CommandCheck, run_check
from fairlead.client import Client
from fairlead.lock.policy import Blocker, FileSource, KeySource, Need, PrometheusSource
from fairlead.lock.window import Window

_REASON_CHARS_MAX = 200


async def ask_need(needs: tuple[Need, ...], client: Client) -> str:
    """Return why a reboot is needed, of the first that says so; empty when none does.

    Raises:
        ClientError: a key was asked for, and the store does not answer.
    """
    for need in needs:
        if reason := await _need(need, client):
            return reason[:_REASON_CHARS_MAX]
    return ""


async def ask_blockers(blockers: tuple[Blocker, ...], client: Client) -> str:
    """Return what speaks against a reboot now; what cannot be asked does, too."""
    for blocker in blockers:
        if reason := await _blocker(blocker, client):
            return reason[:_REASON_CHARS_MAX]
    return ""


async def ask_health(checks: tuple[Check, ...]) -> str:
    """Return the first check that does not hold; empty when all do."""
    for check in checks:
        if problem := await run_check(check):
            return problem[:_REASON_CHARS_MAX]
    return ""


def ask_window(window: Window | None, *, now_s: float) -> str:
    """Return why the window is shut at ``now_s`` (seconds since 1970); empty when it is open."""
    now = datetime.fromtimestamp(now_s, UTC)
    if window is None or window.is_open(now):
        return ""
    opens = window.opens(now).astimezone(window.zone)
    return f"the window opens on {opens:%a %d %b at %H:%M} ({window.zone.key})"


async def _need(need: Need, client: Client) -> str:
    match need:
        case FileSource(path=path):
            return _why(path) if path.exists() else ""
        case KeySource(key=key):
            return await _value(key, client)
        case CommandCheck(argv=argv):
            return "" if await run_check(need) else f"`{' '.join(argv)}` says so"
        case _:
            return "" if await run_check(need) else "a check says so"


async def _blocker(blocker: Blocker, client: Client) -> str:
    match blocker:
        case KeySource(key=key):
            return await _value(key, client)
        case PrometheusSource():
            return await _query(blocker)
        case _:
            return await run_check(blocker) or ""


async def _value(key: str, client: Client) -> str:
    found = (await client.get(key)).kvs
    if not found:
        return ""
    text = " ".join(found[0].value.decode(errors="replace").split())
    return f"{key}: {text}" if text else f"{key} is set"


async def _query(source: PrometheusSource) -> str:
    try:
        async with httpx.AsyncClient(timeout=source.timeout_s, trust_env=False) as client:
            answer = await client.get(f"{source.url}/api/v1/query", params={"query": source.query})
            answer.raise_for_status()
            results = answer.json()["data"]["result"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return f"{source.url} cannot be asked: {str(error) or type(error).__name__}"
    if not results:
        return ""
    names = [
        str(result.get("metric", {}).get("alertname", "")) for result in results if isinstance(result, dict)
    ]
    shown = ", ".join(sorted({name for name in names if name})) or f"{len(results)} results"
    return f"{source.query}: {shown}"


def _why(path: Path) -> str:
    packages = path.with_name(f"{path.name}.pkgs")
    try:
        names = sorted(set(packages.read_text(encoding="utf-8").split()))
    except (OSError, UnicodeDecodeError):
        names = []
    return f"{path}: {', '.join(names)}" if names else str(path)
