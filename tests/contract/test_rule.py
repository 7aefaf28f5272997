"""The subscriber's own rule on the server, as docs/clients.md prints it, run by Dovecot's Sieve."""

from __future__ import annotations

import os
import shutil
import smtplib
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dovecot import Dovecot, has_sieve
from tests.support.dovecot import start as start_dovecot
from tests.support.sending import sending
from tests.support.smtp import smtp_front
from tests.support.world import World

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
FOLDER = "Voice Mail Messages"
SIEVE = """\
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
}
"""


@pytest.fixture(scope="module")
def server(authority) -> Iterator[Dovecot]:
    """A Dovecot that runs its users' rules."""
    if not has_sieve():
        reason = "Dovecot's Sieve is not installed; `make servers` installs it"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with start_dovecot(authority, extra=SIEVE) as one:
        yield one


@pytest.fixture(params=["all-folders", "voice-mail-folder"])
def there(server, tmp_path, request) -> Iterator[World]:
    """A subscriber with the rule, before anything was ever sent."""
    with (
        smtp_front(server) as front,
        sending(tmp_path, server, front, options={"sync_mode": request.param}) as one,
    ):
        owner = (server.state / "mail").stat()
        home = server.state / "mail" / one.login.user
        home.mkdir(exist_ok=True)
        (home / ".dovecot.sieve").write_text(rule(), encoding="utf-8")
        for path in (home, home / ".dovecot.sieve"):
            shutil.chown(path, owner.st_uid, owner.st_gid)
        yield one


def rule() -> str:
    """The rule of the page."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("    require ["))
    end = next(number for number, line in enumerate(lines[begin:], begin) if not line.startswith("    "))
    return textwrap.dedent("\n".join([*lines[begin:end], ""]))


def test_the_rule_files_it_and_everything_goes_both_ways(there: World):
    heard, listened, thrown, erased = (there.deliver() for _ in range(4))
    there.sync_ok()
    assert [there.place(m)[0] for m in (heard, listened, thrown, erased)] == [FOLDER] * 4
    there.sync_ok()
    for message in there.box.messages():
        assert (message.delivery, message.folder, message.error) == ("confirmed", FOLDER, None)

    there.flag(heard, "\\Seen")
    there.box.mark_heard(listened)
    there.move(thrown, "Trash")
    there.box.delete(erased)
    there.sync_ok()
    assert there.message(heard).heard
    assert there.seen(listened)
    assert there.message(thrown).deleted
    assert there.place(erased)[0] == "Trash"
    there.quiet()


def test_other_mail_stays_where_it_is(there: World, server: Dovecot):
    with smtplib.LMTP(server.host, server.lmtp_port or 0) as lmtp:
        lmtp.sendmail("a@example.com", [there.login.user], b"Subject: hello\r\n\r\nhello\r\n")
    assert len(there.mail.uids()) == 1
