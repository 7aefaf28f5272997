"""Each field of the E-mail tab, changed on the page, is seen in what is said to the servers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from syncengine.engine.engine import Engine
from syncengine.options.edit import set_mailbox
from syncengine.options.schema import Protocol
from syncengine.options.tab import email_tab
from tests.support.commands import installed
from tests.support.pages import Browser, form_of, pages
from tests.support.scripted_smtp import ScriptedSmtp, Session, scripted
from tests.support.tls import Authority
from tests.support.world import wav

AT = "/options/101"
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""
CHALLENGE = b"<1896.697170952@mail.example>"
SMTP = {
    "EHLO": "250-mail.example\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2",
    "AUTH": "235 welcome",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    installed(tmp_path / "here")
    return tmp_path / "here" / "syncengine.toml"


def apply(browser: Browser, changes: Mapping[str, str]) -> None:
    """Change fields on the page; nothing else goes into the options."""
    answer = browser.post(AT, form_of(browser.get(AT)) | changes)
    assert answer.status == 303, answer.words


def passed(engine: Engine, browser: Browser, kind: str = "voice") -> None:
    engine.mailbox("101").deliver(wav() if kind == "voice" else PDF, kind=kind)
    browser.get("/mailboxes/101")
    assert browser.post("/mailboxes/101/resync", {"how": "now"}).status == 200


def tried(browser: Browser) -> None:
    browser.get(AT)
    assert browser.post(f"{AT}/test").status == 200


def to(server: ScriptedSmtp) -> dict[str, str]:
    return {"smtp.server": "127.0.0.1", "smtp.port": str(server.port)}


def sent(config: Path, changes: Mapping[str, str], **how: object) -> Session:
    """What a server was told about one message, once the changes were applied on the page."""
    with scripted(SMTP, **how) as server, pages(config) as (engine, browser):
        apply(browser, to(server) | changes)
        passed(engine, browser)
        return server.session()


def plain(line: str) -> list[str]:
    return base64.b64decode(line.rpartition(" ")[2]).decode().split("\0")


def test_the_domain_name_is_how_the_server_is_greeted(config):
    assert sent(config, {"smtp.domain": "voice.example"}).commands[0] == "EHLO voice.example"


def test_the_email_name_is_who_gets_it(config):
    session = sent(config, {"email_name": "second@example.com"})
    assert "RCPT TO:<second@example.com>" in session.commands
    assert b"\r\nTo: second@example.com\r\n" in b"\r\n" + session.body


def test_the_account_is_who_sends_it(config):
    assert any(
        line.startswith("MAIL FROM:<petera@example.com>")
        for line in sent(config, {"smtp.account": "petera@example.com"}).commands
    )


def test_account_and_password_are_what_one_logs_in_with(config):
    with scripted(SMTP) as server, pages(config) as (engine, browser):
        apply(
            browser,
            to(server)
            | {"smtp.authentication": "plain", "smtp.account": "one", "smtp.password": "first word"},
        )
        passed(engine, browser)
        apply(browser, {"smtp.password": "second word"})
        passed(engine, browser)
        apply(browser, {"smtp.account": "two"})
        passed(engine, browser)
        logins = [plain(server.session(n).commands[1])[-2:] for n in range(3)]
    assert logins == [["one", "first word"], ["one", "second word"], ["two", "second word"]]


def test_the_authentication_is_how_one_logs_in(config):
    login = {"smtp.account": "one", "smtp.password": "word"}
    answers = {
        "plain": ["235 welcome"],
        "login": ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 welcome"],
        "cram-md5": ["334 " + base64.b64encode(CHALLENGE).decode(), "235 welcome"],
        "xoauth2": ["235 welcome"],
    }
    said = {}
    for mechanism, script in answers.items():
        with scripted(SMTP | {"AUTH": script}) as server, pages(config) as (engine, browser):
            apply(browser, to(server) | login | {"smtp.authentication": mechanism})
            passed(engine, browser)
            commands = server.session().commands
            said[mechanism] = commands[1 : commands.index(next(c for c in commands if c.startswith("MAIL")))]
    assert plain(said["plain"][0])[-2:] == ["one", "word"]
    assert said["login"][0].startswith("AUTH LOGIN")
    assert base64.b64decode(said["login"][-1]) == b"word"
    digest = hmac.new(b"word", CHALLENGE, hashlib.md5).hexdigest()
    assert said["cram-md5"][0] == "AUTH CRAM-MD5"
    assert base64.b64decode(said["cram-md5"][1]).decode() == f"one {digest}"
    assert b"auth=Bearer word" in base64.b64decode(said["xoauth2"][0].split()[-1])
    with scripted(SMTP) as server, pages(config) as (engine, browser):
        apply(browser, to(server) | {"smtp.authentication": "none"})
        passed(engine, browser)
        assert "AUTH" not in server.session().verbs()


def test_the_security_is_how_the_line_is_kept(config, tmp_path):
    authority = Authority(tmp_path / "tls")
    set_mailbox(config, "101", {"smtp.ca_file": str(authority.ca_file)})
    context = authority.server_context()
    clear = sent(config, {}, tls=context)
    assert not clear.encrypted
    assert "STARTTLS" not in clear.verbs()
    upgraded = sent(config, {"smtp.security": "starttls"}, tls=context)
    assert upgraded.encrypted
    assert upgraded.verbs()[:3] == ["EHLO", "STARTTLS", "EHLO"]
    at_once = sent(config, {"smtp.security": "tls"}, tls=context, at_once=True)
    assert at_once.encrypted
    assert "STARTTLS" not in at_once.verbs()


def test_the_send_mode_and_the_switch_say_what_goes_out(config):
    with scripted(SMTP) as server, pages(config) as (engine, browser):
        apply(browser, to(server) | {"send_mode": "fax"})
        passed(engine, browser, "voice")
        assert server.sessions == []
        passed(engine, browser, "fax")
        assert b"fax-message" in server.session(0).body
        apply(browser, {"send_mode": "voice"})
        passed(engine, browser, "fax")
        assert len(server.sessions) == 1
        passed(engine, browser, "voice")
        assert b"voice-message" in server.session(1).body
        apply(browser, {"email_integration": "no"})
        passed(engine, browser, "voice")
        assert len(server.sessions) == 2
        apply(browser, {"email_integration": "yes"})
        passed(engine, browser, "voice")
        assert server.session(2).dotted


class Line:
    """A server of a line protocol: what each connection brought, in order."""

    def __init__(self, address: str, port: int, greeting: bytes, answers: Mapping[bytes, bytes]) -> None:
        self.said: list[bytes] = []
        self._greeting, self._answers = greeting, answers
        self._listener = socket.create_server((address, port))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                with sock, suppress(OSError):
                    sock.settimeout(20)
                    self._talk(sock)

    def _talk(self, sock: socket.socket) -> None:
        if self._greeting:
            sock.sendall(self._greeting)
        while data := sock.recv(4096):
            self.said += data.splitlines()
            if data.startswith(b"\x16\x03"):
                return
            for line in data.splitlines():
                sock.sendall(self._answer(line))

    def _answer(self, line: bytes) -> bytes:
        words = line.split() or [b""]
        tag = words[0] if self._greeting.startswith(b"*") else b""
        for word, answer in self._answers.items():
            if word in line.upper():
                return answer.replace(b"TAG", tag)
        return tag + b" NO not here\r\n" if tag else b"-ERR not here\r\n"


OFFERED = b"IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN AUTH=CRAM-MD5 AUTH=XOAUTH2 AUTH=OAUTHBEARER"
IMAP_GREETING = b"* OK [CAPABILITY " + OFFERED + b"] hello\r\n"
IMAP = {b"CRAM-MD5": b"+ " + base64.b64encode(CHALLENGE) + b"\r\n"}
POP_GREETING = b"+OK hello\r\n"
POP = {b"CAPA": b"+OK\r\nUSER\r\nSTLS\r\n.\r\n", b"USER": b"+OK\r\n", b"STLS": b"-ERR no\r\n"}
GREETINGS = {"smtp": (b"220 hello\r\n", {}), "imap4": (IMAP_GREETING, IMAP), "pop3": (POP_GREETING, POP)}


@contextmanager
def line(section: str, address: str = "127.0.0.1", port: int = 0) -> Iterator[Line]:
    server = Line(address, port, *GREETINGS[section])
    try:
        yield server
    finally:
        server.close()


def prepared(config: Path, section: str) -> None:
    """A mailbox whose tab has the section."""
    changes: dict[str, object] = {"sync_mode": "inbox", "protocol": "pop3" if section == "pop3" else "imap4"}
    for name in ("imap4", "pop3"):
        changes |= {f"{name}.{key}": value for key, value in {
            "server": "127.0.0.1", "port": 1, "security": "none", "account": "one", "password": "word",
        }.items()}  # fmt: skip
    set_mailbox(config, "101", changes)


@pytest.mark.parametrize("section", ["smtp", "imap4", "pop3"])
def test_server_and_port_are_where_one_goes(config, section):
    prepared(config, section)
    with ExitStack() as stack, pages(config) as (_, browser):
        first = stack.enter_context(line(section))
        other_server = stack.enter_context(line(section, "127.0.0.2", first.port))
        other_port = stack.enter_context(line(section, "127.0.0.2"))
        visited = []
        for changes in (
            {f"{section}.port": str(first.port)},
            {f"{section}.server": "127.0.0.2"},
            {f"{section}.port": str(other_port.port)},
        ):
            apply(browser, changes)
            tried(browser)
            visited.append([bool(server.said) for server in (first, other_server, other_port)])
    assert visited == [[True, False, False], [True, True, False], [True, True, True]]


def asked(config: Path, section: str, changes: Mapping[str, str]) -> list[bytes]:
    """What a server was told by Test, once the changes were applied on the page."""
    with line(section) as server, pages(config) as (_, browser):
        apply(browser, {f"{section}.port": str(server.port)} | changes)
        tried(browser)
        return server.said


@pytest.mark.parametrize(("section", "word"), [("imap4", b"STARTTLS"), ("pop3", b"STLS")])
def test_the_ssl_of_a_mail_server_is_how_the_line_is_kept(config, section, word):
    prepared(config, section)
    assert not any(word in said for said in asked(config, section, {f"{section}.security": "none"}))
    assert any(word in said for said in asked(config, section, {f"{section}.security": "starttls"}))
    # A TLS handshake begins with a record of type 22, version 3.x (RFC 8446 section 5.1).
    assert asked(config, section, {f"{section}.security": "tls"})[0].startswith(b"\x16\x03")


def test_the_imap4_account_password_and_authentication_are_how_one_logs_in(config):
    prepared(config, "imap4")

    def last(changes: Mapping[str, str]) -> list[bytes]:
        said = asked(config, "imap4", changes)
        return next(one for one in (re.split(rb" +", line, maxsplit=3) for line in said) if one[1] in LOGINS)

    login = {"imap4.account": "petera", "imap4.password": "first"}
    *_, method, given = last(login | {"imap4.authentication": "plain"})
    assert (method, base64.b64decode(given)) == (b"PLAIN", b"\0petera\0first")
    assert base64.b64decode(last({"imap4.password": "second"})[-1]) == b"\0petera\0second"
    assert base64.b64decode(last({"imap4.account": "paul"})[-1]) == b"\0paul\0second"
    assert last({"imap4.authentication": "login"})[1:] == [b"LOGIN", b"paul", b"second"] or last({})[1:] == [
        b"LOGIN", b'"paul"', b'"second"',
    ]  # fmt: skip
    *_, method, given = last({"imap4.authentication": "xoauth2"})
    assert (method, b"auth=Bearer second" in base64.b64decode(given)) == (b"XOAUTH2", True)
    *_, method, given = last({"imap4.authentication": "oauthbearer"})
    assert (method, b"auth=Bearer second" in base64.b64decode(given)) == (b"OAUTHBEARER", True)
    said = asked(config, "imap4", {"imap4.authentication": "cram-md5"})
    at = next(n for n, one in enumerate(said) if b"CRAM-MD5" in one)
    digest = hmac.new(b"second", CHALLENGE, hashlib.md5).hexdigest()
    assert base64.b64decode(said[at + 1]).decode() == f"paul {digest}"


LOGINS = {b"AUTHENTICATE", b"LOGIN"}


def test_the_pop3_account_and_password_are_how_one_logs_in(config):
    prepared(config, "pop3")
    said = asked(config, "pop3", {"pop3.account": "petera", "pop3.password": "first"})
    assert [one for one in said if one[:4] in {b"USER", b"PASS"}] == [b"USER petera", b"PASS first"]
    said = asked(config, "pop3", {"pop3.account": "paul"})
    assert [one for one in said if one[:4] in {b"USER", b"PASS"}] == [b"USER paul", b"PASS first"]
    said = asked(config, "pop3", {"pop3.password": "second"})
    assert [one for one in said if one[:4] in {b"USER", b"PASS"}] == [b"USER paul", b"PASS second"]


@pytest.fixture
def there(dovecot, proxy_to, tmp_path):
    """A world whose account is in Dovecot, with what is said to it."""
    from tests.support.world import world

    wire = proxy_to(dovecot.host, dovecot.imap_port, keep=True)
    imap4 = {"server": wire.host, "port": wire.port}
    with world(
        tmp_path, dovecot, imap4=imap4, smtp={"server": "127.0.0.1", "port": 1}, options={"delivery": "smtp"}
    ) as one:
        for folder in FOLDERS[1:]:
            one.mail.create(folder)
        yield one, wire


@contextmanager
def shown(engine: Engine, config: Path) -> Iterator[Browser]:
    from urllib.parse import urlsplit

    from syncengine.web.door import Access
    from syncengine.web.server import WebServer

    server = WebServer(engine, config, Access(), host="127.0.0.1", port=0)
    try:
        yield Browser(urlsplit(server.url).netloc)
    finally:
        server.stop()


@pytest.mark.server("dovecot")
def test_the_sync_mode_is_which_folders_are_looked_at(there):
    world, wire = there
    world.sync_ok()  # an account is seen whole at first
    opened = {}
    with shown(world.engine, world.config) as browser:
        for mode in ("inbox", "voice-mail-folder", "none", "all-folders"):
            apply(browser, {"sync_mode": mode})
            for folder in FOLDERS:
                world.mail.append(b"Subject: news\r\n\r\nnews\r\n", folder)
            wire.reset_counts()
            browser.get("/mailboxes/101")
            browser.post("/mailboxes/101/resync", {"how": "now"})
            opened[mode] = [name for name in FOLDERS if any(_opens(line, name) for line in wire.lines())]
    # What waits in INBOX for the rule that files it is looked at, too, where the voice folder is.
    assert opened == {
        "inbox": ["INBOX"],
        "voice-mail-folder": ["INBOX", "Voice Mail Messages"],
        "none": [],
        "all-folders": ["INBOX", "Voice Mail Messages", "Work"],
    }


FOLDERS = ("INBOX", "Voice Mail Messages", "Work")


def _opens(line: bytes, folder: str) -> bool:
    return re.search(rb'(SELECT|EXAMINE) "?' + folder.encode(), line) is not None


@pytest.mark.server("dovecot")
def test_the_search_mode_is_how_a_message_is_looked_for(there):
    world, wire = there
    with shown(world.engine, world.config) as browser:
        searched = {}
        for mode in ("header", "text"):
            apply(browser, {"imap4.search_mode": mode})
            wire.reset_counts()
            tried(browser)
            searched[mode] = [
                line for line in wire.lines() if b"SEARCH" in line and b"CAPABILITY" not in line
            ]
    assert all(b" HEADER " in line and b" TEXT " not in line for line in searched["header"])
    assert all(b" TEXT " in line and b" HEADER " not in line for line in searched["text"])
    assert searched["header"]
    assert searched["text"]


SHOWN_BY = {
    test_the_send_mode_and_the_switch_say_what_goes_out: ("email_integration", "send_mode"),
    test_the_sync_mode_is_which_folders_are_looked_at: ("sync_mode",),
    test_the_email_name_is_who_gets_it: ("email_name",),
    test_server_and_port_are_where_one_goes: [
        f"{section}.{key}" for section in GREETINGS for key in ("server", "port")
    ],
    test_the_domain_name_is_how_the_server_is_greeted: ("smtp.domain",),
    test_the_security_is_how_the_line_is_kept: ("smtp.security",),
    test_the_authentication_is_how_one_logs_in: ("smtp.authentication",),
    test_account_and_password_are_what_one_logs_in_with: ("smtp.account", "smtp.password"),
    test_the_ssl_of_a_mail_server_is_how_the_line_is_kept: ("imap4.security", "pop3.security"),
    test_the_imap4_account_password_and_authentication_are_how_one_logs_in: (
        "imap4.account", "imap4.password", "imap4.authentication",
    ),
    test_the_pop3_account_and_password_are_how_one_logs_in: ("pop3.account", "pop3.password"),
    test_the_search_mode_is_how_a_message_is_looked_for: ("imap4.search_mode",),
}  # fmt: skip


def test_no_field_of_the_tab_is_forgotten_here():
    every = {field.name for protocol in Protocol for field in email_tab(protocol)}
    assert {name for names in SHOWN_BY.values() for name in names} == every
