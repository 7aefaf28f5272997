"""Real mails on a real server: listed, fetched in parts and read aloud, as if the whole mail were at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.speech import reader
from syncengine.speech.message import of_message
from tests.contract.test_aloud import Tape
from tests.contract.test_emails import ALOUD, emails
from tests.support.corpus import real_mails
from tests.support.world import World, world

READ_OTHERWISE = {"msg_14", "msg_15", "msg_19", "msg_38", "msg_39", "mail_malformed_1"}
"""Mails so broken that Dovecot finds other parts in them than Python's parser does."""


@pytest.fixture
def there(imap_server, tmp_path):
    with world(tmp_path, imap_server, system=ALOUD) as one:
        yield one


def sent(there: World) -> dict[str, tuple[Path, bytes]]:
    """Real mails in the account, a hundred at most, as many as a caller is offered; by their subjects."""
    found = {}
    for number, path in enumerate(real_mails()[:100]):
        octets = path.read_bytes().replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        octets = b"Subject: mail %d\r\n" % number + octets
        there.mail.append(octets)
        found[f"mail {number}"] = path, octets
    return found


@pytest.mark.server("dovecot")
def test_every_real_mail_is_listed_and_read(there: World):
    mails = sent(there)
    there.sync_ok()
    there.quiet()
    assert len(emails(there)) == len(mails) > 50

    tape, others = Tape(), set()
    with there.box.mail_session(tape) as session:
        assert len(session.items) == len(mails)
        while (item := session.skip()) is not None:
            path, octets = mails[item.envelope.subject]
            for _ in iter(session.next_sentence, None):
                pass
            read = [sentence.text for sentence in reader.sentences(of_message(octets), "en")]
            if tape.said[-len(read) :] != read:
                others.add(path.stem)
            assert len(tape.said) > 3
            tape.said.clear()
        assert all(item.heard for item in session.items)
    assert others <= READ_OTHERWISE
