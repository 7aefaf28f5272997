"""The servers of the tests as fixtures.

A server that this machine does not have is named in the header. The tests that need it are skipped,
but fail where ``CI=true``, so that nothing is green there because it was not run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import pytest
from playwright.sync_api import Browser as ChromeBrowser

from tests.support import chromium
from tests.support import courier as courier_server
from tests.support import cyrus as cyrus_server
from tests.support import dovecot as dovecot_server
from tests.support import greenmail as greenmail_server
from tests.support.base import AbsentError, Found, Login, Server
from tests.support.dovecot import Dovecot
from tests.support.mailprogram import MailProgram
from tests.support.proxy import Proxy
from tests.support.simimap import PROFILES, played
from tests.support.smtp import Front, smtp_front
from tests.support.tls import Authority

S = TypeVar("S", bound=Server)

FIND: dict[str, Callable[[], Found]] = {
    "dovecot": dovecot_server.find,
    "greenmail": greenmail_server.find,
    "cyrus": cyrus_server.find,
    "courier": courier_server.find,
    "dovecot-mdbox": dovecot_server.find,
}
"""The real servers, and how each is found on this machine."""

BY_NAME_ONLY = {"dovecot-mdbox"}
"""What only those tests run on that ask for it: to most, Dovecot is Dovecot."""

PLAYED = {f"sim-{name}": PROFILES[name] for name in ("qresync", "condstore", "bare")}
"""Servers that are played in memory: what runs on the real ones runs on these too."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``--servers dovecot,greenmail`` restrict the run."""
    known = [*FIND, *PLAYED]
    parser.addoption("--servers", default=",".join(known), help=f"use only these of {', '.join(known)}")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a ``--servers`` that names none of ours."""
    unknown = _wanted(config) - FIND.keys() - PLAYED.keys()
    if unknown:
        known = ", ".join([*FIND, *PLAYED])
        raise pytest.UsageError(f"--servers: unknown {', '.join(sorted(unknown))}; known: {known}")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which server came which way, and which is not there."""
    there, absent = [], []
    wanted = {name: find for name, find in FIND.items() if name in _wanted(config)}
    for name, find in (wanted | {"chromium": chromium.find}).items():
        try:
            found = find()
        except AbsentError as error:
            absent.append(f"{'server ' if name in FIND else ''}absent: {name} ({error})")
        else:
            there.append(f"{name} {found.version} ({found.way})")
    return [f"servers: {', '.join(there) or 'none'}", *absent]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what campaigns counted: each ``figure`` is (what, how many were done, how many there are)."""
    sums: dict[str, tuple[int, int]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties if report.when == "call" else ():
            if name == "figure":
                what, done, there_are = value
                before = sums.get(what, (0, 0))
                sums[what] = (before[0] + done, before[1] + there_are)
    for what, (done, there_are) in sorted(sums.items()):
        terminalreporter.write_line(f"{what}: {done:,} of {there_are:,}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with ``imap_server`` once per server, or per server of its ``server`` mark."""
    if "imap_server" not in metafunc.fixturenames:
        return
    marked = [name for mark in metafunc.definition.iter_markers("server") for name in mark.args]
    usual = [name for name in (*FIND, *PLAYED) if name not in BY_NAME_ONLY]
    wanted = [name for name in marked or usual if name in _wanted(metafunc.config)]
    metafunc.parametrize("imap_server", wanted, indirect=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority of this run."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def dovecot(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Dovecot]:
    """Dovecot with Maildir storage."""
    with _running(request, "dovecot", lambda: dovecot_server.start(authority)) as server:
        yield server


@pytest.fixture(scope="session")
def dovecot_mdbox(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Dovecot]:
    """Dovecot with mdbox storage."""
    with _running(
        request, "dovecot-mdbox", lambda: dovecot_server.start(authority, layout="mdbox")
    ) as server:
        yield server


@pytest.fixture(scope="session")
def greenmail(request: pytest.FixtureRequest) -> Iterator[Server]:
    """GreenMail."""
    with _running(request, "greenmail", greenmail_server.start) as server:
        yield server


@pytest.fixture(scope="session")
def cyrus(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Server]:
    """Cyrus."""
    with _running(request, "cyrus", lambda: cyrus_server.start(authority)) as server:
        yield server


@pytest.fixture(scope="session")
def courier(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Server]:
    """Courier."""
    with _running(request, "courier", lambda: courier_server.start(authority)) as server:
        yield server


@pytest.fixture(scope="session")
def play() -> Iterator[Callable[[str], Server]]:
    """Starts played servers by name, each once."""
    running: dict[str, Server] = {}
    with ExitStack() as stack:

        def started(name: str) -> Server:
            if name not in running:
                running[name] = stack.enter_context(played.start(PLAYED[name]))
            return running[name]

        yield started


@pytest.fixture(scope="module")
def chrome() -> Iterator[ChromeBrowser]:
    """A real browser; where there is none the test is skipped, or (in CI) fails.

    Not for the session: while it runs, this thread has an event loop, and others want one of their own.
    """
    try:
        chromium.find()
    except AbsentError as error:
        _absent(f"chromium is absent: {error}")
    with chromium.chromium() as browser:
        yield browser


@pytest.fixture
def imap_server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn, the real and the played."""
    if request.param in PLAYED:
        return request.getfixturevalue("play")(request.param)  # type: ignore[no-any-return]
    server = request.getfixturevalue(request.param.replace("-", "_"))
    assert isinstance(server, Server)
    return server


@pytest.fixture
def raw_client() -> Iterator[Callable[[Server, Login], MailProgram]]:
    """Opens mail programs: ``raw_client(server, login)``."""
    with ExitStack() as stack:
        yield lambda server, login: stack.enter_context(MailProgram(server, login))


@pytest.fixture
def dovecot_smtp(dovecot: Dovecot) -> Iterator[Front]:
    """An SMTP server whose mail arrives in the accounts of ``dovecot``."""
    with smtp_front(dovecot) as front:
        yield front


@pytest.fixture
def proxy_to() -> Iterator[Callable[..., Proxy]]:
    """Opens proxies: ``proxy_to(host, port, **how)``."""
    with ExitStack() as stack:
        yield lambda host, port, **how: stack.enter_context(Proxy(host, port, **how))


def _wanted(config: pytest.Config) -> set[str]:
    return {name for name in config.getoption("--servers").split(",") if name}


def _running(
    request: pytest.FixtureRequest, name: str, start: Callable[[], AbstractContextManager[S]]
) -> AbstractContextManager[S]:
    """Return the server about to run; skip what is not wanted, skip or (in CI) fail what is not there."""
    if name not in _wanted(request.config):
        pytest.skip(f"{name} is left out by --servers")
    try:
        FIND[name]()
    except AbsentError as error:
        _absent(f"{name} is absent: {error}")
    return start()


def _absent(what: str) -> None:
    absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    absent(what)
