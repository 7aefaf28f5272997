"""The played IMAP server keeps its habits, tells its lies one by one, and breaks when it is told to."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.support.simimap import (
    PROFILES,
    Answer,
    Bye,
    Cut,
    Delay,
    Lie,
    Phase,
    Silence,
    SimServer,
    VirtualClock,
)
from tests.support.simimap.grammar import compact
from tests.support.simimap.wire import Wire, again, mail, on_sim

# Habits


def test_a_label_is_not_a_copy():
    """Gmail: one message under INBOX, Sent Mail and All Mail; leaving INBOX is no delete, Trash is."""
    server, wire = on_sim("gmail")
    account = server.accounts["u"]
    uid = account.deliver(mail(1), copy_in_sent=True)
    assert account.deliver(mail(1)) is None
    wire.do("SELECT INBOX")
    wire.do(f"UID STORE {uid} +FLAGS (\\Seen)")
    assert account.flags("[Gmail]/All Mail", 1) == account.flags("[Gmail]/Sent Mail", 1) == {"\\Seen"}
    wire.do(f"UID STORE {uid} +FLAGS (\\Deleted)")
    wire.do(f"UID EXPUNGE {uid}")
    assert (account.uids("INBOX"), account.uids("[Gmail]/All Mail")) == ([], [1])
    wire.do('SELECT "[Gmail]/All Mail"')
    wire.do('UID MOVE 1 "[Gmail]/Trash"')
    assert (account.uids("[Gmail]/All Mail"), account.uids("[Gmail]/Sent Mail")) == ([], [])
    assert account.uids("[Gmail]/Trash") == [1]


def test_gmail_searches_words_and_its_own_fields():
    """Substrings and own header fields are not found, a Message-ID by X-GM-RAW is."""
    server, wire = on_sim("gmail")
    server.accounts["u"].deliver(mail(1))
    wire.do("SELECT INBOX")
    found = {
        query: wire.do(f"UID SEARCH {query}")[0].split()[2:]
        for query in (
            "HEADER X-VM-Mailbox 101",
            "TEXT oice",
            'TEXT "voice message"',
            'X-GM-RAW "rfc822msgid:<9@x> OR rfc822msgid:1.token@example.org"',
        )
    }
    assert list(found.values()) == [[], [], [b"1"], [b"1"]]


def test_exchange_lowers_names_and_asks_for_pauses():
    """Header names in lower case; throttled until the clock has moved on."""
    server, wire = on_sim("exchange")
    server.accounts["u"].deliver(mail(1))
    wire.do("SELECT INBOX")
    assert b"x-vm-mailbox: 101" in b"".join(wire.do("UID FETCH 1 BODY.PEEK[HEADER]"))
    server.throttle(300)
    refused = wire.do("NOOP")[-1]
    assert refused.startswith(b"NO") and b"Suggested Backoff Time: 300000 milliseconds" in refused
    assert isinstance(server.clock, VirtualClock)
    server.clock.advance(301)
    assert wire.do("NOOP")[-1].startswith(b"OK")


def test_a_budget_runs_out():
    """More commands than the server likes start a pause by themselves."""
    _, wire = on_sim(replace(PROFILES["exchange"], budget=(5, 60.0)))
    answers = [wire.do("NOOP")[-1][:2] for _ in range(6)]
    assert answers == [b"OK"] * 4 + [b"NO"] * 2


def test_courier_has_habits_of_its_own():
    """No MOVE (answered NO), no UIDNEXT, STORE in EXAMINE is OK and does nothing, names below INBOX."""
    server, wire = on_sim("courier")
    server.accounts["u"].deliver(mail(1))
    assert not any(b"UIDNEXT" in line for line in wire.do("EXAMINE INBOX"))
    assert wire.do("UID STORE 1 +FLAGS (\\Seen)")[-1].startswith(b"OK")
    assert server.accounts["u"].flags("INBOX", 1) == set()
    assert wire.do("UID MOVE 1 INBOX.Trash")[-1].startswith(b"NO")
    assert wire.do("CREATE Work")[-1].startswith(b"NO")
    assert wire.do("UID FETCH 999:* FLAGS")[:-1] == []
    assert wire.do("STATUS INBOX (UIDNEXT)")[0] == b'* STATUS "INBOX" (UIDNEXT 2)\r\n'


def test_greenmail_makes_a_folder_again_with_the_same_uidvalidity():
    """Names in any case, the same UIDVALIDITY within a second, UIDs from 1."""
    server, wire = on_sim("greenmail")
    account = server.accounts["u"]
    first = account.create("Box").uidvalidity
    wire.do("DELETE box")
    wire.do("CREATE BOX")
    assert account.folder("box").uidvalidity == first
    assert wire.do('LIST "" * RETURN (STATUS (MESSAGES))')[-1].startswith(b"BAD")


@pytest.mark.parametrize(
    ("profile", "missing"),
    [("condstore", "ENABLE QRESYNC"), ("bare", "ENABLE CONDSTORE"), ("nouidplus", "UID EXPUNGE 1")],
)
def test_a_profile_offers_no_more_than_it_says(profile, missing):
    """What is not among the capabilities is refused, or not enabled."""
    _, wire = on_sim(profile)
    wire.do("SELECT INBOX")
    answer = wire.do(missing)
    assert answer[-1].startswith(b"BAD") or answer[0] == b"* ENABLED\r\n"
    assert wire.do("SELECT INBOX (QRESYNC (1 1))")[-1].startswith(b"BAD")


# Lies


def lying(lie: Lie, profile: str = "qresync") -> tuple[SimServer, Wire]:
    server, wire = on_sim(PROFILES[profile].lying(lie))
    for number in (1, 2, 3):
        server.accounts["u"].add("INBOX", mail(number))
    wire.do("ENABLE QRESYNC")
    wire.do("SELECT INBOX")
    return server, wire


LIES = {
    Lie.VANISHED_ALL: ("SELECT INBOX (QRESYNC ({v} 1))", b"VANISHED (EARLIER) 1:3", b""),
    Lie.VANISHED_LOST: ("UID FETCH 1:* FLAGS (CHANGEDSINCE 1 VANISHED)", b"", b"VANISHED"),
    Lie.HEADER_SEARCH_EMPTY: ("UID SEARCH HEADER X-VM-Mailbox 10", b"SEARCH\r\n", b" 1"),
    Lie.HEADER_SEARCH_REFUSED: ("UID SEARCH HEADER X-VM-Mailbox 10", b"NO Querying", b"SEARCH"),
    Lie.TEXT_SEARCH_EMPTY: ("UID SEARCH TEXT vm-", b"SEARCH\r\n", b" 1"),
    Lie.SEARCH_EVERYTHING: ("UID SEARCH HEADER X-VM-Mailbox nobody", b"SEARCH 1 2 3", b""),
    Lie.SEARCH_WHOLE_VALUE: ("UID SEARCH HEADER X-VM-Mailbox 10", b"SEARCH\r\n", b" 1"),
    Lie.UIDVALIDITY_ZERO: ("SELECT INBOX", b"[UIDVALIDITY 0]", b""),
    Lie.UIDVALIDITY_MISSING: ("SELECT INBOX", b"[UIDNEXT", b"UIDVALIDITY"),
    Lie.MODSEQ_BACKWARDS: ("SELECT INBOX", b"[HIGHESTMODSEQ 1]", b""),
    Lie.NOMODSEQ: ("SELECT INBOX", b"[NOMODSEQ]", b"HIGHESTMODSEQ"),
    Lie.MODSEQ_LEFT_OUT: ("UID FETCH 1:9 FLAGS (CHANGEDSINCE 1)", b"FETCH (UID", b"MODSEQ"),
    Lie.ENABLED_EMPTY: ("ENABLE QRESYNC", b"* ENABLED\r\n", b"QRESYNC"),
    Lie.COPYUID_DOUBLED: ("UID COPY 1:3 Trash", b" 1,1:3 1,1:3]", b""),
    Lie.COPYUID_GARBLED: ("UID COPY 1:3 Trash", b"  ]", b"1:3"),
    Lie.NO_COPYUID: ("UID COPY 1:3 Trash", b"OK Copy", b"COPYUID"),
    Lie.NO_APPENDUID: ("APPEND INBOX <4>", b"OK Append", b"APPENDUID"),
    Lie.FETCH_WITHOUT_UID: ("UID FETCH 2 FLAGS", b"* 3 FETCH (FLAGS ())", b""),
    Lie.FETCH_DROPS_UID: ("UID FETCH 1:3 FLAGS", b"* 2 FETCH (FLAGS", b"* 2 FETCH (UID"),
    Lie.FETCH_POISONED: ("UID FETCH 1:3 BODY.PEEK[HEADER]", b"NO Some messages", b"* 1 FETCH"),
    Lie.NO_FOLDERS: ('LIST "" *', b"OK", b"* LIST"),
    Lie.PARTIAL_FETCH: ("UID FETCH 1:3 FLAGS", b"* 3 FETCH", b"* 2 FETCH"),
    Lie.STORE_IGNORED: ("UID STORE 2 +FLAGS \\Seen", b"FLAGS ()", b"Seen"),
    Lie.CHANGEDSINCE_MISSES_NEW: ("UID FETCH 1:9 FLAGS (CHANGEDSINCE 1)", b"OK", b"FETCH (UID"),
    Lie.OPEN_RANGE_BYE: ("UID FETCH 1:* FLAGS", b"* BYE", b"* 1 FETCH"),
}
"""What is asked, what the answer holds, and what it does not."""


@pytest.mark.parametrize("lie", LIES)
def test_it_lies_only_when_asked_to(lie):
    """Each lie changes the answer as seen in the field; without it the same question is answered well."""
    command, there, missing = LIES[lie]
    server, wire = lying(lie)
    account = server.accounts["u"]
    if lie in (Lie.VANISHED_LOST,):
        account.expunge("INBOX", [2])
        wire.do("NOOP")
    command = command.replace("{v}", str(account.folder("INBOX").uidvalidity))
    literal = mail(4) if command.endswith(" <4>") else None
    command = command.removesuffix(" <4>")
    told = b"".join(wire.do(command, literal))
    assert there in told and (not missing or missing not in told)

    server.lies.clear()
    wire = again(server)
    wire.do("ENABLE QRESYNC")
    wire.do("SELECT INBOX")
    told = b"".join(wire.do(command, literal))
    assert there not in told or (missing and missing in told)


def test_a_uidvalidity_may_change_at_every_look():
    """Two looks, two values."""
    _, wire = lying(Lie.UIDVALIDITY_CHANGING)
    assert wire.do("STATUS INBOX (UIDVALIDITY)")[0] != wire.do("STATUS INBOX (UIDVALIDITY)")[0]


def test_a_modseq_may_be_said_by_a_server_that_offers_none():
    """Yahoo says HIGHESTMODSEQ without CONDSTORE."""
    server, wire = lying(Lie.MODSEQ_UNOFFERED, "bare")
    assert b"[HIGHESTMODSEQ" in b"".join(wire.do("SELECT INBOX"))
    server.lies.clear()
    assert b"MODSEQ" not in b"".join(wire.do("SELECT INBOX"))


def test_a_gone_message_may_be_made_up():
    """Courier answers for a message that another session expunged."""
    server, wire = lying(Lie.MADE_UP)
    server.accounts["u"].expunge("INBOX", [2])
    assert b"message unavailable" in b"".join(wire.do("FETCH 2 BODY.PEEK[HEADER]"))
    server.lies.clear()
    assert b"EXPUNGEISSUED" in wire.do("FETCH 2 BODY.PEEK[HEADER]")[-1]


def test_an_expunge_may_be_told_twice():
    """GreenMail repeats after DONE what IDLE told."""
    server, wire = lying(Lie.EXPUNGE_REPEATED, "condstore")
    wire.send(b"i IDLE")
    assert wire.line().startswith(b"+")
    server.accounts["u"].expunge("INBOX", [2])
    assert wire.line() == b"* 2 EXPUNGE\r\n"
    wire.send(b"DONE")
    assert [wire.line()[:11] for _ in range(2)] == [b"* 2 EXPUNGE", b"i OK Idle c"]


def test_every_lie_is_tested():
    """No lie without a test that catches it."""
    elsewhere = {Lie.UIDVALIDITY_CHANGING, Lie.MADE_UP, Lie.EXPUNGE_REPEATED, Lie.MODSEQ_UNOFFERED}
    assert LIES.keys() | elsewhere == set(Lie)


# Faults


def struck(fault, phase: Phase = Phase.BEFORE, name: str = "UID STORE") -> tuple[SimServer, Wire]:
    server, wire = on_sim()
    server.accounts["u"].add("INBOX", mail(1))
    wire.do("SELECT INBOX")
    server.hook = lambda moment: fault if (moment.name, moment.phase) == (name, phase) else None
    return server, wire


@pytest.mark.parametrize(
    ("fault", "phase", "acted"),
    [
        (Cut(), Phase.BEFORE, False),
        (Cut(), Phase.AFTER, True),
        (Cut(sent=5), Phase.AFTER, True),
        (Bye(), Phase.BEFORE, False),
        (Silence(), Phase.BEFORE, False),
        (Silence(), Phase.AFTER, True),
    ],
)
def test_a_connection_breaks_before_or_after_the_server_acted(fault, phase, acted):
    """The client hears nothing either way; only the account knows."""
    server, wire = struck(fault, phase)
    with pytest.raises((ConnectionError, TimeoutError)):
        wire.do("UID STORE 1 +FLAGS (\\Seen)")
    assert server.accounts["u"].flags("INBOX", 1) == ({"\\Seen"} if acted else set())
    assert again(server).do("NOOP")[-1].startswith(b"OK")


def test_a_command_is_refused_or_held_up():
    """NO in place of the real answer; a delay moves the virtual clock, a long one is a timeout."""
    server, wire = struck(Answer("NO", "[INUSE] later"))
    assert wire.do("UID STORE 1 +FLAGS (\\Seen)") == [b"NO [INUSE] later\r\n"]
    assert server.accounts["u"].flags("INBOX", 1) == set()
    server, wire = struck(Delay(7))
    begun = server.clock()
    assert wire.do("UID STORE 1 +FLAGS (\\Seen)")[-1].startswith(b"OK")
    assert (server.clock() - begun).total_seconds() == 7
    server, wire = struck(Delay(31), Phase.AFTER)
    with pytest.raises(TimeoutError):
        wire.do("UID STORE 1 +FLAGS (\\Seen)")


def test_a_hook_never_sees_a_password():
    """The line of LOGIN and AUTHENTICATE is left out."""
    seen = []
    on_sim(hook=seen.append)
    assert {moment.name for moment in seen} == {"LOGIN"} and not any(b"secret" in m.line for m in seen)


def test_the_second_client_shakes_the_folders():
    """Renamed, swapped, made again, renumbered: each shows in the snapshot, and open sessions end."""
    server, wire = on_sim()
    account = server.accounts["u"]
    account.create("Box")
    account.add("Box", mail(1))
    before = account.snapshot()
    assert account.snapshot() == before
    wire.do("SELECT Box")
    account.rename("Box", "Box2")
    assert wire.do("NOOP")[-1].startswith(b"OK")
    first = account.folder("Box2").uidvalidity
    account.renumber("Box2")
    assert account.folder("Box2").uidvalidity != first and account.uids("Box2") == [1]
    account.recreate("Box2", same_uidvalidity=True)
    assert account.uids("Box2") == []
    with pytest.raises(ConnectionError):
        wire.do("NOOP")
    assert account.snapshot() != before


def test_the_same_seed_gives_the_same_trace():
    """Order left open by the protocol is drawn from the seed alone; another seed gives another order."""
    traces = []
    for seed in (1, 1, 2):
        trace: list[object] = []
        server, wire = on_sim(shuffle=random.Random(seed), trace=lambda n, what, t=trace: t.append((n, what)))
        account = server.accounts["u"]
        for number in range(1, 9):
            account.add("INBOX", mail(number))
        wire.do("SELECT INBOX")
        other = again(server)
        other.do("SELECT INBOX")
        wire.do("UID STORE 1:8 +FLAGS (\\Seen)")
        other.do("UID FETCH 1:* FLAGS")
        other.do("NOOP")
        traces.append(trace)
    assert traces[0] == traces[1] != traces[2]


def test_sets_are_compact():
    """Runs become ranges."""
    assert compact([5, 1, 2, 3, 9, 10]) == b"1:3,5,9:10"
