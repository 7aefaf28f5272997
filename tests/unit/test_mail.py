"""The mail of a voice or fax message, octet by octet."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.delivery.call import Call
from syncengine.delivery.compose import Attachment, Envelope, Notice, compose
from syncengine.delivery.fields import AddressRefused, clean
from syncengine.model import Kind, LocalMessage, State, Token
from syncengine.rules.identity import authentic, body_ref, parse_header_block, recognise

TOKEN = Token("vm-6f1d2c9a4b7e4d0e9a3c5b8f7e6d1a20-z")
WAV = Attachment(data=bytes(range(256)) * 5, extension="wav", media_type="audio/wav")
FAX = (
    Attachment(data=b"II*\0", extension="tif", media_type="image/tiff; application=faxbw"),
    Attachment(data=b"%PDF-1.4", extension="pdf", media_type="application/pdf"),
)
VOICE = LocalMessage(
    ref="1",
    token=TOKEN,
    mailbox="101",
    kind=Kind.VOICE,
    state=State.NEW,
    received=datetime(2026, 11, 23, 15, 15, tzinfo=UTC),
    caller_number="+1 203 555 0117",
    caller_name="Peter Adams",
    duration=11.2,
)
TO_PETER = Envelope(
    sender="petera@ctlinc.example",
    recipient="petera@ctlinc.example",
    domain="pbx.example.com",
    system_id="5f0c",
    secret=b"secret",
    zone=ZoneInfo("America/New_York"),
)

PIECES = (
    *("\r\n", "\n", "\r", "\0", "\t", " ", "\x85", "\x0b", "\ufeff", "\u2028", "\u202e", "\ud800"),
    *("=?utf-8?q?a?=", "=?", "?=", "Bcc: x@y", "<a@b>", '"', "\\", ",", ";", ":", "(", ")"),
    *("\U0001f600", "ü", "Имя", "x" * 90),
)
hostile = st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def head_of(wire: bytes) -> bytes:
    return wire.partition(b"\r\n\r\n")[0] + b"\r\n"


def parsed(wire: bytes) -> EmailMessage:
    message = email.message_from_bytes(wire, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def field_names(wire: bytes) -> list[str]:
    return [m[1].decode() for m in re.finditer(rb"^([A-Za-z-]+):", head_of(wire), re.MULTILINE)]


def test_a_voice_message_carries_exactly_the_fields_of_the_voice_form() -> None:
    """Every field is on the wire as Outlook, rules and the search need it."""
    wire = compose(VOICE, [WAV], TO_PETER)

    lines = head_of(wire).decode("ascii").split("\r\n")
    auth = next(line for line in lines if line.startswith("X-VM-Auth: "))
    boundary = next(line for line in lines if line.startswith("Content-Type: "))
    assert lines == [
        'From: "Peter Adams (voice mail)" <petera@ctlinc.example>',
        "To: petera@ctlinc.example",
        "Date: Mon, 23 Nov 2026 10:15:00 -0500",
        "Subject: Voice message from Peter Adams, +1 203 555 0117 (0:11)",
        "Importance: normal",
        'List-Id: "Voice Mail" <voicemail.pbx.example.com>',
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        f"Message-ID: <{TOKEN}@pbx.example.com>",
        f"References: <{TOKEN}@thread.pbx.example.com>",
        f"X-VM-Message-UUID: {TOKEN}",
        "X-VM-Mailbox: mb-101-z",
        "X-VM-Type: voice",
        "X-VM-System: 5f0c",
        auth,
        f"X-CallID: {TOKEN}",
        "Message-Context: voice-message",
        "Content-Class: voice-ca",
        "X-AttachmentOrder: voicemail-20261123-101500.wav",
        "X-CallingTelephoneNumber: +12035550117",
        "X-VoiceMessageSenderName: Peter Adams",
        "X-VoiceMessageDuration: 11",
        "MIME-Version: 1.0",
        boundary,
        "",
    ]


def test_the_sound_part_is_a_voice_message_with_its_length() -> None:
    """RFC 3803 and the `voice` parameter of RFC 2421 stand on the sound part, which decodes."""
    text, sound = parsed(compose(VOICE, [WAV], TO_PETER)).iter_parts()

    assert text.get_content_type() == "text/plain"
    assert sound["Content-Type"] == 'audio/wav; name="voicemail-20261123-101500.wav"'
    assert sound["Content-Disposition"].params["voice"] == "Voice-Message"
    assert sound.get_filename() == "voicemail-20261123-101500.wav"
    assert sound["Content-Duration"] == "11"
    assert sound["Content-ID"] == f"<{TOKEN}.1@pbx.example.com>"
    assert sound.get_content() == WAV.data


def test_a_fax_goes_as_tiff_and_pdf_with_its_pages() -> None:
    """Browsers cannot show TIFF, fax programs want it: both go."""
    fax = replace(VOICE, kind=Kind.FAX, duration=None, pages=3, caller_name="")

    wire = compose(fax, FAX, TO_PETER)

    mail = parsed(wire)
    assert mail["Subject"] == "Fax from +1 203 555 0117, 3 pages"
    assert (mail["Message-Context"], mail["Content-Class"]) == ("fax-message", "fax-ca")
    assert mail["X-FaxNumberOfPages"] == "3"
    assert mail["X-AttachmentOrder"] == "fax-20261123-101500.tif"
    for line in (
        'image/tiff; application=faxbw; name="fax-20261123-101500.tif"',
        'application/pdf; name="fax-20261123-101500.pdf"',
    ):
        assert f"\r\nContent-Type: {line}\r\n".encode() in wire
    assert [part.get_content() for part in mail.iter_parts()][1:] == [file.data for file in FAX]
    assert not {"X-VoiceMessageDuration", "X-VoiceMessageSenderName"} & set(field_names(wire))


def test_urgent_private_and_reply_to_are_said() -> None:
    """What the caller chose is shown by mail programs; Reply-To stands only where it is known."""
    wire = compose(
        replace(VOICE, urgent=True, private=True), [WAV], replace(TO_PETER, reply_to="jane@ctlinc.example")
    )

    for line in ("Importance: high", "X-Priority: 1", "Priority: urgent", "Sensitivity: private"):
        assert f"\r\n{line}\r\n".encode() in wire
    assert b"\r\nReply-To: jane@ctlinc.example\r\n" in wire
    assert b"Reply-To" not in compose(VOICE, [WAV], TO_PETER)


@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_says_why_there_is_no_recording_and_asks_for_no_form(notice: Notice) -> None:
    """Outlook's form without a recording would show a dead player."""
    wire = compose(VOICE, notice, TO_PETER)

    (text,) = parsed(wire).iter_parts()
    assert notice.value in text.get_content()
    assert not {"Content-Class", "X-AttachmentOrder"} & set(field_names(wire))
    assert body_ref(text.get_content()) == TOKEN


def test_a_message_put_back_has_its_own_message_id_and_the_same_thread() -> None:
    """A server that drops duplicates by Message-ID would drop the message that is put back."""
    mail = parsed(compose(VOICE, [WAV], replace(TO_PETER, copy=2)))

    assert mail["Message-ID"] == f"<{TOKEN}.2@pbx.example.com>"
    assert mail["References"] == f"<{TOKEN}@thread.pbx.example.com>"
    assert mail["X-VM-Message-UUID"] == TOKEN


def test_identifiers_are_never_folded_however_long_the_domain() -> None:
    """A folded or encoded id is no longer found."""
    domain = ".".join(["x" * 60] * 4)

    wire = compose(VOICE, [WAV], replace(TO_PETER, domain=domain))

    assert f"\r\nMessage-ID: <{TOKEN}@{domain}>\r\n".encode() in wire
    assert f"\r\nReferences: <{TOKEN}@thread.{domain}>\r\n".encode() in wire


def test_the_date_is_the_time_of_the_call_in_the_zone_of_the_mailbox() -> None:
    """Not the time of sending, and not the server's zone; odd offsets are cut to minutes (RFC 5322)."""
    vienna = replace(TO_PETER, zone=ZoneInfo("Europe/Vienna"))
    odd = replace(TO_PETER, zone=timezone(timedelta(hours=2, seconds=59)))

    assert parsed(compose(VOICE, [WAV], vienna))["Date"] == "Mon, 23 Nov 2026 16:15:00 +0100"
    assert b"Date: Mon, 23 Nov 2026 17:15:00 +0200\r\n" in compose(VOICE, [WAV], odd)
    assert b"Date: Mon, 23 Nov 2026 15:15:00 +0000\r\n" in compose(VOICE, [WAV], replace(TO_PETER, zone=None))


def test_a_clock_at_the_end_of_time_still_gives_a_mail() -> None:
    """A caller's server may have any clock."""
    late = replace(VOICE, received=datetime.max.replace(tzinfo=UTC))

    assert b"Dec 9999" in compose(late, [WAV], replace(TO_PETER, zone=ZoneInfo("Asia/Tokyo")))


@pytest.mark.parametrize(("name", "ascii_name"), [("Jürgen Åström", "Jurgen Astrom"), ("Имя", None)])
def test_a_name_outside_ascii_is_complete_and_leaves_the_ref_line_alone(
    name: str, ascii_name: str | None
) -> None:
    """The first part stays 7bit, for the search of the text; the second holds the name as it is."""
    mail = parsed(compose(replace(VOICE, caller_name=name), [WAV], TO_PETER))

    first, second, _sound = mail.iter_parts()
    assert first["Content-Transfer-Encoding"] == "7bit"
    assert first.get_content_charset() == "us-ascii"
    assert f"\r\nRef: {TOKEN}\r\n" in first.get_content()
    assert (f"From:     {ascii_name}\r\n" in first.get_content()) is (ascii_name is not None)
    assert second.get_content() == f"From:     {name}, +1 203 555 0117\r\n"
    assert mail["Subject"] == f"Voice message from {name}, +1 203 555 0117 (0:11)"
    assert mail["From"].addresses[0].display_name == f"{name} (voice mail)"
    assert mail["X-VoiceMessageSenderName"] == name


def test_a_caller_without_name_and_number_is_unknown() -> None:
    """No empty field is written: some servers do not find a message by a field without a value."""
    wire = compose(replace(VOICE, caller_name="", caller_number="", duration=None), [WAV], TO_PETER)

    assert parsed(wire)["Subject"] == "Voice message from unknown caller"
    assert not {"X-CallingTelephoneNumber", "X-VoiceMessageSenderName", "X-VoiceMessageDuration"} & set(
        field_names(wire)
    )


@pytest.mark.parametrize("duration", [float("nan"), float("inf"), -1.0, 1e300])
def test_an_impossible_duration_is_left_out(duration: float) -> None:
    """RFC 3803 allows ten digits."""
    assert b"Duration" not in compose(replace(VOICE, duration=duration), [WAV], TO_PETER)


@pytest.mark.parametrize(
    "address",
    ["", "petera", "a@b\r\nBcc: c@d", "a b@c.example", "<a@b>", "ü@b.example", "a@b,c@d", "a@", "a@b..c"],
)
def test_what_is_no_address_is_refused_in_one_line(address: str) -> None:
    """An address comes from the options; a wrong one must be told, not sent."""
    for envelope in (replace(TO_PETER, recipient=address), replace(TO_PETER, sender=address)):
        with pytest.raises(AddressRefused) as error:
            compose(VOICE, [WAV], envelope)
        assert "\n" not in str(error.value)


def test_a_domain_outside_ascii_is_written_in_idna() -> None:
    """Servers without SMTPUTF8 take it."""
    wire = compose(VOICE, [WAV], replace(TO_PETER, recipient="petera@bücher.example"))

    assert b"To: petera@xn--bcher-kva.example\r\n" in wire


def test_the_same_message_gives_the_same_octets() -> None:
    """A repeated attempt is the same mail to every server that drops duplicates."""
    assert compose(VOICE, [WAV], TO_PETER) == compose(replace(VOICE), [replace(WAV)], replace(TO_PETER))


@pytest.mark.parametrize("token", ["", "vm-1-z", TOKEN + "\r\nBcc: x@y"])
def test_what_is_no_token_is_refused(token: str) -> None:
    """The token stands in fields and the boundary as it is."""
    with pytest.raises(ValueError, match="token"):
        compose(replace(VOICE, token=Token(token)), [WAV], TO_PETER)


@given(name=hostile, number=hostile, mailbox=hostile, kind=st.sampled_from([Kind.VOICE, Kind.FAX]))
def test_no_name_or_number_adds_ends_or_changes_a_field(
    name: str, number: str, mailbox: str, kind: Kind
) -> None:
    """Whatever a caller is called, the mail has its own fields and parts, and is found again."""
    message = replace(VOICE, caller_name=name, caller_number=number, mailbox=mailbox, kind=kind)
    plain = replace(VOICE, kind=kind)

    wire = compose(message, [WAV], TO_PETER)

    assert wire.isascii()
    assert b"\0" not in wire
    lines = wire.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert set(field_names(wire)) <= set(field_names(compose(plain, [WAV], TO_PETER)))
    assert len(set(field_names(wire))) == len(field_names(wire))

    mail = parsed(wire)
    assert not mail.defects
    assert mail["To"] == "petera@ctlinc.example"
    (sender,) = mail["From"].addresses
    assert sender.addr_spec == "petera@ctlinc.example"
    assert (mail["X-CallingTelephoneNumber"] is None) or clean(number)
    first, *others = mail.iter_parts()
    assert first["Content-Transfer-Encoding"] == "7bit"
    assert body_ref(first.get_content()) == TOKEN
    assert others[-1].get_content() == WAV.data

    header = parse_header_block(head_of(wire))
    assert (
        recognise(header, domain="pbx.example.com", mailbox=mailbox, own_addresses=["petera@ctlinc.example"])
        == TOKEN
    )
    assert authentic(header, secret=b"secret", system_id="5f0c", mailbox=mailbox)


def test_a_long_word_does_not_begin_with_the_blank_of_a_fold() -> None:
    """A reader would take the blank after the colon and the fold for a part of the name."""
    wire = compose(replace(VOICE, caller_name="x" * 300), [WAV], TO_PETER)

    assert b"\r\nX-VoiceMessageSenderName: " + b"x" * 77 + b"...\r\n" in wire


@given(name=hostile)
def test_the_subject_decodes_to_the_cleaned_name(name: str) -> None:
    """What looks like an encoded word is shown, not decoded; lists show the same subject as the mail."""
    message = replace(VOICE, caller_name=name)
    mail = parsed(compose(message, [WAV], TO_PETER))

    shown = clean(name)
    expected = f"{shown}, +1 203 555 0117" if shown and shown != "+1 203 555 0117" else "+1 203 555 0117"
    assert str(mail["Subject"]) == f"Voice message from {expected} (0:11)" == Call.of(message).subject
