"""Does a file parse as what it is said to be, and does its content satisfy a schema?

A syntax error that a program would meet at its reload is met here, with its line, before anything is touched.
"""

import configparser
import json
import tomllib
import xml.parsers.expat
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import yaml

from fairlead.render.errors import TemplateFault

_ENTITIES = "entities are not allowed"


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from None


def _yaml(text: str) -> Any:
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.MarkedYAMLError as error:
        line = 0 if error.problem_mark is None else error.problem_mark.line + 1
        raise ValueError(f"line {line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    return documents[0] if len(documents) == 1 else documents


def _ini(text: str) -> Any:
    parser = configparser.ConfigParser(interpolation=None, allow_no_value=True, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error)) from None
    return {
        name: dict(section) for name, section in parser.items() if name != parser.default_section or section
    }


def _xml(text: str) -> Any:
    parser = xml.parsers.expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise ValueError(_ENTITIES)

    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.encode(), True)
    except xml.parsers.expat.ExpatError as error:
        raise ValueError(f"line {error.lineno}: {xml.parsers.expat.ErrorString(error.code)}") from None
    return None


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "json": _json, "yaml": _yaml, "toml": tomllib.loads, "ini": _ini, "xml": _xml,
}  # fmt: skip


def check_output(content: bytes, *, form: str, schema: str | None) -> None:
    """Check what a template wrote.

    Args:
        content: the bytes.
        form: ``json``, ``yaml``, ``toml``, ``ini`` or ``xml``; where empty, ``yaml`` is meant if there is a schema.
        schema: the text of a JSON Schema, None for none.

    Raises:
        TemplateFault: it does not parse, or does not satisfy the schema.
    """
    if not form and schema is None:
        return
    form = form or "yaml"
    try:
        value = _PARSERS[form](content.decode())
    except UnicodeDecodeError:
        raise TemplateFault(f"the output is not {form}: it is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise TemplateFault(f"the output is not {form}: {error}") from None
    if schema is not None:
        _check_schema(value, schema)


def _check_schema(value: Any, schema: str) -> None:
    try:
        library: Any = import_module("jsonschema")
    except ImportError:
        raise TemplateFault("a schema needs the Python package jsonschema, which is not installed") from None
    try:
        rules = json.loads(schema)
        validator = library.validators.validator_for(rules)
        validator.check_schema(rules)
        errors = sorted(
            validator(rules).iter_errors(value), key=lambda error: [str(part) for part in error.path]
        )
    except (ValueError, library.exceptions.SchemaError) as error:
        raise TemplateFault(f"the schema is no JSON Schema: {error}") from None
    if errors:
        place = "/".join(str(part) for part in errors[0].absolute_path) or "(top)"
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise TemplateFault(f"the output does not satisfy its schema: {place}: {errors[0].message}{more}")
