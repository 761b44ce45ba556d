"""HAProxy and nginx as neighbours of a proxy, each in a folder of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import peers
from tests.support.ports import free_ports
from tests.support.processes import Program

HAPROXY = """
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{port}{accept}
  option forwardfor
  default_backend back
backend back
  server one 127.0.0.1:{behind}{send}
"""
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log crit; {user}
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; {body} }}
}}
"""


def listens(port: int) -> bool:
    wanted = f"0100007F:{port:04X} "
    return any(wanted in line and " 0A " in line for line in Path("/proc/net/tcp").read_text().splitlines())


@contextmanager
def haproxy(folder: Path, *, behind: int, accept: str = "", send: str = "") -> Iterator[int]:
    (port,) = free_ports(1)
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, behind=behind, accept=accept, send=send))
    argv = [str(peers.find("haproxy")), "-db", "-f", str(config)]
    with Program(argv, log=folder / "haproxy.log").start(lambda: listens(port)):
        yield port


def start_nginx(folder: Path, port: int, body: str) -> Program:
    """An nginx on ``port`` whose one server has ``body``."""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, body=body, user="user root;"))
    argv = [str(peers.find("nginx")), "-p", str(folder), "-c", str(config)]
    return Program(argv, log=folder / "nginx.log").start(lambda: listens(port))


@contextmanager
def nginx(folder: Path, body: str) -> Iterator[int]:
    (port,) = free_ports(1)
    with start_nginx(folder, port, body):
        yield port
