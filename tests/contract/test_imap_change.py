"""What the engine does to messages in the account, and what it must never do."""

from __future__ import annotations

import pytest

from syncengine.imap.replica import ImapAccount
from syncengine.imap.scope import trash_folder
from syncengine.model import DELETED, SEEN, FlagChange, Folder, Place, Uid, UidValidity
from tests.contract.imap_kit import STRATEGIES, WHEN, Line, Mail, MakeProxy, Open, View, mail, named, token
from tests.support.base import Login, Server
from tests.support.dovecot import Dovecot
from tests.support.mailprogram import MailProgram

# flags


def test_marks_are_confirmed_by_what_the_server_shows(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    uids = [program.append(mail(number)) for number in range(6)]
    program.flag(uids[0], SEEN)
    account, view, line = connect(imap_server, login), View(), Line()
    account._session.connection._trace = line
    view.observe(account)
    modseq = view.cursor.highestmodseq if view.cursor else None
    changes = [
        FlagChange(token(n), view.place(token(n)), seen=n != 0, unchanged_since=modseq)
        for n in (0, 1, 2, 3, 5)
    ]
    outcomes = account.mark(changes)
    assert {outcome.token: outcome.done for outcome in outcomes} == {token(n): True for n in (0, 1, 2, 3, 5)}
    assert all(
        outcome.flags and (SEEN in outcome.flags.flags) == (outcome.token != token(0)) for outcome in outcomes
    )
    assert [SEEN in program.flags(uid) for uid in uids] == [False, True, True, True, False, True]
    assert len(line.sent("UID STORE")) == 2


@pytest.mark.server("dovecot", "cyrus")
def test_a_mark_that_somebody_else_overtook_is_not_done_and_shows_what_is_there(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    for number in range(3):
        program.append(mail(number))
    line = Line()
    account, view = connect(imap_server, login, trace=line), View()
    view.observe(account)
    assert view.cursor
    limit = view.cursor.highestmodseq
    line.said.clear()
    program.flag(view.place(token(1)).uid, SEEN)
    program.unflag(view.place(token(1)).uid, SEEN)
    first, second = account.mark(
        [FlagChange(token(n), view.place(token(n)), seen=True, unchanged_since=limit) for n in (0, 1)]
    )
    assert first.done
    assert not second.done
    assert second.flags is not None
    assert SEEN not in second.flags.flags
    assert second.moved_on
    assert second.flags.modseq and limit and second.flags.modseq > limit
    assert len(line.sent("UID STORE")) == 1
    assert [said.split()[3] for said in line.sent("UID FETCH")] == [b"%d" % second.flags.uid]


def test_a_store_that_shows_no_flags_is_believed_only_after_they_were_read(
    dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    login, line = dovecot.new_user(), Line()
    uid = raw_client(dovecot, login).append(mail(1))
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    account, view = connect(proxy, login, trace=line), View()
    view.observe(account)
    assert view.cursor
    change = FlagChange(token(1), view.place(token(1)), True, view.cursor.highestmodseq)
    line.said.clear()
    proxy.rewrite(rb"^(\* \d+ FETCH \(UID \d+ MODSEQ \(\d+\)) FLAGS \([^)]*\)", rb"\1")
    (outcome,) = account.mark([change])

    assert outcome.done
    assert outcome.flags and outcome.flags.flags == {SEEN}
    assert [said.split()[3] for said in line.sent("UID FETCH")] == [b"%d" % uid]


def test_a_mark_of_what_is_gone_or_under_another_uidvalidity_is_not_done(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    program.append(mail(1))
    program.append(mail(2))
    account, view = connect(imap_server, login), View()
    view.observe(account)
    gone = view.place(token(1))
    program.expunge(gone.uid)
    other = Place("INBOX", UidValidity(gone.uidvalidity + 1), view.place(token(2)).uid)
    assert [o.done for o in account.mark([FlagChange(token(2), other, seen=True)])] == [False]
    assert [o.done for o in account.mark([FlagChange(token(1), gone, seen=True)])] == [False]
    assert SEEN not in program.flags(view.place(token(2)).uid)


# deleting and moving


def prepared(server: Server, login: Login, account: ImapAccount, program: MailProgram) -> tuple[View, Folder]:
    """Five messages, the last of them marked as deleted by somebody, and a Trash."""
    program.ensure("Trash")
    uids = [program.append(mail(number)) for number in range(5)]
    program.flag(uids[4], DELETED)
    view = View()
    view.observe(account)
    trash = trash_folder(account.folders())
    assert trash is not None
    return view, trash


MASKS = {
    "as offered": frozenset[str](),
    "no QRESYNC": frozenset({"QRESYNC"}),
    "no MOVE": frozenset({"MOVE", "QRESYNC"}),
    "no MOVE, no QRESYNC, no UNSELECT": STRATEGIES["bare"],
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_delete_moves_to_trash_and_touches_nothing_else(
    imap_server: Server, connect: Open, raw_client: Mail, mask: frozenset[str]
) -> None:
    login, line = imap_server.new_user(), Line()
    program = raw_client(imap_server, login)
    account = connect(imap_server, login, mask=mask, trace=line)
    view, trash = prepared(imap_server, login, account, program)
    targets = {view.place(token(n)): token(n) for n in (0, 1, 3)}
    outcomes = account.delete(targets, trash)
    assert {outcome.token: (outcome.done, outcome.error) for outcome in outcomes} == {
        token(n): (True, None) for n in (0, 1, 3)
    }
    view.observe(account)
    assert view.tokens == {token(2), token(4)}
    bin_ = View()
    bin_.observe(account, trash.name)
    assert bin_.tokens == {token(0), token(1), token(3)}
    if imap_server.capable("UIDPLUS"):
        assert {outcome.place for outcome in outcomes} == {bin_.place(token(n)) for n in (0, 1, 3)}
    assert not any(line.split(b" ", 1)[1:] in ([b"EXPUNGE"], [b"CLOSE"]) for _, line in line.said)


def test_delete_without_trash_expunges_by_uid(imap_server: Server, connect: Open, raw_client: Mail) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    account = connect(imap_server, login)
    view, _ = prepared(imap_server, login, account, program)
    assert all(o.done and o.error is None for o in account.delete({view.place(token(1)): token(1)}, None))
    assert len(program.uids()) == 4
    assert program.uids("Trash") == []


def test_without_uidplus_nothing_is_expunged_and_the_outcome_says_so(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    account = connect(imap_server, login, mask=frozenset({"UIDPLUS", "MOVE"}))
    view, trash = prepared(imap_server, login, account, program)
    place = view.place(token(1))
    outcome = account.delete({place: token(1)}, trash)[0]
    assert outcome.done
    assert "UIDPLUS" in (outcome.error or "")
    assert len(program.uids()) == 5
    assert DELETED in program.flags(place.uid)
    assert len(program.uids("Trash")) == 1


def test_a_place_that_holds_another_message_is_left_alone(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    account = connect(imap_server, login)
    view, trash = prepared(imap_server, login, account, program)
    wrong = account.delete({view.place(token(0)): token(1)}, trash)[0]
    assert (wrong.done, wrong.moved_on) == (False, True)
    gone = Place("INBOX", view.place(token(0)).uidvalidity, Uid(900))
    assert not account.delete({gone: token(2)}, trash)[0].done
    older = Place("INBOX", UidValidity(view.place(token(0)).uidvalidity + 1), view.place(token(0)).uid)
    assert not account.delete({older: token(0)}, None)[0].done
    assert len(program.uids()) == 5


def test_a_move_into_a_folder_that_is_not_there_moves_nothing(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    for mask in (frozenset[str](), frozenset({"MOVE"})):
        account = connect(imap_server, login, mask=mask)
        view, _ = prepared(imap_server, login, account, program)
        outcome = account.move({view.place(token(0)): token(0)}, program.name("Nowhere"))[0]
        assert not outcome.done
        assert outcome.error
        view.observe(account)
        assert token(0) in view.tokens
        for uid in program.uids():
            program.expunge(uid)


def test_thousands_of_scattered_uids_are_moved_in_lines_that_every_server_takes(
    dovecot: Dovecot, connect: Open, raw_client: Mail
) -> None:
    login, line = dovecot.new_user(), Line()
    account = connect(dovecot, login, trace=line)
    assert account.folders()
    validity = UidValidity(named(account, "INBOX").uidvalidity or 0)
    targets = {Place("INBOX", validity, Uid(uid)): token(uid) for uid in range(100_000, 108_000, 2)}
    assert not any(outcome.done for outcome in account.delete(targets, None))
    changes = [FlagChange(mark, place, seen=True) for place, mark in targets.items()]
    assert not any(outcome.done for outcome in account.mark(changes))
    assert max(len(line) for who, line in line.said if who == "C") < 8_000


# appending, creating, fetching


@pytest.mark.parametrize(
    "mask", [frozenset[str](), frozenset({"UIDPLUS", "LITERAL+", "QRESYNC"})], ids=["", "bare"]
)
def test_append_keeps_every_octet_and_says_where(
    imap_server: Server, connect: Open, raw_client: Mail, mask: frozenset[str]
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    program.append(mail(1))
    account = connect(imap_server, login, mask=mask)
    content = mail(7, extra="X-Long: " + "x" * 900 + "\r\n") + b"y" * 70_000 + b"\r\n"
    outcome = account.append("INBOX", token(7), content, flags=frozenset({SEEN, "\\Flagged"}), received=WHEN)
    assert outcome.done
    assert outcome.place is not None
    assert account.fetch(outcome.place) == content
    assert program.flags(outcome.place.uid) == {SEEN, "\\Flagged"}
    view = View()
    view.observe(account)
    assert view.place(token(7)) == outcome.place


def test_append_into_a_folder_that_is_not_there_is_an_outcome(imap_server: Server, connect: Open) -> None:
    account = connect(imap_server, imap_server.new_user())
    outcome = account.append(imap_server.folder("No"), token(1), mail(1), flags=frozenset(), received=WHEN)
    assert not outcome.done
    assert outcome.error


def test_create_makes_and_subscribes_under_the_personal_namespace(imap_server: Server, connect: Open) -> None:
    account = connect(imap_server, imap_server.new_user())
    account.create("Voice Mail Messages")
    account.create("Voice Mail Messages")
    found = named(account, imap_server.folder("Voice Mail Messages"))
    assert found.subscribed
    account.create("Müll & Trödel", special_use="\\Trash")
    assert imap_server.folder("Müll & Trödel") in {folder.name for folder in account.folders()}


def test_fetch_gives_none_for_what_is_gone_and_marks_nothing(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    first, second = program.append(mail(1)), program.append(mail(2))
    account, view = connect(imap_server, login), View()
    view.observe(account)
    place = view.place(token(1))
    assert account.fetch(view.place(token(2))) == mail(2)
    assert SEEN not in program.flags(second)
    program.expunge(first)
    assert account.fetch(place) is None
