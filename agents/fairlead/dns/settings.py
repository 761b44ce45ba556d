"""``<prefix>/config``: SkyDNS's JSON settings, of which those about answers are taken up while running."""

import json
from collections.abc import Mapping
from dataclasses import replace

from fairlead.dns import names
from fairlead.dns.errors import BadNameError, BadRecordError
from fairlead.dns.message import TTL_S_MAX
from fairlead.dns.names import Name
from fairlead.dns.zone import Settings


def settings_from(value: bytes, *, base: Settings) -> Settings:
    """Return ``base`` with what ``value`` says instead: ``domain``, ``ttl``, ``min_ttl`` and ``hostmaster``.

    SkyDNS lets this key win over its flags.  Its other fields are ignored, among them those that this server's own flags
    decide, such as ``dns_addr``.

    Raises:
        BadRecordError: not a JSON object, or a field of the wrong kind.
    """
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise BadRecordError(f'the value is not JSON ({error}); write {{"ttl": 300}}') from error
    if not isinstance(fields, dict):
        raise BadRecordError('the value is not a JSON object; write {"ttl": 300}')
    domain = _name(fields, "domain")
    return replace(
        base,
        zones=base.zones if domain is None else (domain,),
        ttl_default_s=_ttl_s(fields, "ttl", default=base.ttl_default_s),
        negative_ttl_s=_ttl_s(fields, "min_ttl", default=base.negative_ttl_s),
        hostmaster=_name(fields, "hostmaster") or base.hostmaster,
    )


def _name(fields: Mapping[str, object], key: str) -> Name | None:
    text = fields.get(key)
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise BadRecordError(f"{key} must be a string")
    try:
        # A mailbox is written with the first dot for its "@" (RFC 1035, section 8).
        return names.from_text(text.replace("@", "."))
    except BadNameError as error:
        raise BadRecordError(f"{key} is no name: {error}") from error


def _ttl_s(fields: Mapping[str, object], key: str, *, default: int) -> int:
    number = fields.get(key)
    if number is None or number == 0:
        return default
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise BadRecordError(f"{key} must be a number of seconds")
    return min(number, TTL_S_MAX)
