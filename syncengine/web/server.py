"""The pages on an address, answered from threads of this process until they are stopped.

Invariant: they are not shown off this host to who is not known.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import stat
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn

from syncengine.engine.engine import Engine
from syncengine.errors import UsageError
from syncengine.options.check import is_loopback
from syncengine.options.plainfile import read
from syncengine.web.app import build, site_of
from syncengine.web.door import Access, Door
from syncengine.web.patience import Impatient
from syncengine.web.users import LEAST_PASSWORD

_log = logging.getLogger(__name__)

_MOST_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a certificate and its key, or the proxy that has them."""

    cert: Path | None = None
    key: Path | None = None
    proxy: str | None = None
    """The address of a proxy whose word is taken for where a request comes from, and how."""


class WebServer:
    """Answers on one address until it is stopped. Raises ``OSError`` where it cannot listen."""

    def __init__(
        self, engine: Engine, config: Path, access: Access, *, host: str, port: int, tls: Tls | None = None
    ) -> None:
        tls = tls or Tls()
        access = replace(access, local=is_loopback(host) and tls.proxy is None)
        self._site = site_of(engine, config, access)
        try:
            _see_who_may_come(self._site.door, "a proxy" if tls.proxy else host)
            self._secure = tls.cert is not None
            self._socket = socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=64
            )
        except BaseException:
            self._site.close()
            raise
        self._server = uvicorn.Server(
            uvicorn.Config(
                build(self._site),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=tls.proxy is not None,
                forwarded_allow_ips=tls.proxy or "",
                ssl_certfile=tls.cert,
                ssl_keyfile=tls.key,
                lifespan="off",
                ws="none",
                http=Impatient,
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
        scheme = "https" if self._secure else "http"
        return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"

    def stop(self) -> None:
        """Answer no more; what is being done is finished first."""
        self._site.live.end_streams()
        self._server.should_exit = True
        self._thread.join()
        self._site.close()
        self._socket.close()


def _see_who_may_come(door: Door, way: str) -> None:
    """Raise ``UsageError`` where strangers could come in."""
    if door.access.password is not None or door.users.all():
        return
    make = "syncengine web user add NAME (or one password for all: --password-file)"
    if not door.access.local:
        raise UsageError(f"web: by {way} the pages can be reached from elsewhere, which takes users: {make}")
    if door.access.names:
        names = ", ".join(sorted(door.access.names))
        _log.warning("web: whoever reaches the pages as %s may change everything: %s", names, make)


def access_of(names: list[str], password_file: str | None) -> Access:
    """Return who may come in; raises ``UsageError`` for a password file that must not be used."""
    password = None if password_file is None else first_line(Path(password_file))
    return Access(frozenset(name.lower().rstrip(".") for name in names), password)


def tls_of(cert: str | None, key: str | None, proxy: str | None) -> Tls:
    """Return what TLS is spoken with; raises ``UsageError`` for files that cannot be used."""
    if (cert is None) != (key is None):
        raise UsageError("web: --tls-cert and --tls-key belong together")
    if proxy is not None:
        proxy = plain_host(proxy, "--trusted-proxy")
    if cert is None or key is None:
        return Tls(proxy=proxy)
    try:
        if stat.S_IMODE(Path(key).stat().st_mode) & stat.S_IROTH:
            raise UsageError(f"--tls-key {key}: readable by everybody: chmod 600 it")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=_no_passphrase)
    except OSError as error:
        raise UsageError(f"--tls-cert {cert}, --tls-key {key}: cannot be used: {error.strerror}") from None
    return Tls(Path(cert), Path(key), proxy)


def _no_passphrase() -> str:
    raise UsageError("--tls-key: the key is encrypted, and nobody is there to type its passphrase")


def first_line(file: Path) -> str:
    """Return the password in a file's first line; raises ``UsageError`` for one not to be used."""
    try:
        content, mode = read(file, _MOST_PASSWORD)
        line = (content.decode().splitlines() or [""])[0]
    except OSError as error:
        raise UsageError(f"--password-file {file}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"--password-file {file}: this is no UTF-8") from None
    if mode & stat.S_IROTH:
        raise UsageError(f"--password-file {file}: readable by everybody: chmod 600 it")
    if len(line) < LEAST_PASSWORD:
        raise UsageError(f"--password-file {file}: the first line has less than {LEAST_PASSWORD} characters")
    return line


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; raises ``UsageError`` for what is none."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--web {text}: give an address like 127.0.0.1:8080 or [::1]:8080")
    return plain_host(host), int(port)


def plain_host(host: str, option: str = "--host") -> str:
    """Return a host without the brackets of an IPv6 address; raises ``UsageError`` for what is none."""
    name = host.strip("[]")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if is_loopback(name):
            return "127.0.0.1"
    raise UsageError(f"{option} {host[:64]}: give an address, like 127.0.0.1")
