"""SkyDNS's groups: of the records below a name, those that belong together."""

from fairlead.dns.records import Record


def choose_group(records: list[Record]) -> list[Record]:
    """Return the records of the group that the shortest key names, and all that name none.

    When two of the shortest keys name different groups, nothing is left out (SkyDNS's ``msg.Group``).
    """
    if not records:
        return records
    depth, group = records[0].depth, records[0].group
    for record in records:
        if record.depth < depth:
            if not record.group:
                break
            depth, group = record.depth, record.group
    if not group or any(r.depth == depth and r.group not in ("", group) for r in records):
        return records
    return [record for record in records if record.group in ("", group)]
