"""Every reader of foreign octets, what it may raise, and what must hold of what it gives.

A target takes octets and raises nothing: what it lets out is a fault of the reader. Each has a few
good examples, from which the bad ones are made.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from syncengine.delivery.compose import Attachment, Envelope, compose
from syncengine.delivery.dsn import failures
from syncengine.engine.adopt import Adopter
from syncengine.engine.media import media_of
from syncengine.errors import SyncError
from syncengine.imap.bulk import fetches
from syncengine.imap.commands import Untagged
from syncengine.imap.errors import WireError
from syncengine.imap.responses import Fetch, ServerBye
from syncengine.imap.texts import own_text
from syncengine.imap.tokens import tokenize
from syncengine.imap.uidset import UidSet, in_order
from syncengine.imap.wire import completion, parse
from syncengine.model import Kind, LocalMessage, State
from syncengine.options.files import load
from syncengine.options.problems import InvalidOptions
from syncengine.options.vmconfig import parse_table
from syncengine.rules.identity import MAX_VALUE, HeaderFields, authentic, parse_header_block
from syncengine.speech import reader
from syncengine.speech.bodystructure import of_bodystructure
from syncengine.speech.message import of_message
from syncengine.speech.structure import MAX_TEXTS
from syncengine.voicemail.asterisk.conf import includes_of, read_conf
from syncengine.voicemail.asterisk.info import parse_info
from syncengine.voicemail.audio import convert
from syncengine.voicemail.fax import MAX_PAGES, NotFax, prepare_fax
from syncengine.voicemail.recording import NotSound
from tests.fuzz import sessions
from tests.support.asterisk import description
from tests.support.bounce import bounce
from tests.support.world import RECEIVED, wav

KEY = b"k" * 32
WORDS = 4
"""Octets beyond which a value may not grow for one octet of input, where it is not bounded otherwise."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader: ``check`` fails on what it must not do; ``seeds`` are octets that it takes."""

    check: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def imap_line(octets: bytes) -> None:
    """One response, and one completion."""
    lines = octets.split(b"\n")
    parts = lines if len(lines) % 2 else lines[:-1]
    with suppress(WireError, ServerBye):
        untagged = Untagged()
        untagged.take(parse(parts))
        assert untagged.weight <= 1 + len(octets)
    completion(lines[0])


def imap_bulk(octets: bytes) -> None:
    """What is read in bulk is what is read one by one."""
    found, size, _ = fetches(octets)
    assert size <= len(octets)
    at = 0
    for fetch in found:
        line, _, rest = octets[at:size].partition(b"\r\n")
        parts = [line]
        if line.endswith(b"}"):
            length = int(line[line.rindex(b"{") + 1 : -1])
            tail, _, _ = rest[length:].partition(b"\r\n")
            parts += [rest[:length], tail]
            at += length + len(tail) + 2
        at += len(line) + 2
        alone = parse(parts)
        assert isinstance(alone, Fetch)
        assert (alone.uid, alone.flags, alone.modseq) == (fetch.uid, fetch.flags, fetch.modseq)


def uid_set(octets: bytes) -> None:
    """A set of UIDs, written and read again; it is never counted out."""
    with suppress(WireError):
        found = UidSet.parse(octets)
        if found:
            assert UidSet.parse(str(found).encode()) == found
        assert len(found.members(limit=1000)) <= 1000
        assert len(in_order(octets, limit=1000)) <= 1000


def header_block(octets: bytes) -> None:
    """The header fields by which a message of ours is known."""
    header = parse_header_block(octets)
    for name in HeaderFields.__slots__:
        value = getattr(header, name)
        assert len(value) <= MAX_VALUE
        assert value.isprintable()
    sessions.OURS(header)
    assert not authentic(header, secret=b"another", system_id="5f0c", mailbox="101")


def text_of_ours(octets: bytes) -> None:
    """The text part in which a stripped mail says whose it is."""
    assert len(own_text(octets)) <= WORDS * len(octets) + 4


def mail_aloud(octets: bytes) -> None:
    """A mail that is read aloud."""
    spoken = list(reader.sentences(of_message(octets), "en"))
    assert sum(len(sentence.text) for sentence in spoken) < reader.MAX_SPOKEN + 1000
    assert all(sentence.text.isprintable() for sentence in spoken)


def structure(octets: bytes) -> None:
    """What BODYSTRUCTURE says."""
    try:
        values = tokenize([octets])
    except WireError:
        return
    assert len(of_bodystructure(values[0] if values else None).texts) <= MAX_TEXTS


def delivery_report(octets: bytes) -> None:
    """A delivery status notification."""
    for failure in failures(octets):
        assert failure.reason.isprintable()
        assert len(failure.reason) < 1000


def adoption(octets: bytes) -> None:
    """A mail that may be adopted: only what carries our key is, and only what decodes."""
    nothing = None
    adopter = Adopter(
        nothing,  # type: ignore[arg-type]
        0,
        nothing,  # type: ignore[arg-type]
        nothing,  # type: ignore[arg-type]
        "101",
        KEY,
        "system",
        lambda data, kind: media_of(data, "", kind).media_type,
    )
    try:
        message, content = adopter.read(octets, sessions.TOKEN, heard=False)
    except SyncError as error:
        sessions.one_line(error)
    else:
        assert message.mailbox == "101"
        assert len(content) <= len(octets)


def sound(octets: bytes) -> None:
    """A recording, by its content and by its name."""
    for name in ("x.wav", "x.gsm"):
        try:
            converted = convert(octets, name, "ulaw-wav")
        except NotSound as error:
            sessions.one_line(error)
        else:
            assert len(converted.data) <= 4096 + 100 * len(octets)


def fax(octets: bytes) -> None:
    """A fax."""
    try:
        prepared = prepare_fax(octets)
    except NotFax as error:
        sessions.one_line(error)
    else:
        assert 1 <= prepared.pages <= MAX_PAGES


def options(octets: bytes) -> None:
    """The configuration file, and a drop-in."""
    main, _, drop_in = octets.partition(b"\0")
    with tempfile.TemporaryDirectory(dir=_memory()) as name:
        folder = Path(name)
        (folder / "mailboxes.d").mkdir()
        for file, content in (("syncengine.toml", main), ("mailboxes.d/102.toml", drop_in)):
            (folder / file).write_bytes(content)
            (folder / file).chmod(0o600)
        try:
            load(folder / "syncengine.toml")
        except InvalidOptions as error:
            assert all("\n" not in str(problem) for problem in error.problems)


def vmconfig(octets: bytes) -> None:
    """The manual's table of rows."""
    table = parse_table(octets.decode("utf-8", "replace"))
    assert all("\n" not in problem for problem in table.problems)
    assert all(row.ignore in {0, 1} for row in table.rows.values())


def voicemail_conf(octets: bytes) -> None:
    """Asterisk's voicemail.conf."""
    text = octets.decode("utf-8", "replace")
    for mailbox in read_conf(text).mailboxes:
        assert "/" not in mailbox.number
        assert mailbox.maxmsg >= 0
    assert len(list(includes_of(text))) <= len(text) + 1


def asterisk_message(octets: bytes) -> None:
    """Asterisk's description of one message."""
    info = parse_info(octets)
    assert "".join(info.caller).isprintable()
    assert info.seconds is None or info.seconds >= 0


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _ours() -> bytes:
    message = LocalMessage(
        ref="",
        token=sessions.TOKEN,
        mailbox="101",
        kind=Kind.VOICE,
        state=State.NEW,
        received=RECEIVED,
        caller_number="+12035550117",
        caller_name="Zoë",
        duration=2.0,
    )
    envelope = Envelope("u@example.com", "u@example.com", "pbx.example.com", "system", KEY)
    return compose(message, [Attachment(wav(80), "wav", "audio/wav")], envelope)


_LINES = (
    b'* 2 FETCH (UID 4 FLAGS (\\Seen $x) MODSEQ (12) BODY[HEADER.FIELDS ("X")] {4}\nX: y\n)',
    b"* VANISHED (EARLIER) 1:3,7,300:310",
    b'* ESEARCH (TAG "v1") UID MIN 2 ALL 2:4,9 MODSEQ 917162500',
    b'* LIST (\\HasNoChildren \\Trash) "/" "Tr&AOk-sh"',
    b'* STATUS "a b" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 5 HIGHESTMODSEQ 7)',
    b"v1 OK [COPYUID 38505 304,319:320 3956:3958] done",
    b'* NAMESPACE (("INBOX." ".")) NIL NIL',
)
_BULK = b"".join(
    b"* %d FETCH (UID %d FLAGS (\\Seen) MODSEQ (%d)"
    b" BODY[HEADER.FIELDS (MESSAGE-ID)] {20}\r\nMessage-ID: <a@b>\r\n\r\n)\r\n" % (n, n, n)
    for n in (1, 2)
)
_IMAP = b"\0\0".join(
    (
        b"* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN] hi\r\n",
        b"%T OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS ENABLE CONDSTORE QRESYNC ESEARCH LIST-STATUS] in\r\n",
        b"* ENABLED QRESYNC\r\n%T OK\r\n",
        b'* LIST () "/" INBOX\r\n* STATUS INBOX (UIDNEXT 3 UIDVALIDITY 1 MESSAGES 1)\r\n%T OK\r\n',
        b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 3] x\r\n%T OK [READ-ONLY] x\r\n",
        b'* ESEARCH (TAG "%T") UID ALL 2\r\n%T OK\r\n',
        b"* 1 FETCH (UID 2 FLAGS () MODSEQ (2) BODY[HEADER.FIELDS (X)] {6}\r\nX: y\r\n)\r\n%T OK\r\n",
        b"* SEARCH 2\r\n%T OK\r\n",
        b"%T OK\r\n",
    )
)
_SMTP = b"\0\0".join(
    (
        *(b"220 hi\r\n", b"250-hi\r\n250-SIZE 10000\r\n250 DSN\r\n", b"250 ok\r\n", b"250 ok\r\n"),
        *(b"354 go\r\n", b"", b"250 2.0.0 taken\r\n"),
    )
)
_POP3 = b"\0\0".join(
    (
        *(b"+OK hi\r\n", b"+OK\r\n", b"+OK\r\n", b"+OK\r\n1 abc\r\n2 def\r\n.\r\n"),
        *(b"+OK\r\nSubject: x\r\n\r\n.\r\n", b"+OK\r\nSubject: y\r\n\r\n.\r\n", b"+OK\r\n"),
    )
)
_CONF = b"[general]\nmaxmsg=10\n[default]\n101 => 4242,Peter Adams,a@example.com,,attach=yes|tz=europe\n"
_TABLE = b"g_bUseEmailIntegration\tTrue\t0\nMaxTraceFileSize,100000,1\n"
_TOML = (
    b'[system]\nstate_dir = "/tmp/x"\ndomain = "example.com"\n[mailboxes.101]\nemail_integration = true\n'
    b'email_name = "a@example.com"\ndelivery = "append"\n[mailboxes.101.imap4]\nserver = "127.0.0.1"\n'
    b'security = "none"\naccount = "a"\npassword = "b"\n\0language = "de"\n'
)
_PLAIN = b"From: A <a@example.com>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello, how are you?\r\n"
_HTML = (
    b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n"
    b"\r\n<p>Hi <b>you</b></p><blockquote>old</blockquote>\r\n--b--\r\n"
)
_PARTS = (
    b'(("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 4 1)("text" "html" NIL NIL NIL "base64" 9) "mixed")'
)
_TIFF = bytes.fromhex(
    "49492a0008000000080000010300010000000800000001010300010000000100000002010300010000000100000003010300"
    "0100000001000000060103000100000000000000110104000100000000000000160103000100000001000000170104000100"
    "00000100000000000000"
)

TARGETS: dict[str, Target] = {
    "imap-line": Target(imap_line, _LINES),
    "imap-bulk": Target(imap_bulk, (_BULK,)),
    "imap-session": Target(sessions.imap, (_IMAP,)),
    "uid-set": Target(uid_set, (b"1:3,7,300:310", b"4294967295")),
    "smtp-session": Target(sessions.smtp, (_SMTP,)),
    "pop3-session": Target(sessions.pop3, (_POP3,)),
    "header-block": Target(header_block, (_ours().partition(b"\r\n\r\n")[0], _PLAIN)),
    "own-text": Target(text_of_ours, (_ours(), _PLAIN, _HTML)),
    "mail-aloud": Target(mail_aloud, (_PLAIN, _HTML)),
    "structure": Target(structure, (_PARTS,)),
    "delivery-report": Target(delivery_report, (bounce(sessions.TOKEN, "a@example.com"),)),
    "adoption": Target(adoption, (_ours(),)),
    "sound": Target(sound, (wav(80),)),
    "fax": Target(fax, (_TIFF,)),
    "options": Target(options, (_TOML,)),
    "vmconfig": Target(vmconfig, (_TABLE,)),
    "voicemail-conf": Target(voicemail_conf, (_CONF,)),
    "asterisk-message": Target(asterisk_message, (description(5),)),
}
"""Every target by its name."""
