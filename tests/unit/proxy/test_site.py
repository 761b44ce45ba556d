"""The example site: every key of it is in force, and does what its comment says."""

import json
from pathlib import Path

import yaml
from tests.unit.proxy.harness import Upstream, fields_of, running, status_of

SITE = Path(__file__).parents[3] / "deploy" / "proxy-site" / "site.yaml"


async def test_every_key_of_the_example_is_in_force() -> None:
    keys = yaml.safe_load(SITE.read_text())["keys"]
    shop, following = Upstream(), Upstream()
    async with running(shop, following) as proxy:
        ports = {"9001": shop.port, "9002": shop.port, "9003": following.port}
        values = {}
        for key, value in keys.items():
            text = value
            for port, real in ports.items():
                text = text.replace(f":{port}", f":{real}")
            values[key.removeprefix("/vulcand/")] = json.loads(text)
        proxy.put(values, delete=("frontends/f/frontend",))
        assert proxy.board.problems == {}
        head, _ = await proxy.get("/a")
        assert status_of(head) == 200
        assert len(fields_of(head)["x-request-id"][0]) == 32
        await proxy.get("/a", extra="X-Try: next\r\n")
        assert len(following.heads) >= 1
        assert "traceparent" in fields_of(following.heads[-1])
        assert status_of((await proxy.get("/inside"))[0]) == 200
