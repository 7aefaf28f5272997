"""The played IMAP server says what Dovecot says, and foreign clients get on with it."""

from __future__ import annotations

import imaplib
import re
import socket
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from imapclient import IMAPClient

from tests.support.mailprogram import MailProgram
from tests.support.simimap import PROFILES, SimServer, SimSocket, TcpFront, played, reachable
from tests.support.simimap.grammar import values
from tests.support.simimap.wire import Wire, mail
from tests.support.waiting import eventually


@dataclass
class Talk:
    """Two sessions of one user; what was said last is remembered by what it means."""

    wires: list[Wire]
    uidvalidity: bytes = b"0"
    modseq: bytes = b"0"

    def say(self, step: str) -> list[object]:
        who, _, command = step.partition(": ")
        wire = self.wires["AB".index(who)]
        command = command.replace("{v}", self.uidvalidity.decode()).replace("{m}", self.modseq.decode())
        literal = None
        if found := re.search(r" <(\d+)>$", command):
            command, literal = command[: found.start()], mail(int(found[1]))
        lines = wire.do(command, literal)
        for line in lines:
            for key in ("UIDVALIDITY", "HIGHESTMODSEQ"):
                if code := re.match(rb"(?:\* )?OK \[%s (\d+)\]" % key.encode(), line):
                    setattr(self, "uidvalidity" if key == "UIDVALIDITY" else "modseq", code[1])
        return meaning(lines)


def meaning(lines: list[bytes]) -> list[object]:
    """An answer without what servers may choose: wording, the order of FETCH lines, values of MODSEQ."""
    told = [one for line in lines[:-1] if (one := _untagged(line)) is not None]
    return [*sorted(told, key=repr), _tagged(lines[-1])]


def _tagged(line: bytes) -> tuple[str, ...]:
    status, code = line.split()[0].decode(), re.search(rb"\[(APPENDUID|COPYUID|MODIFIED) ([^]]*)\]", line)
    if not code:
        return (status,)
    words = code[2].decode().split()
    return (status, code[1].decode(), *(words[1:] if code[1] != b"MODIFIED" else words))


def _untagged(line: bytes) -> object:
    if code := re.match(
        rb"\* OK \[(UIDNEXT \d+|UIDVALIDITY|HIGHESTMODSEQ|CLOSED|COPYUID)(?: \d+)?([^]]*)\]", line
    ):
        return "code", code[1].decode(), code[2].decode()
    parts = re.split(rb"\{(\d+)\}\r\n", line[2:])
    flat = [parts[0]]
    for size, rest in zip(parts[1::2], parts[2::2], strict=True):
        flat[-1] += b"{%s}" % size
        flat += [rest[: int(size)], rest[int(size) :]]
    flat[-1] = flat[-1].rstrip(b"\r\n")
    match [plain(value) for value in values(flat)]:
        case [b"OK" | b"FLAGS" | b"CAPABILITY" | b"NAMESPACE", *_] | [_, b"RECENT"]:
            return None
        case [number, b"FETCH", [*items]]:
            pairs = dict(zip(items[::2], items[1::2], strict=True))
            return number, "FETCH", tuple(sorted((key, _item(key, value)) for key, value in pairs.items()))
        case [b"LIST" | b"LSUB" as keyword, attributes, _, name]:
            kept = {each for each in attributes if each.lower() in (b"\\noselect", b"\\subscribed")}
            return keyword, sorted(kept), name
        case [b"STATUS", name, [*items]]:
            hidden = (b"UIDVALIDITY", b"HIGHESTMODSEQ")
            pairs = dict(zip(items[::2], items[1::2], strict=True))
            return "STATUS", name, sorted((k, k in hidden or v) for k, v in pairs.items())
        case [b"SEARCH", *numbers]:
            return "SEARCH", sorted(number for number in numbers if not isinstance(number, list))
        case [b"ESEARCH", _, *rest]:
            return "ESEARCH", rest
        case other:
            return other


def plain(value: object) -> object:
    return [plain(one) for one in value] if isinstance(value, list) else bytes(value)


def _item(key: bytes, value: object) -> object:
    if key == b"FLAGS":
        return sorted(set(value) - {b"\\Recent"})
    if key in (b"BODYSTRUCTURE", b"ENVELOPE"):
        return repr(value).upper()
    return key in (b"MODSEQ",) or value


THREE = ["A: CREATE Box", "A: APPEND Box <1>", "A: APPEND Box (\\Seen) <2>", "A: APPEND Box (\\Flagged) <3>"]
BOTH = ["A: ENABLE QRESYNC", "B: SELECT Box", "A: SELECT Box (CONDSTORE)"]
SEARCHES = [
    *("ALL", "UNSEEN", "SEEN FLAGGED", "NOT SEEN", "OR SEEN FLAGGED", "2:*", "UID 2:3", "UID 9:*"),
    *("HEADER X-VM-Mailbox 10", "HEADER X-VM-Mailbox 102", 'HEADER X-VM-Mailbox ""', "HEADER X-None x"),
    *("HEADER Message-ID <2.token@example.org>", "HEADER Message-ID 2.TOKEN", "HEADER X-Inner deep"),
    *(f"TEXT vm-{2:032}-z", "BODY attached", "TEXT X-Inner", "BODY a.wav", "TEXT a.wav", "TEXT inner"),
    *('SUBJECT "message from"', "FROM peter", "FROM nobody", "LARGER 10", "SMALLER 10", "(UNSEEN FLAGGED)"),
    *("SENTON 23-Nov-2026", "SENTBEFORE 23-Nov-2026", "BEFORE 1-Jan-2020", "RETURN (COUNT ALL) UNSEEN"),
    *("RETURN (MIN MAX) ALL", "RETURN () SEEN", "RETURN (ALL) HEADER X-None x", "CHARSET UTF-8 TEXT Ref"),
    *("KEYWORD $Own", "UNKEYWORD $Own", "NONSENSE", "OR SEEN"),
]
TALKS = {
    "what a message consists of": [
        *THREE,
        "A: SELECT Box",
        "A: UID FETCH 1:* (FLAGS RFC822.SIZE)",
        "A: FETCH 2 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID X-VM-MAILBOX SUBJECT NONE)])",
        "A: UID FETCH 2 (BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT TO FROM)])",
        "A: UID FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2])",
        "A: UID FETCH 1 (BODY.PEEK[3] BODY.PEEK[3.HEADER] BODY.PEEK[3.TEXT] BODY.PEEK[] BODY.PEEK[]<5.20>)",
        "A: UID FETCH 1 (ENVELOPE)",
        "A: UID FETCH 1 BODY[1]",
        "A: UID FETCH 99:* FLAGS",
        "A: FETCH 4 FLAGS",
        "A: UID FETCH 7 FLAGS",
    ],
    "flags, seen by another session": [
        *THREE,
        "A: SELECT Box",
        "B: SELECT Box",
        "A: UID STORE 1 +FLAGS (\\Seen $Own)",
        "B: NOOP",
        "A: UID STORE 1:2 -FLAGS (\\Seen)",
        "A: UID STORE 1:3 FLAGS.SILENT (\\Answered)",
        "B: FETCH 1:* FLAGS",
        "A: UID STORE 9 +FLAGS (\\Seen)",
        "A: STORE 3 +FLAGS \\Deleted",
        "B: NOOP",
        "A: EXPUNGE",
        "B: FETCH 1 FLAGS",
        "B: NOOP",
    ],
    "conditional changes": [
        *THREE,
        *BOTH,
        "A: UID STORE 1 +FLAGS.SILENT (\\Seen)",
        "A: UID STORE 1:3 (UNCHANGEDSINCE {m}) +FLAGS.SILENT (\\Answered)",
        "A: UID FETCH 1:* (FLAGS) (CHANGEDSINCE {m})",
        "A: UID FETCH 1:* (FLAGS) (CHANGEDSINCE 999999)",
        "A: STATUS Box (MESSAGES UIDNEXT HIGHESTMODSEQ)",
        "A: UID SEARCH MODSEQ 1",
    ],
    "a folder opened again": [
        *THREE,
        "A: APPEND Box <4>",
        *BOTH,
        "B: UID STORE 2 +FLAGS (\\Deleted)",
        "B: UID EXPUNGE 2",
        "B: UID STORE 3 +FLAGS (\\Seen)",
        "B: APPEND Box <5>",
        "A: UNSELECT",
        "A: SELECT Box (QRESYNC ({v} {m}))",
        "A: SELECT Box (QRESYNC ({v} {m}))",
        "A: SELECT Box (QRESYNC (7 {m}))",
        "A: UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)",
    ],
    "copies, moves and expunges": [
        *THREE,
        "A: CREATE Other",
        *BOTH,
        "A: UID COPY 1,3 Other",
        "A: UID MOVE 2:3 Other",
        "B: NOOP",
        "A: UID COPY 9 Other",
        "A: UID COPY 1 Missing",
        "A: UID STORE 1 +FLAGS (\\Deleted)",
        "B: FETCH 1 FLAGS",
        "A: UID EXPUNGE 1",
        "B: NOOP",
        "A: EXAMINE Other",
        "A: UID FETCH 1:* FLAGS",
    ],
    "folders": [
        "A: CREATE Work",
        "A: CREATE Work/Sub",
        "A: CREATE Work",
        "A: SUBSCRIBE Work/Sub",
        'A: LIST "" Work*',
        'A: LIST "" %/Sub',
        'A: LSUB "" Work*',
        'A: LIST "" Work* RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT))',
        "A: RENAME Work/Sub Work/New",
        "A: SELECT Work/Sub",
        "A: STATUS Work/New (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)",
        "A: DELETE Work/New",
        "A: DELETE Work/New",
        "A: STATUS Work/New (MESSAGES)",
        "A: STATUS Work (NONSENSE)",
        "A: APPEND Missing <1>",
        "A: DELETE INBOX",
        'A: CREATE "Entw&APw-rfe"',
        'A: LIST "" "Entw*"',
        "A: UNSUBSCRIBE Work/Sub",
        'A: LSUB "" *Sub',
    ],
    "searches": [
        *THREE,
        "A: SELECT Box",
        *(f"A: UID SEARCH {query}" for query in SEARCHES),
        "A: SEARCH SEEN",
    ],
    "mistakes": [
        "A: NONSENSE",
        "A: UID",
        "A: FETCH 1 FLAGS",
        "A: SELECT",
        *("A: CREATE Box", "A: SELECT Box", "A: FETCH 1 FLAGS", "A: UID FETCH 1 FLAGS"),
        *("A: UID FETCH x FLAGS", "A: UID FETCH 1 (FLAGS", "A: UID STORE 1 +FLAGS (\\Nonsense)"),
        *("A: SELECT Box (NONSENSE)", "A: NOOP", "A: CLOSE", "A: CLOSE"),
    ],
}
"""Conversations; ``<2>`` at the end is message 2 as a literal."""


@pytest.mark.parametrize("about", TALKS)
def test_it_says_what_dovecot_says(dovecot, about):
    """The same commands mean the same on both, line for line."""
    login = dovecot.new_user()
    sim = SimServer(replace(PROFILES["qresync"], modseq_unasked=False))
    sim.add_user(login.user, login.password)
    real_socks = [socket.create_connection((dovecot.host, dovecot.imap_port), 20) for _ in "AB"]
    real = Talk([Wire(sock, login.user, login.password) for sock in real_socks])
    ours = Talk([Wire(SimSocket(sim, timeout=5, pause=None), login.user, login.password) for _ in "AB"])
    try:
        different = []
        for step in TALKS[about]:
            theirs, mine = real.say(step), ours.say(step)
            if theirs != mine:
                different.append(f"{step}\n  dovecot: {theirs}\n  played:  {mine}")
        assert not different, "\n".join(different)
    finally:
        for sock in real_socks:
            sock.close()


# Foreign clients


@pytest.fixture(params=PROFILES)
def played_server(request):
    """Each kind of server on loopback."""
    with played.start(PROFILES[request.param]) as server:
        yield server


def test_a_mail_program_does_its_verbs_on_every_profile(played_server):
    """Append, read, flag, copy, move, expunge and folders through imapclient."""
    profile = PROFILES[played_server.name.removeprefix("sim-")]
    with MailProgram(played_server, played_server.new_user()) as program:
        uid = program.append(mail(1))
        assert b"subject: voice message" in program.read(uid).lower()
        program.flag(uid, "\\Seen")
        assert program.flags(uid) == {"\\Seen"}
        program.unflag(uid, "\\Seen")
        assert program.flags(uid) == set()
        program.create("Work")
        copied = program.copy(uid, "Work")
        assert program.find("1.token", "Work") == [copied]
        if profile.offers("UIDPLUS"):
            program.expunge(uid)
            assert program.uids() == []
        program.rename("Work", "Other")
        assert program.name("Other") in program.folders()
        program.delete("Other")
        assert program.name("Other") not in program.folders()


def test_imaplib_and_imapclient_speak_with_it():
    """STATUS, ENVELOPE, BODYSTRUCTURE, SEARCH, IDLE and a wrong password, by two foreign parsers."""
    server = SimServer()
    account = server.add_user("u", "secret")
    with TcpFront(server) as front:
        with (
            imaplib.IMAP4(front.host, front.port, timeout=10) as client,
            pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
        ):
            client.login("u", "wrong")
        with IMAPClient(front.host, front.port, ssl=False, timeout=10) as client:
            client.login("u", "secret")
            client.append("INBOX", mail(1), ["\\Flagged"])
            assert client.folder_status("INBOX", ["MESSAGES", "UIDNEXT"]) == {b"MESSAGES": 1, b"UIDNEXT": 2}
            client.select_folder("INBOX")
            got = client.fetch([1], ["ENVELOPE", "BODYSTRUCTURE", "FLAGS"])[1]
            assert got[b"ENVELOPE"].message_id == b"<1.token@example.org>"
            assert got[b"ENVELOPE"].subject == b"Voice message from 12035550117"
            assert got[b"BODYSTRUCTURE"].is_multipart and len(got[b"BODYSTRUCTURE"][0]) == 3
            assert client.search(["HEADER", "X-VM-Mailbox", "101"]) == [1]
            client.idle()
            account.add("INBOX", mail(2))
            assert client.idle_check(timeout=10) == [(2, b"EXISTS")]
            account.flag("INBOX", 1, "\\Seen")
            assert client.idle_check(timeout=10) == [(1, b"FETCH", (b"FLAGS", (b"\\Flagged", b"\\Seen")))]
            account.expunge("INBOX", [1])
            assert client.idle_check(timeout=10) == [(1, b"EXPUNGE")]
            client.idle_done()


def test_a_session_ends_when_the_server_does():
    """Cutting all sessions is an end of stream for the clients."""
    server = SimServer()
    server.add_user("u", "secret")
    with TcpFront(server) as front, socket.create_connection((front.host, front.port), 10) as sock:
        wire = Wire(sock, "u", "secret")
        server.cut_all()
        with pytest.raises(ConnectionError):
            wire.do("NOOP")
        eventually(lambda: not server.sessions)


def test_plain_sockets_are_led_to_it_without_a_line():
    """imaplib in the same thread; what is not played is connected for real."""
    server = SimServer()
    server.add_user("u", "secret")
    with reachable({("imap.example.org", 143): server}):
        client = imaplib.IMAP4("imap.example.org", 143, timeout=10)
        client.login("u", "secret")
        client.append("INBOX", "", "", mail(1))
        assert client.select() == ("OK", [b"1"])
        client.logout()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, reachable({}):
        socket.create_connection(listener.getsockname(), 10).close()
