"""SkyDNS's and CoreDNS's own tables of records and answers, each read in its dialect."""

import json
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.rdatatype
import dns.rrset
import pytest
from tests.unit.dns.site import Site, rcode

from fairlead.dns.dialect import DIALECTS

TABLES = {path.stem: json.loads(path.read_text()) for path in Path(__file__).parent.glob("tables/*.json")}


@dataclass(frozen=True)
class Row:
    table: str
    name: str
    rtype: str
    rcode: str
    answer: list[str]
    authority: list[str]
    additional: list[str]


ROWS = [
    Row(
        table,
        case["name"],
        case["type"],
        case.get("rcode", "NOERROR"),
        *(case.get(section, []) for section in ("answer", "authority", "additional")),
    )
    for table, content in sorted(TABLES.items())
    for case in content["cases"]
]


@pytest.fixture(scope="module")
def sites() -> dict[str, Site]:
    return {
        name: Site(
            table["records"],
            dialect=DIALECTS[table["dialect"]],
            zones=tuple(table["zones"]),
            local=table.get("local"),
        )
        for name, table in TABLES.items()
    }


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.table}-{row.name}{row.rtype}" for row in ROWS])
def test_the_row_is_answered_as_it_says(row: Row, sites: dict[str, Site]) -> None:
    response = sites[row.table].exchange(dns.message.make_query(row.name, row.rtype))
    assert rcode(response) == row.rcode
    assert lines(response.answer) == sorted(row.answer)
    assert lines(response.authority) == sorted(row.authority)
    assert lines(response.additional) == sorted(row.additional)


def lines(section: list[dns.rrset.RRset]) -> list[str]:
    """The records, one a line, sorted; the serial of SOA is a store's revision, and no part of a table."""
    found = []
    for rrset in section:
        for line in rrset.to_text().splitlines():
            fields = line.split(" ")
            if rrset.rdtype == dns.rdatatype.SOA:
                fields[6] = "0"
            found.append(" ".join(fields))
    return sorted(found)


def test_every_table_has_rows() -> None:
    assert {row.table for row in ROWS} == set(TABLES)
    assert len(ROWS) > 80
