"""Finding messages by SEARCH: what is asked on the wire, and what is believed."""

from __future__ import annotations

import pytest

from syncengine.errors import FolderError
from syncengine.imap.search import ProcessMemory
from syncengine.model import Folder, SearchMode
from tests.contract.imap_kit import (
    DOMAIN,
    OWN,
    Line,
    Mail,
    MakeProxy,
    Open,
    View,
    mail,
    named,
    scripted_account,
    token,
)
from tests.contract.imap_script import Answer, scripted
from tests.support.base import Login, Server
from tests.support.dovecot import Dovecot
from tests.support.mailprogram import MailProgram


def searchable(server: Server, login: Login, program: MailProgram) -> None:
    """Ours, a reply that quotes it, a forward that holds it, a stripped one of ours, and a stranger's."""
    program.append(mail(1))
    program.append(
        f"From: x@example.org\r\nSubject: Re\r\nIn-Reply-To: <{token(1)}@{DOMAIN}>\r\n"
        f"Message-ID: <r@x>\r\n\r\n> Ref: {token(1)}\r\nRef: {token(1)}\r\n".encode()
    )
    program.append(
        f"From: {OWN}\r\nSubject: Fwd\r\nMessage-ID: <f@x>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee below\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n".encode()
        + mail(1)
        + b"\r\n--b--\r\n"
    )
    program.append(
        f"From: {OWN}\r\nSubject: V\r\nMessage-ID: <gateway@x>\r\n\r\nHello\r\nRef: {token(2)}\r\n".encode()
    )
    program.append(
        f"From: bad@example.org\r\nSubject: Voice\r\nMessage-ID: <s@x>\r\n\r\nRef: {token(3)}\r\n".encode()
    )
    program.append(mail(4))


def test_header_search_asks_for_the_header_and_never_for_text(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login, line = imap_server.new_user(), Line()
    searchable(imap_server, login, raw_client(imap_server, login))
    account = connect(imap_server, login, trace=line, search_mode=SearchMode.HEADER)
    hits = account.search(named(account, "INBOX"), [token(n) for n in (1, 2, 3, 4, 5)])
    assert [(mark, found.header.vm_uuid) for mark, found in sorted(hits)] == [
        (token(1), token(1)),
        (token(4), token(4)),
    ]
    asked = line.sent("UID SEARCH")
    assert len(asked) == 1
    assert b"HEADER X-VM-Message-UUID" in asked[0]
    assert b"TEXT" not in asked[0]


def test_text_search_asks_for_text_and_knows_a_stripped_mail_of_ours(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login, line = imap_server.new_user(), Line()
    searchable(imap_server, login, raw_client(imap_server, login))
    account = connect(imap_server, login, trace=line, search_mode=SearchMode.TEXT)
    hits = account.search(named(account, "INBOX"), [token(n) for n in (1, 2, 3, 4, 5)])
    assert sorted(mark for mark, _ in hits) == [token(1), token(2), token(4)]
    assert {found.header.message_id for mark, found in hits if mark == token(2)} == {"<gateway@x>"}
    assert not any(b"HEADER X-VM" in asked for asked in line.sent("UID SEARCH"))


def test_hundreds_of_tokens_are_asked_for_in_a_few_lines_below_eight_thousand_octets(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login, line = imap_server.new_user(), Line()
    raw_client(imap_server, login).append(mail(77))
    account = connect(imap_server, login, trace=line)
    hits = account.search(named(account, "INBOX"), [token(n) for n in range(120)])
    assert [mark for mark, _ in hits] == [token(77)]
    asked = line.sent("UID SEARCH")
    assert len(asked) == 3
    assert max(map(len, asked)) < 8_000


@pytest.mark.parametrize(
    "reply",
    [
        b"{tag} NO Server error\r\n",
        b"{tag} BAD Querying header is not supported\r\n",
        b"* SEARCH\r\n{tag} OK done\r\n",
    ],
)
def test_auto_finds_out_that_header_search_is_broken_and_remembers_it(
    dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy, reply: bytes
) -> None:
    login, memory = dovecot.new_user(), ProcessMemory()
    searchable(dovecot, login, raw_client(dovecot, login))
    proxy = proxy_to(dovecot.host, dovecot.imap_port, keep=True)
    proxy.answer(rb"UID SEARCH .*HEADER X-VM", reply)
    account = connect(proxy, login, memory=memory)
    View().observe(account)  # shows that a message with that header is there
    inbox = named(account, "INBOX")
    assert {mark for mark, _ in account.search(inbox, [token(1), token(2)])} == {token(1), token(2)}
    assert memory.header_search_broken(proxy.host)
    proxy.transcript.clear()
    assert connect(proxy, login, memory=memory).search(inbox, [token(2)])
    assert proxy.said(rb"SEARCH .*HEADER X-VM") == 0
    assert proxy.said(rb"SEARCH TEXT") == 1


def test_auto_stays_with_header_search_where_it_works(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login, memory, line = imap_server.new_user(), ProcessMemory(), Line()
    searchable(imap_server, login, raw_client(imap_server, login))
    account = connect(imap_server, login, memory=memory, trace=line)
    View().observe(account)
    assert account.search(named(account, "INBOX"), [token(5)]) == ()
    assert not memory.header_search_broken(imap_server.host)
    assert line.sent("SEARCH TEXT") == []


def test_header_mode_does_not_fall_back_but_says_what_to_do(
    dovecot: Dovecot, connect: Open, proxy_to: MakeProxy
) -> None:
    proxy = proxy_to(dovecot.host, dovecot.imap_port, keep=True)
    proxy.answer(rb"UID SEARCH .*HEADER X-VM", b"{tag} NO Server error\r\n")
    account = connect(proxy, dovecot.new_user(), search_mode=SearchMode.HEADER)
    with pytest.raises(FolderError, match="search_mode"):
        account.search(named(account, "INBOX"), [token(1)])
    assert proxy.said(rb"SEARCH TEXT") == 0


def test_gmail_is_asked_in_its_own_way() -> None:
    def answer(line: bytes) -> Answer:
        if line.startswith(b"AUTHENTICATE"):
            return b"%(tag)s OK [CAPABILITY IMAP4rev1 X-GM-EXT-1] in\r\n"
        if line.startswith(b"SELECT"):
            return b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 9]\r\n%(tag)s OK [READ-WRITE]\r\n"
        return b"* SEARCH\r\n%(tag)s OK\r\n"

    with scripted(answer) as server:
        account = scripted_account(server.port)
        assert account.search(Folder("INBOX", "/", frozenset()), [token(1), token(2)]) == ()
        account.close()
    asked = [line for line in server.lines if b"SEARCH" in line]
    query = f'"rfc822msgid:{token(1)}@{DOMAIN} OR rfc822msgid:{token(2)}@{DOMAIN}"'
    assert [line.split(b" ", 1)[1] for line in asked] == [b"UID SEARCH X-GM-RAW " + query.encode()]
