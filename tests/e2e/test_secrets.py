"""No password, token or key appears anywhere but where the operator wrote it.

Everything is run with every log and trace on, against servers that repeat what they were told; then
logs, traces, output, the database, recordings, figures and the process list are searched for every
planted secret, as it is and in the disguises in which protocols carry it.
"""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncengine.engine.clock import Clock
from syncengine.options.install import installation_key, key_file
from tests.support.base import HOST, Login, free_ports
from tests.support.commands import ran_apart
from tests.support.mailprogram import MailProgram
from tests.support.proxy import Proxy
from tests.support.smtp import smtp_front
from tests.support.waiting import eventually
from tests.support.world import NUMBER, World

SMTP_PASSWORD = "planted-smtp-7c31e0"


def disguises(secret: bytes) -> set[bytes]:
    """A secret as it is, and as base64 (wherever it stands in what is encoded), hex and URLs show it."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    found.add(urllib.parse.quote(secret).encode())
    for ahead in range(3):
        encoded = base64.b64encode(b"\0" * ahead + secret)
        found.add(encoded[(ahead * 8 + 5) // 6 : -4])
    return found


def holds(text: bytes, secrets: list[bytes]) -> list[bytes]:
    """Which disguises are in a text."""
    return [shape for secret in secrets for shape in disguises(secret) if shape in text]


class Planted:
    """A world whose secrets are known, with a proxy before each server."""

    def __init__(self, folder: Path, dovecot, imap: Proxy, smtp: Proxy, login: Login, how: str) -> None:
        self.imap, self.smtp = imap, smtp
        self.imap_secret = dovecot.token(login.user) if how == "xoauth2" else login.password
        self.world = World(
            folder,
            dovecot,
            login,
            MailProgram(dovecot, login),
            imap4={"server": imap.host, "port": imap.port, "password": self.imap_secret}
            | ({"authentication": "xoauth2"} if how == "xoauth2" else {}),
            smtp={
                "server": smtp.host,
                "port": smtp.port,
                "security": "none",
                "authentication": "plain",
                "account": login.address,
                "password": SMTP_PASSWORD,
            },
            options={"delivery": "smtp", "email_name": login.address},
            system={"allow_plaintext": True, "trace_level_override": True},
            sync={"command_timeout": "5s", "poll_interval": "1s"},
        )
        self.world.write()
        key = installation_key(self.world.config)
        self.secrets = [self.imap_secret.encode(), SMTP_PASSWORD.encode(), key.secret]
        self.seen: list[bytes] = []

    def ran(self, *words: str) -> None:
        """Run a command with everything said."""
        done = ran_apart("--config", self.world.config, *words)
        self.seen += [done.out.encode(), done.err.encode()]

    def tried(self) -> None:
        """The two commands that log in."""
        self.ran("resync", NUMBER, "-vv", "--json")
        self.ran("check", NUMBER, "-vv")

    def asked(self) -> None:
        """What an operator asks when something was wrong."""
        for words in (
            ("resync", NUMBER, "-vv", "--dry-run"),
            ("status", NUMBER, "-vv", "--json"),
            ("messages", NUMBER, "--json"),
            ("queue", "list", "--json"),
            ("mailbox", "show", NUMBER),
            ("mailbox", "show", NUMBER, "--json"),
            ("system", "show"),
        ):
            self.ran(*words)

    def files(self) -> Iterator[Path]:
        """Every file but the two that hold the secrets by the operator's will."""
        kept = {self.world.config, key_file(self.world.config)}
        yield from (p for p in self.world.folder.rglob("*") if p.is_file() and p not in kept)

    def evil(self) -> None:
        """Servers that refuse and repeat what they were told, in every way they can."""
        told = self.imap_secret.encode()
        sasl = base64.b64encode(b"\0user\0" + told)
        for reply in (
            b"{tag} NO [AUTHENTICATIONFAILED] wrong: LOGIN u %s (%s)\r\n" % (told, sasl),
            b"* BAD %s\r\n* BYE I do not like %s\r\n" % (told, told),
            b"{tag} BAD unknown argument %s\r\n" % told,
            b"%s is no response\r\n" % told,
        ):
            self.imap.answer(rb"LOGIN|AUTHENTICATE", reply)
            self.tried()
            self.imap.heal()
        smtp = base64.b64encode(b"\0%s\0%s" % (self.world.login.address.encode(), SMTP_PASSWORD.encode()))
        for code in (b"535 5.7.8", b"454 4.7.0", b"999"):
            self.world.deliver()
            self.smtp.answer(rb"AUTH", b"%s you said %s\r\n" % (code, smtp))
            self.tried()
            self.smtp.heal()


@pytest.fixture(params=["login", "xoauth2"])
def planted(request, dovecot, tmp_path, caplog) -> Iterator[Planted]:
    caplog.set_level(logging.DEBUG)
    login = dovecot.new_user()
    with (
        smtp_front(dovecot, password=SMTP_PASSWORD) as front,
        Proxy(dovecot.host, dovecot.imap_port) as imap,
        Proxy(front.host, front.port) as smtp,
    ):
        one = Planted(tmp_path, dovecot, imap, smtp, login, request.param)
        one.world.open()
        one.world.engine._clock = Clock()
        yield one
        one.world.engine.close()
        one.world.mail.close()


@contextmanager
def service(planted: Planted, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The service with every log and trace on."""
    words = ["run", "-vv", "--trace", NUMBER, "--metrics", f"{HOST}:{port}"]
    command = [sys.executable, "-m", "syncengine.cli.main", "--config", str(planted.world.config), *words]
    with (planted.world.folder / "run.log").open("ab") as out:
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(20)


def process_list(running: subprocess.Popen[bytes]) -> bytes:
    """What others see of a process: its command line (and never its secrets in what its children inherit)."""
    folder = Path("/proc") / str(running.pid)
    shown = [(folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()]
    for child in (folder / "task" / str(running.pid) / "children").read_text().split():
        shown.append((Path("/proc") / child / "cmdline").read_bytes())
    return b"\n".join(shown)


def test_no_secret_is_anywhere_but_where_the_operator_wrote_it(planted: Planted, caplog):
    there = planted.world
    (port,) = free_ports(1)
    with service(planted, port) as running:
        message = there.deliver()
        eventually(lambda: there.places(message))
        there.box.mark_heard(message)
        eventually(lambda: there.seen(message))
        planted.evil()
        planted.asked()
        planted.seen.append(process_list(running))
        for page in ("metrics", "readyz", "healthz"):
            with urllib.request.urlopen(f"http://{HOST}:{port}/{page}") as answer:
                planted.seen.append(answer.read())
    for report in (there.resync(), there.resync(full=True)):
        planted.seen.append(repr(report).encode())
    planted.seen += [caplog.text.encode(), repr(there.engine.settings).encode()]
    planted.seen += [repr(there.engine.status(NUMBER)).encode(), repr(there.engine.binding(NUMBER)).encode()]

    traced = (there.folder / "state" / "trace.log").read_bytes()
    assert b"UID" in traced
    assert b"you said" in b"".join(planted.seen)
    for text in planted.seen:
        assert not holds(text, planted.secrets), text[-3000:]
    for path in planted.files():
        assert not holds(path.read_bytes(), planted.secrets), path


def test_a_secret_would_be_found_in_every_disguise():
    secret = b"planted"
    for text in (secret, base64.b64encode(b"\0user\0" + secret + b"\1"), secret.hex().encode()):
        assert holds(b"before " + text + b" after", [secret])
    assert not holds(os.urandom(64).hex().encode(), [secret])
