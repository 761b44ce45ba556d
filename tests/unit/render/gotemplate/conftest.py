"""A Go template is translated, and rendered by the renderer itself."""

from collections.abc import Callable, Mapping

import pytest
from tests.unit.render.conftest import ConfDir, MakeResource

from fairlead.render.environment import Renderer
from fairlead.render.gotemplate import translate
from fairlead.render.view import Snapshot, to_bytes

KEYS = {
    "/app/name": "demo",
    "/app/port": "8080",
    "/app/empty": "",
    "/app/up/b": "10.0.0.2",
    "/app/up/a": "10.0.0.9",
    "/app/up/a/weight": "5",
    "/app/json": '{"port": 8080, "memory": 134217728, "share": 0.25, "up": true, "gone": null, '
    '"tags": ["x", 1, null], "zone": {"name": "z1", "a": "first"}}',
    "/app/list": '[{"n": "one"}, {"n": "two", "p": 2}]',
}
GoRender = Callable[..., str]


@pytest.fixture
def go_render(confdir: ConfDir, make_resource: MakeResource) -> GoRender:
    """Return what confd would write for a template text, or the error's text."""

    def render(text: str, keys: Mapping[str, str] = KEYS) -> str:
        translation = translate(text)
        path = confdir.path / "templates" / "web.j2"
        path.write_bytes(to_bytes(translation.text))
        renderer = Renderer(confdir.path / "templates", output_bytes_max=100_000)
        rendered = renderer.render(make_resource(), Snapshot(keys, revision=7))
        if rendered.files is None:
            return f"error: {rendered.error}"
        assert translation.problems == ()
        return rendered.files[0].content.decode("utf-8", "surrogateescape")

    return render
