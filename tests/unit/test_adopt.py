"""Reading a mail that is to be adopted: only ours, only what decodes, and nothing that breaks the reader."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncengine.delivery.compose import Attachment, Envelope, compose
from syncengine.engine.adopt import Adopter, NotAdopted
from syncengine.engine.media import media_of
from syncengine.errors import SyncError
from syncengine.model import Kind, LocalMessage, State, Token
from tests.support.world import wav

SECRET = b"k" * 32
TOKEN = Token("vm-" + "a" * 32 + "-z")


def mail(**how: object) -> bytes:
    message = LocalMessage(
        ref="",
        token=TOKEN,
        mailbox="101",
        kind=Kind.VOICE,
        state=State.NEW,
        received=datetime(2026, 11, 23, 15, 15, tzinfo=UTC),
        **({"caller_number": "+12035550117", "caller_name": "Zoë", "duration": 2.0, "urgent": True} | how),
    )
    envelope = Envelope("a@example.com", "a@example.com", "pbx.example.com", "system", SECRET)
    return compose(message, [Attachment(wav(), "wav", "audio/wav")], envelope)


def adopter(mailbox: str = "101", secret: bytes = SECRET) -> Adopter:
    nothing = None
    return Adopter(
        nothing, 0, nothing, nothing, mailbox, secret, "system", lambda d, k: media_of(d, "", k).media_type
    )


def test_what_was_composed_is_read_back():
    message, content = adopter().read(mail(), TOKEN, heard=True)

    assert content == wav()
    assert (message.state, message.caller_name, message.urgent) == (State.HEARD, "Zoë", True)
    assert message.received == datetime(2026, 11, 23, 15, 15, tzinfo=UTC)


@pytest.mark.parametrize(("mailbox", "secret"), [("102", SECRET), ("101", b"x" * 32)])
def test_without_this_installations_key_for_this_mailbox_nothing_is_adopted(mailbox, secret):
    with pytest.raises(NotAdopted, match="key"):
        adopter(mailbox, secret).read(mail(), TOKEN, heard=False)


def test_a_mail_of_endless_parts_is_refused_and_breaks_nothing():
    head, _, _ = mail().partition(b"\r\n\r\n")
    head = head.split(b"\r\nContent-Type")[0]
    nested = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(3000)
    )
    with pytest.raises(NotAdopted, match="parts"):
        adopter().read(head + b"\r\n" + nested, TOKEN, heard=False)


def test_a_recording_that_does_not_decode_is_not_adopted():
    broken = mail().replace(b"UklGR", b"AAAAA")
    with pytest.raises(SyncError):
        adopter().read(broken, TOKEN, heard=False)
