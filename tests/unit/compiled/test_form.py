"""Which form runs, and that it is never one of other sources than those that are here."""

import hashlib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from fairlead.compiled import Form, StaleError, form
from fairlead.compiled.form import STAMP


def tree(folder: Path, *, suffix: str = EXTENSION_SUFFIXES[0], source: bytes = b"pass\n") -> Path:
    """Make a tree of one module that was compiled from ``pass``, and has ``source`` now."""
    (folder / f"fairlead_x__mypyc{suffix}").touch()
    (folder / "one.py").write_bytes(source)
    (folder / STAMP).write_text(f"{hashlib.sha256(b'pass' + bytes([10])).hexdigest()}  one.py\n")
    return folder


def test_sources_alone_run_as_they_are(tmp_path: Path) -> None:
    assert form((tmp_path,)) is Form.PYTHON


def test_what_was_compiled_from_these_sources_runs(tmp_path: Path) -> None:
    assert form((tree(tmp_path),)) is Form.COMPILED


def test_what_was_compiled_for_another_python_is_passed_over(tmp_path: Path) -> None:
    assert form((tree(tmp_path, suffix=".cpython-30-other.so"),)) is Form.PYTHON


def test_a_source_that_has_changed_since_stops_everything_and_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(
        StaleError, match=r"one\.py is not what was compiled: type make compile, or make pure"
    ):
        form((tree(tmp_path, source=b"1\n"),))


def test_a_source_that_is_gone_stops_everything(tmp_path: Path) -> None:
    tree(tmp_path).joinpath("one.py").unlink()
    with pytest.raises(StaleError, match=r"one\.py"):
        form((tmp_path,))
