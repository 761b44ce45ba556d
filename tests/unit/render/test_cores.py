"""What decides reads no clock, no socket and no file."""

import ast
from pathlib import Path

import pytest

from fairlead import render

CORES = (
    "diff.py",
    "formats.py",
    "functions.py",
    "glob.py",
    "guards.py",
    "inspection.py",
    "paths.py",
    "jsonio.py",
    "schedule.py",
    "quoting.py",
    "rendered.py",
    "sprig.py",
    "view.py",
    "golang/jsonio.py",
    "golang/layout.py",
    "golang/printing.py",
    "golang/quoting.py",
    "golang/regexp.py",
    "golang/timing.py",
    "golang/verbs.py",
    "gotemplate/expressions.py",
    "gotemplate/layout.py",
    "gotemplate/lexer.py",
    "gotemplate/nodes.py",
    "gotemplate/parser.py",
    "gotemplate/pipelines.py",
    "gotemplate/runtime.py",
    "gotemplate/translate.py",
    "gotemplate/types.py",
    "gotemplate/words.py",
    "importer/pongo2.py",
    "change/actions.py",
    "change/arrows.py",
    "change/attempt.py",
    "change/codec.py",
    "change/machine.py",
    "change/memory.py",
    "change/model.py",
    "change/outcome.py",
    "change/words.py",
    "resource/fields.py",
    "resource/model.py",
    "resource/naming.py",
    "resource/probes.py",
)
BANNED = {"asyncio", "socket", "time", "random", "logging", "os", "threading", "subprocess", "structlog"}


@pytest.mark.parametrize("module", CORES)
def test_cores_take_time_and_chance_as_arguments(module: str) -> None:
    assert render.__file__ is not None
    path = Path(render.__file__).parent / module
    imported = {
        (name.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported & BANNED == set()
