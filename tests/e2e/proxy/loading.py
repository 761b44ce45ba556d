"""wrk on a proxy for as long as a test takes, and what it counted."""

import asyncio
import contextlib
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from tests import peers
from tests.e2e.proxy.neighbours import start_nginx
from tests.e2e.proxy.running import RunningProxy
from tests.support.ports import free_ports
from tests.unit.proxy.harness import eventually

_ANSWERED = re.compile(r"^fairlead_proxy_requests_total\{.*\} (\S+)$", re.MULTILINE)
_LIMIT_S = 3600
_WITHIN_S = 30.0
_COUNT = re.compile(r"(\d+) requests in")
_FAILURES = re.compile(r"Socket errors.*|Non-2xx.*")


class Load:
    """What wrk reports at the end."""

    report = ""

    @property
    def requests(self) -> int:
        """How many were answered."""
        found = _COUNT.search(self.report)
        assert found is not None, f"wrk says something new:\n{self.report}"
        return int(found[1])

    @property
    def failures(self) -> str:
        """Its lines about connections that broke and answers that are no success; empty when there were none."""
        return "\n".join(_FAILURES.findall(self.report))


class FastServer(contextlib.AbstractContextManager["FastServer"]):
    """An nginx that answers everything with ``name`` and is no hindrance."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        (port,) = free_ports(1)
        self.key = {"URL": f"http://127.0.0.1:{port}"}
        """What a proxy's key says of it."""
        body = f"location / {{ return 200 {name}; }} keepalive_requests 1000000;"
        self._program = start_nginx(folder, port, body)

    def stop(self) -> None:
        self._program.stop()

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.asynccontextmanager
async def loaded(proxy: RunningProxy, *flags: str, connections: int = 64) -> AsyncIterator[Load]:
    """Keep ``connections`` busy, from before this is entered until it is left."""
    program = peers.find("wrk")
    assert program is not None
    arguments = ("-t1", f"-c{connections}", f"-d{_LIMIT_S}s", *flags, f"{proxy.url}/")
    before = answered(proxy)
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.PIPE)
    load = Load()
    try:
        await eventually(lambda: answered(proxy) > before + connections)
        yield load
        process.send_signal(signal.SIGINT)  # It reports and ends.
        output, _ = await asyncio.wait_for(process.communicate(), _WITHIN_S)
        load.report = output.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def answered(proxy: RunningProxy) -> float:
    """How many requests the proxy says that it has answered."""
    return sum(map(float, _ANSWERED.findall(proxy.page("/metrics")[1])))
