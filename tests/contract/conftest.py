"""Fixtures of the contract tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from syncengine.imap.replica import ImapAccount
from syncengine.imap.search import ProcessMemory
from syncengine.imap.settings import AccountSettings
from syncengine.model import Security
from tests.contract.imap_kit import DOMAIN, OWN, Open, ours
from tests.support.base import Login, Server
from tests.support.proxy import Proxy


@pytest.fixture
def connect() -> Iterator[Open]:
    """Opens accounts: ``connect(server, login, mask=..., ...)``; all are closed at the end."""
    with ExitStack() as stack:

        def opened(
            server: Server | Proxy,
            login: Login,
            *,
            memory: ProcessMemory | None = None,
            trace: Callable[[str, bytes], None] | None = None,
            **how: object,
        ) -> ImapAccount:
            port = server.port if isinstance(server, Proxy) else server.imap_port
            settings: dict[str, object] = {
                "host": server.host,
                "port": port,
                "security": Security.NONE,
                "account": login.user,
                "secret": lambda: login.password,
                "timeout": 10.0,
                "own_addresses": frozenset({OWN}),
                "domain": DOMAIN,
            }
            settings.update(how)
            account = ImapAccount(AccountSettings(**settings), recognise=ours, memory=memory, trace=trace)  # type: ignore[arg-type]
            stack.callback(account.close)
            return account

        yield opened
