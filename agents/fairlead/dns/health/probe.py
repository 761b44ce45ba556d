"""One probe of a record's server.  Never on the way of a query."""

from typing import Final

from fairlead.checks import ProbeError, Prober
from fairlead.dns.health.schedule import Target

_STATUS_OK: Final = range(200, 400)


def new_prober() -> Prober:
    """Return who probes: the address is what is known of a server, and no certificate names it."""
    return Prober(user_agent="fairlead-dns health check", checks_certificates=False)


async def probe(prober: Prober, target: Target) -> str:
    """Return why ``target`` is ill, in a few words; empty when it is well."""
    check = target.check
    try:
        if check.path is None:
            await prober.connect(target.host, target.port, timeout_s=check.timeout_s)
            return ""
        host = f"[{target.host}]" if ":" in target.host else target.host
        url = f"{'https' if check.is_tls else 'http'}://{host}:{target.port}{check.path}"
        status = await prober.status_of(url, timeout_s=check.timeout_s, host=check.host)
    except ProbeError as error:
        return str(error)
    return "" if status in _STATUS_OK else f"status {status}"
