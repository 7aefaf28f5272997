"""An IMAP server inside the process, on loopback, with accounts that live as long as it does (pymap)."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType

from syncengine.errors import SyncError

HOST = "127.0.0.1"
_BOOT_SECONDS = 30.0


class EmbeddedServer:
    """pymap's volatile server in a thread; ``accounts`` maps login names to passwords."""

    def __init__(self, accounts: Mapping[str, str]) -> None:
        self._accounts = accounts
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="embedded-imap", daemon=True)
        self.port = _free_port()

    def __enter__(self) -> EmbeddedServer:
        self._thread.start()
        if not self._ready.wait(_BOOT_SECONDS) or self._failure is not None:
            raise SyncError(f"the embedded mail server did not start: {self._failure}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_BOOT_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever started it
            self._failure = error
            self._ready.set()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _serve(self) -> None:
        from pymap.backend.dict import DictBackend, Identity  # noqa: PLC0415 - an extra's package
        from pymap.imap import IMAPService  # noqa: PLC0415
        from pymap.user import Passwords, UserMetadata  # noqa: PLC0415

        logging.getLogger("pymap").setLevel(logging.ERROR)
        backend, config = await DictBackend.init(_arguments(self.port))
        config.apply_context()
        for name, password in self._accounts.items():
            hashed = await Passwords(config).hash_password(password)
            user = UserMetadata(config, name, password=hashed)
            await Identity(name, backend.login, None, frozenset({"admin"})).set(user)
        self._stop = asyncio.Event()
        async with AsyncExitStack() as stack:
            await backend.start(stack)
            await IMAPService(backend, config).start(stack)
            self._ready.set()
            await self._stop.wait()


def _arguments(port: int) -> argparse.Namespace:
    return argparse.Namespace(
        host=[HOST],
        port=str(port),
        cert=None,
        key=None,
        tls=False,
        proxy_protocol=None,
        inherited_sockets=None,
        debug=False,
        passlib_cfg=None,
        demo_data=False,
        demo_user="",
        demo_password="",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def embedded_server(accounts: Mapping[str, str]) -> Iterator[EmbeddedServer]:
    """Run an embedded server for the length of a block; raises ``SyncError`` if pymap is not installed."""
    try:
        import pymap  # noqa: F401, PLC0415
    except ImportError:
        raise SyncError(
            "the demo's mail server is not installed: pip install 'voicemail-syncengine[demo]',"
            " or name an account of your own with --server"
        ) from None
    with EmbeddedServer(accounts) as server:
        yield server
