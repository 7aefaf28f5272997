"""The pages on an address, answered from threads of this process until they are stopped.

Invariant: they are not shown off this host without a password.
"""

from __future__ import annotations

import ipaddress
import socket
import stat
import threading
from pathlib import Path

import uvicorn

from syncengine.engine.engine import Engine
from syncengine.errors import UsageError
from syncengine.options.check import is_loopback
from syncengine.options.plainfile import read
from syncengine.web.app import build, site_of
from syncengine.web.gate import Access

_MOST_PASSWORD = 1024
_LEAST_PASSWORD = 8


class WebServer:
    """Answers on one address until it is stopped. Raises ``OSError`` where it cannot listen."""

    def __init__(self, engine: Engine, config: Path, access: Access, *, host: str, port: int) -> None:
        if access.password is None and not is_loopback(host):
            raise UsageError(
                f"web: {host} can be reached from elsewhere, which takes a password: --password-file"
            )
        self._socket = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=64
        )
        self._site = site_of(engine, config)
        self._server = uvicorn.Server(
            uvicorn.Config(
                build(self._site, access),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                http="h11",
                loop="asyncio",
                limit_concurrency=64,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=5,
                h11_max_incomplete_event_size=16384,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="syncengine-web", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the pages are."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def stop(self) -> None:
        """Answer no more; what is being done is finished first."""
        self._server.should_exit = True
        self._thread.join()
        self._site.close()
        self._socket.close()


def access_of(names: list[str], password_file: str | None) -> Access:
    """Return who may come in; raises ``UsageError`` for a password file that must not be used."""
    password = None if password_file is None else _password(Path(password_file))
    return Access(frozenset(name.lower().rstrip(".") for name in names), password)


def _password(file: Path) -> str:
    try:
        content, mode = read(file, _MOST_PASSWORD)
        line = (content.decode().splitlines() or [""])[0]
    except OSError as error:
        raise UsageError(f"--password-file {file}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"--password-file {file}: this is no UTF-8") from None
    if mode & stat.S_IROTH:
        raise UsageError(f"--password-file {file}: readable by everybody: chmod 600 it")
    if len(line) < _LEAST_PASSWORD:
        raise UsageError(f"--password-file {file}: the first line has less than {_LEAST_PASSWORD} characters")
    return line


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; raises ``UsageError`` for what is none."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--web {text}: give an address like 127.0.0.1:8080 or [::1]:8080")
    return plain_host(host), int(port)


def plain_host(host: str) -> str:
    """Return a host without the brackets of an IPv6 address; raises ``UsageError`` for what is none."""
    name = host.strip("[]")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if is_loopback(name):
            return "127.0.0.1"
    raise UsageError(f"--host {host[:64]}: give an address of this host, like 127.0.0.1")
