"""A look ahead finds what a run would find: it does not promise a file that could not be made."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.render.conftest import ConfDir, rendered_as

from fairlead.render.destination import explain
from fairlead.render.preview import preview
from fairlead.render.rendered import Rendered
from fairlead.render.resource import FileSpec, Resource


def rendered(dest: Path, *, make_dirs: bool = False) -> Rendered:
    spec = FileSpec(src="t.j2", dest=str(dest), make_dirs=make_dirs)
    return rendered_as(Resource(name="conf.d/a.yaml", group="a", files=(spec,)), b"new")


def test_a_file_whose_folder_is_not_there_is_no_new_file(confdir: ConfDir) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        list(preview(rendered(confdir.out / "no" / "a.conf")))
    assert (
        explain(raised.value) == f"{confdir.out}/no does not exist; create it with: mkdir -p {confdir.out}/no"
    )


def test_unless_folders_are_made(confdir: ConfDir) -> None:
    [one] = preview(rendered(confdir.out / "no" / "a.conf", make_dirs=True))
    assert (one.found, one.is_changed) == (None, True)


def test_what_is_as_it_ought_to_be_is_no_change(confdir: ConfDir) -> None:
    dest = confdir.out / "a.conf"
    dest.write_bytes(b"new")
    [one] = preview(rendered(dest))
    assert not one.is_changed
    [other] = preview(replace(rendered(dest), files=tuple(replace(file, content=b"") for file in [one.file])))
    assert other.is_changed
