"""The manual beside the code names everything there is: whoever reads it has read all."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fairlead.render import resource
from fairlead.render.cli import SUBCOMMANDS, render
from fairlead.render.functions import FILTERS, PURE
from fairlead.render.lookup import WORLD
from fairlead.render.presets import presets
from fairlead.render.quoting import QUOTING
from fairlead.render.resource import confd, group, probes

MANUAL = (Path(resource.__file__).parents[1] / "README.md").read_text()


def options() -> Iterator[str]:
    context = click.Context(render)
    for name in SUBCOMMANDS:
        command = render.get_command(context, name)
        assert command is not None
        yield from (option for param in command.params for option in param.opts if option.startswith("--"))


NAMES = {
    "function": {*PURE, *WORLD, *QUOTING, *FILTERS},
    "field of a group": {*group._FIELDS, *group._FILE_FIELDS, *probes.PROBE_FIELDS},
    "field of a resource of confd": set(confd._FIELDS),
    "preset": set(presets()),
    "command": set(SUBCOMMANDS),
    "option": set(options()),
}


@pytest.mark.parametrize("kind", NAMES)
def test_the_manual_names_every(kind: str) -> None:
    assert {name for name in NAMES[kind] if not re.search(rf"(?<![\w-]){name}(?![\w-])", MANUAL)} == set()
