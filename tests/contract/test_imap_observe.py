"""What a folder shows since a cursor: the same by every strategy on every real server."""

from __future__ import annotations

import pytest

from syncengine.errors import FolderError
from syncengine.model import DELETED, SEEN, Cursor, FlagChange, ModSeq, Uid, UidValidity
from syncengine.replica import Account
from tests.contract.imap_kit import (
    STRATEGIES,
    WHEN,
    Line,
    Mail,
    MakeProxy,
    Open,
    View,
    mail,
    named,
    strategies,
    token,
)
from tests.support.base import Server
from tests.support.dovecot import Dovecot


def test_the_account_is_what_the_engine_asks_for(imap_server: Server, connect: Open) -> None:
    account: Account = connect(imap_server, imap_server.new_user())
    assert "INBOX" in {folder.name for folder in account.folders()}


# observing


def test_all_strategies_see_what_the_mail_program_sees(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    uids = {number: program.append(mail(number)) for number in range(8)}
    accounts = {
        name: connect(imap_server, login, mask=mask) for name, mask in strategies(imap_server).items()
    }
    views = {name: View() for name in accounts}

    def all_agree() -> None:
        for name, account in accounts.items():
            views[name].observe(account)
            shown = {
                uid: flags & {SEEN, DELETED, "\\Flagged"} for uid, (_, flags) in views[name].seen.items()
            }
            now = program.client.get_flags(program.uids())
            there = {uid: {flag.decode() for flag in now[uid]} - {"\\Recent"} for uid in now}
            assert shown == there, name
        assert len({view.cursor.uidnext for view in views.values() if view.cursor}) == 1

    all_agree()
    program.flag(uids[0], SEEN)
    program.flag(uids[1], SEEN, "\\Flagged")
    all_agree()
    program.unflag(uids[1], SEEN)
    program.expunge(uids[2])
    program.append(mail(9), "INBOX", SEEN)
    all_agree()
    program.flag(uids[3], DELETED)
    program.trash(uids[4])
    program.expunge(uids[7])
    all_agree()
    for number in range(10, 14):
        program.append(mail(number))
    for uid in program.uids()[:3]:
        program.expunge(uid)
    all_agree()
    for uid in program.uids():
        program.expunge(uid)
    all_agree()
    assert all(view.seen == {} for view in views.values())


def test_a_second_look_with_nothing_new_changes_nothing(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    raw_client(imap_server, login).append(mail(1))
    for mask in strategies(imap_server).values():
        account, view = connect(imap_server, login, mask=mask), View()
        view.observe(account)
        before = dict(view.seen)
        for delta in view.observe(account):
            assert (delta.found, delta.vanished, delta.reset) == ((), (), False)
        assert view.seen == before


def test_a_whole_look_reads_everything_again_and_misses_what_went(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    first, second = program.append(mail(1)), program.append(mail(2))
    account, view = connect(imap_server, login), View()
    view.observe(account)
    program.expunge(first)
    program.flag(second, SEEN)
    deltas = view.observe(account, whole=True)
    assert [found.place.uid for delta in deltas for found in delta.found] == [second]
    assert [uid for delta in deltas for uid in delta.vanished] == [first]
    assert SEEN in view.seen[Uid(second)][1]


@pytest.mark.server("dovecot", "cyrus", "greenmail")
def test_a_folder_made_anew_is_read_from_the_start(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    program = raw_client(imap_server, login)
    program.create("Work")
    program.append(mail(1), "Work")
    name = program.name("Work")
    accounts = [connect(imap_server, login, mask=mask) for mask in strategies(imap_server).values()]
    views = [View() for _ in accounts]
    for account, view in zip(accounts, views, strict=True):
        view.observe(account, name)
        assert view.cursor
        # As if a newer generation had been read before: no server reuses a UIDVALIDITY downwards.
        view.cursor = Cursor(
            name, UidValidity(view.cursor.uidvalidity + 7), Uid(40), view.cursor.highestmodseq
        )
        view.seen = {Uid(33): (token(33), frozenset())}
        deltas = view.observe(account, name)
        assert deltas[0].reset
        assert view.tokens == {token(1)}


def test_uidnext_going_backwards_counts_as_another_folder(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    raw_client(imap_server, login).append(mail(1))
    for mask in strategies(imap_server).values():
        account, view = connect(imap_server, login, mask=mask), View()
        view.observe(account)
        assert view.cursor
        view.cursor = Cursor(
            "INBOX", view.cursor.uidvalidity, Uid(view.cursor.uidnext + 50), view.cursor.highestmodseq
        )
        assert view.observe(account)[0].reset
        assert view.tokens == {token(1)}


@pytest.mark.server("dovecot", "cyrus")
def test_a_modseq_going_backwards_counts_as_another_folder(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login = imap_server.new_user()
    raw_client(imap_server, login).append(mail(1))
    for mask in (STRATEGIES["qresync"], STRATEGIES["condstore"]):
        account, view = connect(imap_server, login, mask=mask), View()
        view.observe(account)
        assert view.cursor and view.cursor.highestmodseq
        ahead = ModSeq(view.cursor.highestmodseq + 50)
        view.cursor = Cursor("INBOX", view.cursor.uidvalidity, view.cursor.uidnext, ahead)
        assert view.observe(account)[0].reset
        assert view.tokens == {token(1)}
        assert view.cursor.highestmodseq < ahead


@pytest.mark.parametrize("enabled", [b"* ENABLED\r\n", b"", b"* ENABLED CONDSTORE\r\n"])
def test_qresync_that_is_offered_and_not_enabled_is_not_used(
    enabled: bytes, dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    """As iCloud does, which answers ENABLE with an empty list."""
    login, line = dovecot.new_user(), Line()
    program = raw_client(dovecot, login)
    uids = [program.append(mail(number)) for number in range(3)]
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    enabling = proxy.answer(rb"ENABLE QRESYNC", enabled + b"{tag} OK done\r\n")
    account, view = connect(proxy, login, trace=line), View()
    view.observe(account)
    program.flag(uids[1], SEEN)
    program.expunge(uids[2])
    view.observe(account)

    assert {uid: SEEN in flags for uid, (_, flags) in view.seen.items()} == {uids[0]: False, uids[1]: True}
    assert enabling.fired
    assert line.sent("SELECT") and not any(b"QRESYNC" in said for said in line.sent("SELECT"))
    assert line.sent("CHANGEDSINCE")


def test_flags_are_never_those_of_another_message(dovecot: Dovecot, connect: Open, raw_client: Mail) -> None:
    """Without QRESYNC, Dovecot tells of another session's change by sequence number alone."""
    login = dovecot.new_user()
    program = raw_client(dovecot, login)
    uids = [program.append(mail(number)) for number in range(10)]
    for uid in uids[:4]:
        program.expunge(uid)
    account, view = connect(dovecot, login, mask=STRATEGIES["plain"]), View()
    view.observe(account)
    program.flag(uids[8], DELETED)  # sequence number 5, which is also a UID that is there
    outcome = account.mark([FlagChange(token(4), view.place(token(4)), seen=True)])[0]
    assert outcome.done
    assert outcome.flags is not None
    assert outcome.flags.flags == {SEEN}


@pytest.mark.server("dovecot", "cyrus")
def test_status_that_proves_nothing_happened_spares_the_select(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login, line = imap_server.new_user(), Line()
    raw_client(imap_server, login).append(mail(1))
    view = View()
    view.observe(connect(imap_server, login))
    account = connect(imap_server, login, trace=line)
    assert view.observe(account) == []
    assert line.sent("SELECT") == []


def test_nothing_new_takes_three_round_trips_and_two_where_the_server_is_known(
    dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    login = dovecot.new_user()
    raw_client(dovecot, login).append(mail(1))
    view = View()
    view.observe(connect(dovecot, login))
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    account = connect(proxy, login)
    view.observe(account)
    account.close()
    assert proxy.reset_counts().trips == account.traffic.round_trips == 3
    known = connect(proxy, login, known_capabilities=account.capabilities)
    view.observe(known)
    warm = proxy.counts.trips
    view.observe(known)
    assert proxy.counts.trips - warm == 1
    known.close()
    counts = proxy.counts
    assert (counts.trips, known.traffic.round_trips) == (3, 3)
    assert (counts.bytes_in, counts.bytes_out) == (known.traffic.bytes_in, known.traffic.bytes_out)


def test_a_server_that_offers_less_than_it_did_is_still_understood(
    dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    login = dovecot.new_user()
    raw_client(dovecot, login).append(mail(1))
    known = dovecot.capabilities | {"SASL-IR", "AUTH=PLAIN"}
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    proxy.answer(rb"^v\d+ LIST .* RETURN", b"{tag} BAD Unknown parameter\r\n")
    view = View()
    view.observe(connect(proxy, login, known_capabilities=known))
    assert view.tokens == {token(1)}


def test_a_vanished_that_contradicts_exists_is_not_believed(
    dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    login = dovecot.new_user()
    program = raw_client(dovecot, login)
    uids = [program.append(mail(number)) for number in range(5)]
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    account, view = connect(proxy, login), View()
    view.observe(account)
    program.expunge(uids[0])
    proxy.rewrite(rb"^\* VANISHED \(EARLIER\) .*", b"* VANISHED (EARLIER) 1:4294967295\r\n")
    deltas = view.observe(account)
    assert [uid for delta in deltas for uid in delta.vanished] == [uids[0]]
    assert set(view.seen) == set(uids[1:])


def test_a_listing_that_does_not_agree_with_exists_is_no_evidence_and_the_cursor_waits(
    dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    login = dovecot.new_user()
    program = raw_client(dovecot, login)
    uids = [program.append(mail(number)) for number in range(5)]
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    account, view = connect(proxy, login), View()
    view.observe(account)
    before = view.cursor
    program.expunge(uids[0])
    proxy.rewrite(rb"^\* VANISHED \(EARLIER\) .*", b"* VANISHED (EARLIER) 1:5\r\n")
    proxy.rewrite(rb"^(\* ESEARCH .*) ALL .*", rb"\1 ALL 5\r\n")
    view.observe(account)
    assert set(view.seen) == set(uids)
    assert view.cursor and before and view.cursor.highestmodseq == before.highestmodseq
    proxy.heal()
    view.observe(account)
    assert set(view.seen) == set(uids[1:])


def test_a_vanished_inside_any_command_is_not_lost(dovecot: Dovecot, connect: Open, raw_client: Mail) -> None:
    login = dovecot.new_user()
    program = raw_client(dovecot, login)
    uids = [program.append(mail(number)) for number in range(3)]
    account, view = connect(dovecot, login), View()
    view.observe(account)
    program.expunge(uids[0])
    outcome = account.mark([FlagChange(token(1), view.place(token(1)), seen=True)])[0]  # hears of it in here
    assert outcome.done
    view.observe(account)
    assert set(view.seen) == set(uids[1:])


@pytest.mark.server("sim-condstore")
def test_what_went_without_a_higher_modseq_shows_in_the_number_of_messages(
    imap_server: Server, connect: Open, raw_client: Mail
) -> None:
    login, line = imap_server.new_user(), Line()
    program = raw_client(imap_server, login)
    uids = [program.append(mail(number)) for number in range(3)]
    program.flag(uids[0], DELETED)
    view = View()
    view.observe(connect(imap_server, login))
    before = view.cursor
    program.client.expunge()
    view.observe(connect(imap_server, login))
    assert set(view.seen) == set(uids[1:])
    assert before is not None
    assert view.cursor is not None
    assert (view.cursor.highestmodseq, view.cursor.messages) == (before.highestmodseq, 2)
    assert view.observe(connect(imap_server, login, trace=line)) == []
    assert line.sent("SELECT") == []


def test_a_folder_without_uidvalidity_cannot_be_trusted(
    dovecot: Dovecot, connect: Open, proxy_to: MakeProxy
) -> None:
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    proxy.rewrite(rb"^\* OK \[UIDVALIDITY .*", b"* OK [UIDVALIDITY 0] none\r\n")
    account = connect(proxy, dovecot.new_user())
    inbox = named(account, "INBOX")
    with pytest.raises(FolderError, match="UIDVALIDITY"):
        list(account.observe(inbox, Cursor("INBOX", UidValidity(1), Uid(1)), [Uid(1)]))


def test_a_folder_that_loses_modseq_falls_back_to_plain_flags(
    dovecot: Dovecot, connect: Open, raw_client: Mail, proxy_to: MakeProxy
) -> None:
    login = dovecot.new_user()
    program = raw_client(dovecot, login)
    uids = [program.append(mail(number)) for number in range(3)]
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    proxy.rewrite(rb"^\* OK \[HIGHESTMODSEQ .*", b"* OK [NOMODSEQ] none\r\n")
    account, view = connect(proxy, login), View()
    view.observe(account)
    assert view.cursor and view.cursor.highestmodseq is None
    program.flag(uids[1], SEEN)
    program.expunge(uids[2])
    view.observe(account)
    assert {uid: SEEN in flags for uid, (_, flags) in view.seen.items()} == {uids[0]: False, uids[1]: True}


def test_more_new_messages_than_fit_one_delta_come_in_several(
    dovecot: Dovecot, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncengine.imap.observe._AT_ONCE", 3)
    monkeypatch.setattr("syncengine.imap.observe._BATCH", 4)
    account, login = connect(dovecot, dovecot.new_user()), View()
    login.observe(account)
    for number in range(10):
        account.append("INBOX", token(number), mail(number), flags=frozenset(), received=WHEN)
    deltas = login.observe(account)
    assert [len(delta.found) for delta in deltas] == [4, 4, 2]
    assert [delta.cursor.uidnext for delta in deltas] == [5, 9, 11]
    whole = View(login.cursor, dict(login.seen))
    again = whole.observe(account, whole=True)
    assert [len(delta.found) for delta in again] == [4, 4, 2]
    assert {delta.cursor.uidnext for delta in again} == {11}
