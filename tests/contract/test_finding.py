"""The finding ladder on the wire: a message whose place was lost is searched for as the search mode says."""

from __future__ import annotations

import pytest

from tests.support.proxy import Proxy
from tests.support.world import World, world

pytestmark = pytest.mark.server("dovecot")

HEADER = rb"SEARCH .*HEADER X-VM-Message-UUID"
TEXT = rb"SEARCH .*TEXT "


@pytest.fixture
def wire(imap_server, proxy_to) -> Proxy:
    return proxy_to(imap_server.host, imap_server.imap_port, keep=True)


@pytest.fixture
def there(imap_server, wire, tmp_path, request):
    imap4 = {"server": wire.host, "port": wire.port, "search_mode": getattr(request, "param", "auto")}
    with world(tmp_path, imap_server, imap4=imap4) as one:
        yield one


def lose_the_sighting(there: World) -> None:
    """The index forgets where it saw the message, as a damaged one would; its cursors stay."""
    database = there.engine.index.database
    with database.write():
        database.execute("DELETE FROM sightings")


def find_again(there: World, wire: Proxy) -> str:
    message = there.arrived()
    there.quiet()
    lose_the_sighting(there)
    wire.transcript.clear()
    there.sync_ok()
    return message


@pytest.mark.parametrize("there", ["header"], indirect=True)
def test_mode_header_searches_by_header_and_never_by_text(there: World, wire: Proxy):
    message = find_again(there, wire)

    assert there.message(message).folder == "Voice Mail Messages"
    assert wire.said(HEADER)
    assert not wire.said(TEXT)


@pytest.mark.parametrize("there", ["text"], indirect=True)
def test_mode_text_searches_by_text_and_never_by_header(there: World, wire: Proxy):
    message = find_again(there, wire)

    assert there.message(message).folder == "Voice Mail Messages"
    assert wire.said(TEXT)
    assert not wire.said(HEADER)


def test_auto_goes_from_a_refused_header_search_to_text_and_remembers(there: World, wire: Proxy):
    wire.answer(HEADER, b"{tag} NO not supported\r\n", times=1000)
    message = find_again(there, wire)
    assert there.message(message).folder == "Voice Mail Messages"
    assert wire.said(HEADER)
    assert wire.said(TEXT)

    lose_the_sighting(there)
    there.reopen()
    wire.transcript.clear()
    there.sync_ok()
    assert there.message(message).folder == "Voice Mail Messages"
    assert not wire.said(HEADER)
    assert wire.said(TEXT)


def test_auto_goes_from_an_empty_header_search_to_text_and_remembers(there: World, wire: Proxy):
    wire.answer(HEADER, b"* SEARCH\r\n{tag} OK nothing\r\n", times=1000)
    message = find_again(there, wire)
    assert there.message(message).folder == "Voice Mail Messages"

    lose_the_sighting(there)
    there.reopen()
    wire.transcript.clear()
    there.sync_ok()
    assert there.message(message).folder == "Voice Mail Messages"
    assert not wire.said(HEADER)


@pytest.mark.parametrize("there", ["text"], indirect=True)
def test_a_mail_whose_fields_a_gateway_stripped_is_found_by_its_own_line(there: World, wire: Proxy):
    message = there.arrived()
    folder, uid = there.place(message)
    raw = there.mail.read(uid, folder)
    head, _, body = raw.partition(b"\r\n\r\n")
    kept = [
        ln
        for ln in head.split(b"\r\n")
        if not ln.lower().startswith((b"x-vm-", b"message-id", b"references"))
    ]
    there.mail.expunge(uid, folder)
    there.mail.append(b"\r\n".join(kept) + b"\r\n\r\n" + body, "INBOX")
    there.sync_ok()

    assert there.message(message).folder == "INBOX"
    assert not there.message(message).deleted
    there.quiet()


def test_a_known_place_needs_no_search_at_all(there: World, wire: Proxy):
    message = there.arrived()
    there.move(message, "Work")
    there.sync_ok()

    assert there.message(message).folder == "Work"
    assert not wire.said(rb"SEARCH .*(HEADER|TEXT)")
