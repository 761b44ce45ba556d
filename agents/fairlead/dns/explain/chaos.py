"""``dig CH TXT _explain.web.skydns.local``: why a name gets its A records, for who asks from this host."""

from ipaddress import ip_address
from typing import Final

from fairlead.dns import names
from fairlead.dns.chaos import txt_body
from fairlead.dns.client import Client
from fairlead.dns.explain.explain import Explainer, Explanation
from fairlead.dns.message import Query, Type

_LABEL: Final = b"\x08_explain"
TEXT_BYTES_MAX: Final = 900
"""What fits into one datagram; the command has no such bound."""


class ChaosExplain:
    """Answers questions of class CHAOS that begin with ``_explain``."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer

    def __call__(self, query: Query, client: Client) -> bytes | None:
        """Return the record; None when the question is another, or comes from elsewhere: keys are nobody's business."""
        name = query.name.removeprefix(_LABEL)
        is_near = ip_address(client.ip.partition("%")[0]).is_loopback
        if name in {query.name, names.ROOT} or query.qtype != Type.TXT or not is_near:
            return None
        return txt_body(_text(self._explainer.explain(name, Type.A, ip=client.ip)))


def _text(told: Explanation) -> str:
    parts = [*told.steps, *(f"{line.key} ({line.revision}) {line.verdict}" for line in told.keys), told.rcode]
    text = "; ".join(part for part in parts if part)
    return text.encode()[:TEXT_BYTES_MAX].decode(errors="ignore")
