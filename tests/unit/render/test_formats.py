"""Output that does not parse, or breaks its schema, is refused before anything is touched."""

import json
from importlib.util import find_spec

import pytest

from fairlead.render.errors import TemplateFault
from fairlead.render.formats import check_output

needs_jsonschema = pytest.mark.skipif(
    find_spec("jsonschema") is None, reason="the package jsonschema is not installed"
)
PORT = json.dumps({"type": "object", "properties": {"port": {"type": "integer"}}, "required": ["port"]})


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("json", b'{"a": [1, null]}'), ("yaml", b"a: 1\n---\nb: 2\n"), ("toml", b"[a]\nb = 1\n"),
        ("ini", b"[a]\nb = %(x)s\nc\nb = 2\n"), ("xml", b"<a><b c='d'/></a>"), ("", b"\xff anything"),
    ],
)  # fmt: skip
def test_what_parses_passes(form: str, content: bytes) -> None:
    check_output(content, form=form, schema=None)


@pytest.mark.parametrize(
    ("form", "content", "complaint"),
    [
        ("json", b'{\n"a": }', "the output is not json: line 2: Expecting value"),
        ("yaml", b"a: 1\n b: 2", "the output is not yaml: line 2: "),
        ("toml", b"a = \n", "the output is not toml: Invalid value"),
        ("ini", b"a = 1", "the output is not ini: File contains no section headers"),
        ("xml", b"<a>\n<b></a>", "the output is not xml: line 2: mismatched tag"),
        ("xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "entities are not allowed"),
        ("json", b'"\xff"', "the output is not json: it is not UTF-8"),
        ("json", b"[" * 100_000, "the output is not json"),
    ],
)
def test_what_does_not_is_refused_with_its_line(form: str, content: bytes, complaint: str) -> None:
    with pytest.raises(TemplateFault) as caught:
        check_output(content, form=form, schema=None)
    assert complaint in str(caught.value)


@needs_jsonschema
def test_a_schema_is_held() -> None:
    check_output(b"port: 80", form="", schema=PORT)
    with pytest.raises(TemplateFault, match="does not satisfy its schema: port: "):
        check_output(b'{"port": "80"}', form="json", schema=PORT)
    with pytest.raises(TemplateFault, match="no JSON Schema"):
        check_output(b"{}", form="json", schema='{"type": 5}')


@pytest.mark.skipif(find_spec("jsonschema") is not None, reason="the package jsonschema is installed")
def test_without_the_library_a_schema_is_not_passed_over() -> None:
    with pytest.raises(TemplateFault, match="needs the Python package jsonschema"):
        check_output(b"port: 80", form="yaml", schema=PORT)
