"""Proxies on equal terms: Fairlead with everything on, Debian's nginx and HAProxy; one core each, one backend.

All of them keep connections to the backend, add X-Forwarded-For and X-Request-Id, and write an access log.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import peers
from tests.bench.contenders import OURS
from tests.support.certificates import Certificates
from tests.support.ports import free_ports
from tests.support.processes import Program
from tests.support.store import FairleadStore
from tests.support.wire import Wire
from tests.unit.proxy.pairs import SEAL_KEY, SEAL_KEY_TEXT

from fairlead.proto import rpc_pb2 as pb
from fairlead.proxy.secretbox import KeyPair

ROUTES = 1_000
BIG_BYTES = 1_048_576
PROXY_CORE, LOAD_CORE = "0", "1"
CONNECTIONS_MAX = {"haproxy": 9_800}
"""It wants two file descriptors for each, and refuses to start where the limit is lower."""
_IDLE_FILES = 65_536

_NGINX = """
{user}worker_processes {workers}; daemon off; pid {folder}/pid; error_log {folder}/error.log crit;
worker_rlimit_nofile {files};
events {{ worker_connections 16384; }}
http {{
  access_log {log}; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  {body}
}}
"""
_BACKEND = """
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type text/plain; return 200 "{text}"; }}
    location /big {{ root {folder}; }}
  }}
"""
_NGINX_PROXY = """
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{secure} ssl http2 backlog=4096;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Request-Id $request_id;
    }}
  }}
"""
_HAPROXY = """
global
  nbthread {workers}
  maxconn 9900
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  http-reuse always
frontend front
  bind 127.0.0.1:{plain} backlog 4096
  bind 127.0.0.1:{secure} ssl crt {pem} alpn h2,http/1.1
  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  default_backend back
backend back
  server one 127.0.0.1:{backend} pool-max-conn -1
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A proxy that is being measured.  ``plain`` and ``secure`` are ports."""

    name: str
    plain: int
    secure: int
    program: Program


def present() -> list[str]:
    """Who can be measured here."""
    return [OURS, *(name for name in ("nginx", "haproxy") if peers.find(name))]


def pinned(core: str, *argv: str) -> list[str]:
    """``argv`` on one core."""
    return ["taskset", "-c", core, *argv]


@contextmanager
def backend(folder: Path) -> Iterator[int]:
    """Nginx with a short answer and a file of a megabyte, on the core of the load."""
    (port,) = free_ports(1)
    folder.mkdir()
    folder.joinpath("big").write_bytes(bytes(range(256)) * (BIG_BYTES // 256))
    body = _BACKEND.format(port=port, text="hello world " * 5, folder=folder)
    with _nginx(folder, body, core=LOAD_CORE, log="off"):
        yield port


@contextmanager
def running(
    name: str, folder: Path, backend_port: int, certificates: Certificates, *, workers: int = 1
) -> Iterator[Running]:
    """Run one proxy; one worker has a core, more have them all."""
    folder.mkdir(parents=True)
    plain, secure = free_ports(2)
    core = PROXY_CORE if workers == 1 else f"{PROXY_CORE},{LOAD_CORE}"
    ports = {"plain": plain, "secure": secure, "backend": backend_port, "workers": workers}
    with ExitStack() as stack:
        if name == OURS:
            program = stack.enter_context(_ours(folder, ports, certificates, core=core))
        elif name == "nginx":
            body = _NGINX_PROXY.format(
                **ports, certificate=certificates["server.crt"], key=certificates["server.key"]
            )
            log = f"{folder}/access.log combined buffer=64k flush=1s"
            program = stack.enter_context(_nginx(folder, body, core=core, log=log, workers=workers))
        else:
            pem = folder / "server.pem"
            pem.write_text(
                Path(certificates["server.crt"]).read_text() + Path(certificates["server.key"]).read_text()
            )
            config = folder / "haproxy.cfg"
            config.write_text(_HAPROXY.format(**ports, pem=pem))
            argv = pinned(core, str(peers.find("haproxy")), "-db", "-f", str(config))
            program = stack.enter_context(Program(argv, log=folder / "log").start(lambda: _listens(plain)))
        yield Running(name, plain, secure, program)


@contextmanager
def _nginx(folder: Path, body: str, *, core: str, log: str, workers: int = 1) -> Iterator[Program]:
    config = folder / "nginx.conf"
    # As root it would give its workers to somebody who may not read the folder.
    user = "user root; " if os.geteuid() == 0 else ""
    config.write_text(
        _NGINX.format(folder=folder, body=body, log=log, workers=workers, files=_IDLE_FILES, user=user)
    )
    argv = pinned(core, str(peers.find("nginx")), "-p", str(folder), "-c", str(config))
    with Program(argv, log=folder / "log").start((folder / "pid").exists) as program:
        yield program


@contextmanager
def _ours(
    folder: Path, ports: Mapping[str, int], certificates: Certificates, *, core: str
) -> Iterator[Program]:
    (metrics,) = free_ports(1)
    seal = folder / "seal"
    seal.write_text(SEAL_KEY_TEXT)
    with FairleadStore(folder / "store") as store:
        with Wire(store.address) as wire:
            for key, value in _keys(ports, certificates).items():
                wire.get(
                    "Put", pb.PutRequest(key=f"/vulcand/{key}".encode(), value=json.dumps(value).encode())
                )
        argv = [
            *(sys.executable, "-m", "fairlead.cli", "proxy", "--endpoints", store.endpoint),
            *("--listen", f"127.0.0.1:{ports['plain']}", "--metrics-listen", f"127.0.0.1:{metrics}"),
            *("--access-log", str(folder / "access.log"), "--seal-key-file", str(seal)),
            *("--workers", str(ports["workers"])),
        ]
        program = Program(pinned(core, *argv), log=folder / "log")
        with program.start(lambda: _listens(ports["secure"]) and _listens(ports["plain"])):
            yield program


def _keys(ports: Mapping[str, int], certificates: Certificates) -> dict[str, object]:
    pair = KeyPair(
        certificate=Path(certificates["server.crt"]).read_bytes(),
        key=Path(certificates["server.key"]).read_bytes(),
    )
    keys: dict[str, object] = {
        "backends/b/backend": {"Settings": {"KeepAlive": {"MaxIdleConnsPerHost": 256}}},
        "backends/b/servers/s": {"URL": f"http://127.0.0.1:{ports['backend']}"},
        "hosts/bench/host": {
            "Settings": {"Default": True, "KeyPair": json.loads(SEAL_KEY.seal_key_pair(pair))}
        },
        "listeners/secure": {
            "Protocol": "https",
            "Address": {"Network": "tcp", "Address": f"127.0.0.1:{ports['secure']}"},
        },
        "frontends/rest/frontend": {
            "BackendId": "b",
            "Type": "http",
            "Route": 'PathRegexp("/.*")',
            "Priority": -1,
        },
    }
    for number in range(ROUTES):
        route = f'Host("r{number}.example")'
        keys[f"frontends/f{number}/frontend"] = {"BackendId": "b", "Type": "http", "Route": route}
    for name in ("rest", *(f"f{number}" for number in range(ROUTES))):
        keys[f"frontends/{name}/middlewares/id"] = {
            "Id": "id", "Type": "requestid", "Priority": 0, "Middleware": {"InResponse": False},
        }  # fmt: skip
    return keys


def _listens(port: int) -> bool:
    """Whether somebody listens there, without making a connection."""
    wanted = f"0100007F:{port:04X} "
    return any(wanted in line and " 0A " in line for line in Path("/proc/net/tcp").read_text().splitlines())
