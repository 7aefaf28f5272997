"""A long reading says how far it has come; a short one says nothing."""

from __future__ import annotations

from pathlib import Path

from syncengine.engine.events import Event, Reading
from tests.support.dovecot import Dovecot
from tests.support.world import NUMBER, world


def test_a_first_look_at_many_messages_tells_how_far_it_is(dovecot: Dovecot, tmp_path: Path):
    mail = b"Subject: hello\r\n\r\nhello\r\n"
    with world(tmp_path, dovecot) as there:
        heard: list[Event] = []
        there.engine.subscribe(heard.append)
        there.mail.create("Work")
        there.mail.client.multiappend("INBOX", [mail] * 1000)
        there.mail.append(mail, "Work")
        there.sync_ok()
        told = [event for event in heard if isinstance(event, Reading)]
        assert Reading(NUMBER, "INBOX", 0, 1001) in told
        assert Reading(NUMBER, "Work", 1000, 1001) in told
        assert [event.done for event in told] == sorted(event.done for event in told)

        heard.clear()
        there.arrived()
        there.quiet()
        assert not [event for event in heard if isinstance(event, Reading)]
