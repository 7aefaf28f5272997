"""Whole sessions against a server that says anything: each ends in a result or in one of our own errors."""

from __future__ import annotations

from functools import partial

from syncengine.delivery.account import Pop3Settings, SmtpSettings
from syncengine.delivery.pop3 import delete_by_token
from syncengine.delivery.smtp import attempt
from syncengine.errors import MailboxError, SyncError
from syncengine.imap.replica import ImapAccount
from syncengine.imap.settings import AccountSettings
from syncengine.model import Security, token_of
from syncengine.rules.identity import recognise
from syncengine.rules.replies import Result
from tests.fuzz.babble import babbling

TOKEN = token_of("1" * 32)
OURS = partial(recognise, domain="pbx.example.com", mailbox="101", own_addresses=["u@example.com"])
SECRET = "hunter2-and-more"
MAIL = b"Subject: x\r\n\r\nhello\r\n"


def one_line(error: Exception) -> None:
    """An error is one line and holds no secret."""
    text = str(error)
    assert len(text.splitlines()) <= 1, text
    assert SECRET not in text, text


def imap(octets: bytes) -> int:
    """Log in, list, look at folders, search; how many messages were seen."""
    seen = 0
    with babbling(octets) as (host, port):
        settings = AccountSettings(
            host=host, port=port, security=Security.NONE, account="u", secret=lambda: SECRET, timeout=5.0
        )
        account = ImapAccount(settings, recognise=OURS)
        try:
            for folder in account.folders()[:3]:
                for delta in account.observe(folder, None, []):
                    assert all(0 < found.place.uid < 2**32 for found in delta.found)
                    seen += len(delta.found)
                account.search(folder, [TOKEN])
        except SyncError as error:
            one_line(error)
        finally:
            account.close()
    return seen


def smtp(octets: bytes) -> Result:
    """Send one message."""
    with babbling(octets) as (host, port):
        given = SmtpSettings(
            server=host,
            port=port,
            mail_from="u@example.com",
            helo_name="pbx.example.com",
            security=Security.NONE,
            timeout=5,
            final_timeout=5,
        )
        tried = attempt(
            MAIL,
            None,
            ("u@example.com",),
            given,
            token=TOKEN,
            on_data=lambda _: None,
            on_progress=lambda: None,
        )
    assert tried.last_reply.isprintable()
    assert len(tried.last_reply) < 2000
    return tried.result


def pop3(octets: bytes) -> int:
    """Try to delete one message; how many were looked at."""
    with babbling(octets) as (host, port):
        given = Pop3Settings(
            server=host, port=port, account="u", password=SECRET, security=Security.NONE, timeout=5
        )
        try:
            result = delete_by_token(given, TOKEN, uidl_cache={}, search_limit=20, recognise=OURS)
        except MailboxError as error:
            one_line(error)
            return 0
    assert len(result.seen) <= 20
    return len(result.seen)
