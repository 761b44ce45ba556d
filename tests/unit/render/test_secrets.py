"""Secrets are opened on the host, mark their file, and stay out of every message."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.unit.render.conftest import ConfDir, MakeResource

from fairlead.render.environment import Renderer
from fairlead.render.errors import TemplateFault
from fairlead.render.rendered import Rendered
from fairlead.render.secrets import (
    HIDDEN,
    SealError,
    Vault,
    is_sealed,
    new_key,
    read_key,
    redact,
    seal,
    unseal,
)
from fairlead.render.view import Snapshot

needs_cryptography = pytest.mark.skipif(
    find_spec("cryptography") is None, reason="the package cryptography is not installed"
)
PASSWORD = "hunter2 'quoted'\n"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(new_key())
    path.chmod(0o600)
    return path


def render(
    confdir: ConfDir, make_resource: MakeResource, text: str, *, value: str, key_file: Path | None = None
) -> Rendered:
    confdir.template("web.j2", text)
    renderer = Renderer(confdir.path / "templates", output_bytes_max=1000, vault=Vault(key_file))
    return renderer.render(make_resource(), Snapshot({"/db/password": value, "/db/name": "shop"}, revision=3))


def test_a_file_with_a_secret_is_marked_and_one_without_is_not(
    confdir: ConfDir, make_resource: MakeResource
) -> None:
    rendered = render(confdir, make_resource, "{{ secret('/db/password') }}", value="hunter2")
    assert rendered.files is not None
    assert (rendered.files[0].content, rendered.files[0].is_secret) == (b"hunter2", True)
    assert rendered.secrets == {"hunter2"}
    assert "hunter2" not in repr(rendered)
    open_file = render(confdir, make_resource, "{{ getv('/db/name') }}", value="hunter2").files
    assert open_file is not None
    assert not open_file[0].is_secret


def test_a_default_is_a_secret_too_and_a_missing_one_is_an_error(
    confdir: ConfDir, make_resource: MakeResource
) -> None:
    assert render(confdir, make_resource, "{{ secret('/nope', 'dflt') }}", value="x").secrets == {"dflt"}
    assert "key /nope does not exist" in str(
        render(confdir, make_resource, "{{ secret('/nope') }}", value="x").error
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ secret('/db/password')|atoi }}",
        "{{ secret('/db/password')|plain }}",
        "{{ secret('/db/password') + 1 }}",
    ],
)
def test_an_error_never_quotes_a_secret(text: str, confdir: ConfDir, make_resource: MakeResource) -> None:
    for value in ("hunter2 hunter2", PASSWORD):
        error = str(render(confdir, make_resource, text, value=value).error)
        assert "hunter2" not in error


def test_redaction_hides_every_form_and_longer_secrets_first() -> None:
    assert redact(f"a {PASSWORD!r} b {PASSWORD} c", [PASSWORD]) == f"a '{HIDDEN}' b {HIDDEN} c".replace(
        "'", '"'
    )
    assert redact("abcdef abc", ["abc", "abcdef"]) == f"{HIDDEN} {HIDDEN}"
    assert redact("ab x", ["ab", "", "x"]) == "ab x"


def test_a_key_file_must_be_closed_and_hold_a_key(tmp_path: Path, key_file: Path) -> None:
    assert len(read_key(key_file)) == 32
    key_file.chmod(0o640)
    with pytest.raises(SealError, match="chmod 600"):
        read_key(key_file)
    key_file.chmod(0o600)
    key_file.write_text("short")
    with pytest.raises(SealError, match="make one with: fairlead render keygen"):
        read_key(key_file)
    with pytest.raises(SealError, match="cannot be read"):
        read_key(tmp_path / "none")


def test_a_sealed_value_without_a_key_is_an_error_that_says_so() -> None:
    with pytest.raises(TemplateFault, match="--secret-key-file"):
        Vault().open("fairlead-sealed:1:AAAA", name="/a")
    assert Vault().open("in the clear", name="/a") == "in the clear"


def test_a_sealed_value_never_goes_into_a_file_as_it_is(
    confdir: ConfDir, make_resource: MakeResource
) -> None:
    """Whoever forgets ``secret`` hears of it, and not the program that reads the file."""
    rendered = render(confdir, make_resource, "{{ getv('/db/password') }}", value="fairlead-sealed:1:AAAA")
    assert "read it with secret()" in str(rendered.error)


@needs_cryptography
def test_what_is_sealed_is_opened_under_its_name_alone(key_file: Path) -> None:
    key = read_key(key_file)
    sealed = seal(PASSWORD.encode(), name="/db/password", key=key)
    assert is_sealed(sealed)
    assert "hunter2" not in sealed
    assert sealed != seal(PASSWORD.encode(), name="/db/password", key=key)
    assert unseal(sealed, name="/db/password", key=key) == PASSWORD.encode()
    for value, name, other in (
        (sealed, "/motd", key),
        (sealed, "/db/password", bytes(32)),
        (sealed[:-8], "/db/password", key),
        ("fairlead-sealed:1:?", "/db/password", key),
    ):
        with pytest.raises(SealError, match="cannot be opened"):
            unseal(value, name=name, key=other)


@needs_cryptography
def test_a_template_gets_the_secret_in_the_clear(
    confdir: ConfDir, make_resource: MakeResource, key_file: Path
) -> None:
    sealed = seal(b"\xffhunter2", name="/db/password", key=read_key(key_file))
    rendered = render(confdir, make_resource, "{{ secret('/db/password') }}", value=sealed, key_file=key_file)
    assert rendered.files is not None, rendered.error
    assert rendered.files[0].content == b"\xffhunter2"


@pytest.mark.skipif(find_spec("cryptography") is not None, reason="the package cryptography is installed")
def test_without_the_library_a_sealed_value_is_an_error(key_file: Path) -> None:
    with pytest.raises(TemplateFault, match="need the Python package cryptography"):
        Vault(key_file).open("fairlead-sealed:1:AAAA", name="/a")
