"""Figures by case and contender: medians of the rounds, and ratios to each peer, to the screen or a file."""

import os
import platform
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from rich.console import Console
from rich.table import Table
from tests.bench.contenders import OURS

from fairlead.compiled import form


@dataclass(frozen=True, slots=True)
class Figure:
    """What one column holds: a unit, digits after the point, and whether more is better."""

    name: str
    digits: int = 0
    more_is_better: bool = True


@dataclass(slots=True)
class Results:
    """Every sample of one bench: case, contender, figure."""

    title: str
    figures: tuple[Figure, ...]
    samples: dict[tuple[str, str], dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, case: str, contender: str, **values: float) -> None:
        """Add one round's values, by figure name."""
        for name, value in values.items():
            self.samples[case, contender][name].append(value)

    def rows(self) -> list[list[str]]:
        """One row for each case and contender: medians, then ours in proportion to this peer's."""
        cases = list(dict.fromkeys(case for case, _ in self.samples))
        return [
            [case, contender, *self._medians(case, contender), *self._ratios(case, contender)]
            for case, contender in sorted(self.samples, key=lambda row: cases.index(row[0]))
        ]

    def header(self) -> list[str]:
        """The names of the columns."""
        return [
            "case",
            "store",
            *(f.name for f in self.figures),
            *(f"ours/its {f.name}" for f in self.figures),
        ]

    def _medians(self, case: str, contender: str) -> list[str]:
        values = self.samples[case, contender]
        return [f"{median(values[f.name]):,.{f.digits}f}" if values[f.name] else "-" for f in self.figures]

    def _ratios(self, case: str, contender: str) -> list[str]:
        ours, its = self.samples.get((case, OURS)), self.samples[case, contender]
        if contender == OURS or ours is None:
            return [""] * len(self.figures)
        return [
            f"{median(ours[f.name]) / median(its[f.name]):.2f}x" if ours[f.name] and any(its[f.name]) else "-"
            for f in self.figures
        ]

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(title=self.title, title_justify="left")
        for number, name in enumerate(self.header()):
            table.add_column(name, justify="left" if number < 2 else "right")
        last = None
        for row in self.rows():
            if last not in {None, row[0]}:
                table.add_section()
            last = row[0]
            table.add_row(*row)
        console.print(table)

    def markdown(self) -> str:
        """The same as a table of Markdown."""
        header = self.header()
        lines = [f"### {self.title}", "", _line(header), _line(["---"] * len(header))]
        return "\n".join([*lines, *map(_line, self.rows()), ""])


def heading(command: str, contenders: Iterable[str]) -> str:
    """Date, command, versions and the size of the machine: figures mean nothing without them."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (
        f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n\n"
        f"`python -m {command}` on "
        f"{os.cpu_count()} cores, {memory_bytes / 2**30:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, hot paths: {form()}; {', '.join(contenders)}.\n\n"
    )


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
