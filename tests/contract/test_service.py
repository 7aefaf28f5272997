"""The service on a real server: what happens on one side is told on the other within moments, by itself."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from syncengine.engine.clock import Clock
from syncengine.engine.engine import Engine
from syncengine.engine.lock import mailbox_lock
from syncengine.errors import Busy
from syncengine.model import LocalListing
from syncengine.options.files import load
from syncengine.service.jobs import Done
from syncengine.service.lender import Limits
from syncengine.service.service import Service, Threads
from tests.support.base import HOST, Login
from tests.support.proxy import Proxy
from tests.support.waiting import eventually
from tests.support.world import NUMBER, World, wav, world

SLOW = {"poll_interval": "1h", "idle_poll_interval": "1h"}
"""Nothing is found by polling: what is noticed was told."""


@contextmanager
def running(there: World, **how: object) -> Iterator[Service]:
    """The service over a world's engine, until the block ends."""
    service = Service(there.engine, **how)  # type: ignore[arg-type]
    there.engine.start_loops(service)
    try:
        yield service
    finally:
        there.engine.stop()


@pytest.fixture
def there(dovecot, tmp_path):
    with world(tmp_path, dovecot, sync=SLOW | {"command_timeout": "5s"}) as one:
        one.engine._clock = Clock()
        yield one


def watched(service: Service) -> None:
    eventually(lambda: service.figures().watching == 1 and service.figures().busy == 0, what="IDLE")


def test_a_message_taken_in_is_in_the_account_at_once(there: World):
    with running(there) as service:
        eventually(lambda: service.figures().first_round == 0)
        message = there.deliver()
        eventually(lambda: there.places(message))


def test_read_in_the_mail_is_heard_at_the_phone_by_push_alone(there: World):
    with running(there) as service:
        message = there.deliver()
        eventually(lambda: there.message(message).delivery == "confirmed")
        watched(service)
        there.flag(message, "\\Seen")
        eventually(lambda: there.message(message).heard)


def test_heard_at_the_phone_is_read_in_the_mail_at_once(there: World):
    message = there.arrived()
    with running(there) as service:
        watched(service)
        there.box.mark_heard(message)
        eventually(lambda: there.seen(message))


def test_stopping_leaves_no_thread_and_no_descriptor(there: World):
    """After the first time: SQLite and inotify keep a descriptor or two for the next use."""
    threads = set(threading.enumerate())
    kept = []
    for _ in range(3):
        with running(there) as service:
            message = there.deliver()
            watched(service)
            there.box.mark_heard(message)
        assert set(threading.enumerate()) == threads
        kept.append(open_files())
    assert kept[1] == kept[2]


def test_a_stop_ends_the_wait_for_a_server_that_says_nothing(there: World):
    with silent() as (port, accepted), running(there) as service:
        there.deliver()
        watched(service)
        there.imap4 = {"port": port}
        there.sync["command_timeout"] = "1h"
        there.write()
        eventually(accepted, what="the engine at the silent server")
        started = time.monotonic()
        there.engine._loops = None
        service.stop()
        assert time.monotonic() - started < 5, "nothing is under way at a server that has not said a word"
        assert not [t for t in threading.enumerate() if t.name.startswith("syncengine")]


# Options while running


def test_changed_options_are_in_force_within_a_second_and_others_keep_their_connection(there: World):
    add_mailbox(there, "102")
    with running(there) as service:
        eventually(lambda: service.figures().mailboxes == 2 and service.figures().first_round == 0)
        message = there.deliver()
        theirs = there.engine.mailbox("102").deliver(wav()).id
        eventually(lambda: service.figures().watching == 2, what="both watched")
        before = service._lender._waiting["102"]
        there.sync["poll_interval"] = "1h"
        there.options["sync_mode"] = "inbox"
        there.write()
        eventually(lambda: there.engine.settings.mailboxes[NUMBER].sync_mode == "inbox")
        eventually(lambda: service.figures().busy == 0 and service.figures().watching == 2)

        assert service._lender._waiting["102"] is before
        assert not there.message(message).deleted
        assert there.engine.mailbox("102").message(theirs).delivery == "confirmed"


def test_bad_options_are_refused_and_said_and_the_last_good_stay(there: World, caplog):
    with running(there) as service:
        eventually(lambda: service.figures().first_round == 0)
        good = there.engine.settings
        there.config.write_text("[system\n")
        eventually(lambda: service.figures().options_error)

        assert there.engine.settings is good
        assert "the last good options stay in force" in caplog.text
        message = there.deliver()
        eventually(lambda: there.places(message))
        there.write()
        eventually(lambda: service.figures().options_error is None)


def test_a_file_that_is_still_empty_is_no_change(there: World):
    """Whoever writes a file in place begins by emptying it."""
    with running(there) as service:
        eventually(lambda: service.figures().first_round == 0)
        good = there.engine.settings
        there.config.write_text("")
        eventually(lambda: "is empty" in (service.figures().options_error or ""))
        assert there.engine.settings is good
        there.write()
        eventually(lambda: service.figures().options_error is None)
        assert service.figures().mailboxes == 1


def test_mailboxes_come_and_go_live(there: World):
    with running(there) as service:
        eventually(lambda: service.figures().first_round == 0)
        add_mailbox(there, "102")
        eventually(lambda: service.figures().mailboxes == 2)
        theirs = there.engine.mailbox("102").deliver(wav()).id
        eventually(lambda: there.engine.mailbox("102").message(theirs).delivery == "confirmed")
        eventually(lambda: service.figures().watching == 1)

        (there.folder / "mailboxes.d" / "102.toml").unlink()
        eventually(lambda: service.figures().mailboxes == 1)
        eventually(lambda: service.figures().connections <= 1)


def test_from_imap4_to_pop3_and_back_nothing_is_inferred(there: World):
    message = there.arrived()
    with running(there) as service:
        watched(service)
        there.options |= {"protocol": "pop3", "delivery": "smtp"}
        there.smtp = {"server": HOST, "port": 9, "security": "none"}
        there.write()
        eventually(lambda: service.figures().watching == 0)
        there.expunge(message)
        eventually(lambda: service.figures().busy == 0)
        assert not there.message(message).deleted

        second = there.engine.mailbox(NUMBER).deliver(wav()).id
        there.box.delete(second)
        there.options = {}
        there.smtp = {}
        there.write()
        watched(service)
        # It disappeared while nobody looked, from a folder whose identity is unchanged: that is told
        # as any disappearance is, undoably, and nothing else is.
        eventually(lambda: there.message(message).deleted)
        there.box.restore(message)
        eventually(lambda: there.places(message))


def test_integration_off_and_on_again_keeps_what_was_agreed(there: World):
    message = there.arrived()
    with running(there) as service:
        watched(service)
        there.system["email_integration"] = False
        there.write()
        eventually(lambda: service.figures().mailboxes == 0 and service.figures().connections == 0)
        there.box.mark_heard(message)
        there.system["email_integration"] = True
        there.write()
        eventually(lambda: there.seen(message))


def test_a_mailbox_that_leaves_in_the_middle_of_a_pass_leaves_no_connection(there: World, proxy_to):
    proxy = proxy_to(there.server.host, there.server.imap_port)
    there.imap4 = {"port": proxy.port}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    with running(there) as service:
        watched(service)
        reached, go_on = threading.Event(), threading.Event()
        listing = there.engine.store.listing

        def slowly(number: str) -> LocalListing:
            if threading.current_thread().name == "syncengine-pass":
                reached.set()
                assert go_on.wait(60)
            return listing(number)

        there.engine.store.listing = slowly  # type: ignore[method-assign]
        there.box.mark_heard(message)
        assert reached.wait(60)
        there.system["email_integration"] = False
        there.write()
        eventually(lambda: service.figures().mailboxes == 0)
        go_on.set()
        eventually(lambda: service.figures().connections == 0)


# Others at the same state directory


def test_a_second_service_leaves_with_a_clear_line(there: World):
    with running(there), Engine.open(there.config) as second:
        with pytest.raises(Busy, match=r"another service \(process \d+\) runs over this state directory"):
            second.start()
        assert second.mailbox(NUMBER).messages() == ()


def test_a_change_by_another_process_is_told_at_once(there: World):
    message = there.arrived()
    with running(there) as service, Engine.open(there.config) as other:
        watched(service)
        other.mailbox(NUMBER).mark_heard(message)
        eventually(lambda: there.seen(message))


def test_a_pass_of_another_process_is_waited_for_without_asking_again_and_again(there: World, caplog):
    message = there.arrived()
    with running(there) as service:
        watched(service)
        with mailbox_lock(there.engine.state_dir, NUMBER):
            there.box.mark_heard(message)
            eventually(lambda: service._scheduler._entries[NUMBER].floor > time.monotonic())
    with running(there):
        eventually(lambda: there.seen(message))


# Trouble


def test_servers_that_accept_and_never_answer_keep_nobody_waiting(there: World):
    with silent() as (port, accepted):
        for number in range(200, 240):
            add_mailbox(there, str(number), port=port, command_timeout="1h")
        threads = Threads(at_pace=2, most=4, doubtful=6)
        there.engine.adopt_settings(load(there.config))
        with running(there, threads=threads) as service:
            eventually(accepted)
            eventually(lambda: there.engine.index.passes.get(NUMBER).last_ok)
            started = time.monotonic()
            message = there.deliver()
            eventually(lambda: there.places(message))
            watched_now = service.figures()
            there.flag(message, "\\Seen")
            eventually(lambda: there.message(message).heard)

            assert time.monotonic() - started < 8
            assert watched_now.first_round > 0
            service.stop(grace=0.1)
            there.engine._loops = None


def test_a_password_refused_three_times_is_not_tried_any_more_until_the_options_change(there: World):
    there.imap4 = {"password": "wrong"}
    there.write()
    there.engine.adopt_settings(load(there.config))
    with running(there) as service:
        service._scheduler._random = lambda: 0.0
        eventually(lambda: there.engine.index.passes.get(NUMBER).last_error)
        assert "login refused" in (there.engine.status(NUMBER).last_error or "")
        there.imap4 = {}
        there.write()
        eventually(lambda: there.engine.index.passes.get(NUMBER).last_error is None)


def test_a_server_that_asks_to_be_left_alone_is_left_alone_whatever_happens(there: World, proxy_to):
    proxy = proxy_to(there.server.host, there.server.imap_port, keep=True)
    there.imap4 = {"port": proxy.port}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    asked = b"{tag} NO Request is throttled. Suggested Backoff Time: 600000 milliseconds\r\n"
    proxy.answer(rb" LIST ", asked, times=1)
    with running(there) as service:
        eventually(lambda: there.engine.index.passes.get(NUMBER).last_error)
        eventually(lambda: (there.engine.index.passes.get(NUMBER).next_try or 0) - time.time() > 500)
        said = proxy.counts.connections
        there.box.mark_heard(message)
        eventually(lambda: there.engine.index.passes.get(NUMBER).dirty_since)
        version = service._version
        there.box.mark_new(message)
        eventually(lambda: service._version != version, what="the change noticed")
        eventually(lambda: service.figures().busy == 0)
        assert proxy.counts.connections == said
        assert service._scheduler.due(NUMBER) - time.monotonic() > 500


def test_a_watching_connection_that_was_cut_is_made_anew(there: World, dovecot, proxy_to):
    proxy = proxy_to(dovecot.host, dovecot.imap_port)
    there.imap4 = {"port": proxy.port}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    with running(there) as service:
        watched(service)
        proxy.drop_all()
        eventually(lambda: service.figures().watching == 0)
        eventually(lambda: service.figures().watching == 1, timeout=15)
        there.flag(message, "\\Seen")
        eventually(lambda: there.message(message).heard)


# Looking at what has not changed


def test_where_nothing_changes_a_glance_takes_the_place_of_a_pass(there: World, proxy_to):
    proxy = proxy_to(there.server.host, there.server.imap_port, keep=True)
    there.imap4 = {"port": proxy.port}
    there.sync |= {"poll_interval": "0.1s"}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    glances = Glances()
    with running(there, told=glances) as service:
        watched(service)
        glances.several()
        trips = {done.report.traffic.round_trips for done in glances.unchanged if done.report}
        assert trips == {1}, "DONE, NOOP, LIST and IDLE travel together"
        eventually(lambda: proxy.said(rb" SELECT ") == glances.selects(proxy), what="the folder stays open")
        recorded = there.engine.index.passes.get(NUMBER).last_ok
        eventually(lambda: there.engine.index.passes.get(NUMBER).last_ok != recorded)

        there.flag(message, "\\Seen")
        eventually(lambda: there.message(message).heard)
        there.sync["poll_interval"] = "0.2s"
        there.write()
        there.box.mark_new(message)
        eventually(lambda: not there.seen(message))


def test_polled_without_idle_a_glance_sees_what_changed(there: World):
    there.sync |= {"poll_interval": "0.1s", "idle_poll_interval": "0.1s", "idle": False}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    glances = Glances()
    with running(there, told=glances) as service:
        glances.several()
        assert service.figures().watching == 0
        for seen in (True, False):
            (there.flag if seen else there.unflag)(message, "\\Seen")
            eventually(lambda: there.message(message).heard is seen)  # noqa: B023
            glances.several()
        other = there.mail.append(b"Subject: not ours\r\n\r\n.\r\n")
        assert other
        passes = glances.passes
        eventually(lambda: glances.passes > passes)
        there.expunge(message)
        eventually(lambda: there.message(message).deleted)


def test_whatever_a_glance_meets_a_pass_finds_out(there: World, proxy_to):
    proxy = proxy_to(there.server.host, there.server.imap_port)
    there.imap4 = {"port": proxy.port}
    there.sync |= {"poll_interval": "0.1s"}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    glances = Glances()
    with running(there, told=glances):
        glances.several()
        proxy.drop_all()
        glances.several()
        there.flag(message, "\\Seen")
        eventually(lambda: there.message(message).heard)


# Connections


def test_over_tls_a_change_is_pushed_too(there: World, dovecot):
    there.imap4 = {"port": dovecot.imaps_port, "security": "tls", "ca_file": str(dovecot.ca_file)}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    with running(there) as service:
        watched(service)
        for seen in (True, False, True):
            (there.flag if seen else there.unflag)(message, "\\Seen")
            eventually(lambda: there.message(message).heard is seen)  # noqa: B023
            watched(service)


def test_with_notify_a_change_in_another_folder_is_pushed_too(there: World, proxy_to):
    """One connection for the whole account (RFC 5465)."""
    proxy = proxy_to(there.server.host, there.server.imap_port, keep=True)
    there.imap4 = {"port": proxy.port}
    there.reopen()
    there.engine._clock = Clock()
    elsewhere, *_ = [there.arrived() for _ in range(3)]
    there.mail.create("Work")
    there.move(elsewhere, "Work")
    there.sync_ok()
    with running(there) as service:
        watched(service)
        eventually(lambda: proxy.said(rb" NOTIFY SET "))
        there.flag(elsewhere, "\\Seen")
        eventually(lambda: there.message(elsewhere).heard)


def test_idle_is_renewed_and_what_comes_meanwhile_is_not_missed(there: World, proxy_to, monkeypatch):
    monkeypatch.setattr("syncengine.service.lender.RENEW", 0.2)
    proxy = proxy_to(there.server.host, there.server.imap_port, keep=True)
    there.imap4 = {"port": proxy.port}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    with running(there):
        eventually(lambda: proxy.said(rb" IDLE$") > 4)
        there.flag(message, "\\Seen")
        eventually(lambda: there.message(message).heard)
        eventually(lambda: proxy.said(rb"^DONE$") > 8)
    assert proxy.said(rb" (LOGIN|AUTHENTICATE) ") == 2, "one login before, and one for the service"


def test_a_warm_connection_serves_pass_after_pass(there: World, proxy_to):
    proxy = proxy_to(there.server.host, there.server.imap_port)
    there.imap4 = {"port": proxy.port}
    there.reopen()
    there.engine._clock = Clock()
    message = there.arrived()
    before = proxy.counts.connections
    with running(there) as service:
        watched(service)
        for heard in (True, False, True):
            (there.box.mark_heard if heard else there.box.mark_new)(message)
            eventually(lambda: there.seen(message) is heard)  # noqa: B023
        watched(service)
    assert proxy.counts.connections == before + 1
    eventually(lambda: proxy.open == 0)


def test_after_a_pass_of_the_hosts_own_the_account_is_watched_again(there: World):
    message = there.arrived()
    with running(there) as service:
        watched(service)
        assert there.engine.resync(NUMBER).ok
        watched(service)
        there.flag(message, "\\Seen")
        eventually(lambda: there.message(message).heard)


def test_beyond_the_limit_of_connections_mailboxes_take_turns(there: World):
    numbers = [NUMBER, "102", "103", "104", "105", "106"]
    for number in numbers[1:]:
        add_mailbox(there, number)
    there.sync["poll_interval"] = "0.3s"
    there.write()
    there.engine.adopt_settings(load(there.config))
    most = watching = 0
    with running(there, limits=Limits(total=4), threads=Threads(at_pace=2, most=2, doubtful=2)) as service:
        messages = {number: there.engine.mailbox(number).deliver(wav()).id for number in numbers}
        for number, message in messages.items():
            box = there.engine.mailbox(number)
            eventually(lambda: box.message(message).delivery == "confirmed")  # noqa: B023
        first = {number: there.engine.index.passes.get(number).last_ok for number in numbers}

        def all_passed_again() -> bool:
            nonlocal most, watching
            most = max(most, service.figures().connections)
            watching = max(watching, service.figures().watching)
            return all(there.engine.index.passes.get(n).last_ok != first[n] for n in numbers)

        eventually(all_passed_again)
        eventually(lambda: service.figures().watching > 0)
    assert most <= 4
    assert watching <= 3


def add_mailbox(there: World, number: str, port: int | None = None, **keys: str) -> Login:
    """A drop-in of a mailbox with an account of its own, at another port if wanted."""
    login = there.server.new_user()
    lines = ["email_integration = true", 'email_name = "x@example.com"', 'delivery = "append"']
    lines += [f'{key} = "{value}"' for key, value in keys.items()]
    lines += ["[imap4]", f'server = "{HOST}"', f"port = {port or there.server.imap_port}"]
    lines += ['security = "none"', f'account = "{login.user}"', f'password = "{login.password}"']
    folder = there.folder / "mailboxes.d"
    folder.mkdir(exist_ok=True)
    there.system["seats"] = 1000
    there.write()
    written = folder / f".{number}.new"
    written.write_text("\n".join(lines) + "\n")
    written.chmod(0o600)
    written.rename(folder / f"{number}.toml")
    return login


class Glances:
    """Counts passes and what took their place."""

    def __init__(self) -> None:
        self.unchanged: list[Done] = []
        self.passes = 0

    def __call__(self, done: Done) -> None:
        if done.unchanged:
            self.unchanged.append(done)
        else:
            self.passes += 1

    def selects(self, proxy: Proxy) -> int:
        """How often a folder was opened, some glances later."""
        self.several()
        return proxy.said(rb" SELECT ")

    def several(self) -> None:
        """Wait for some more glances."""
        before = len(self.unchanged)
        eventually(lambda: len(self.unchanged) > before + 3, what="glances")


@contextmanager
def silent() -> Iterator[tuple[int, Callable[[], bool]]]:
    """A server that accepts and never says a word; its port, and whether somebody has come."""
    with socket.create_server((HOST, 0), backlog=512) as listener:
        came = []

        def accepted() -> bool:
            listener.settimeout(0.05)
            with suppress(TimeoutError):
                came.append(listener.accept()[0])
            return bool(came)

        try:
            yield listener.getsockname()[1], accepted
        finally:
            for sock in came:
                sock.close()


def open_files() -> list[str]:
    """What every open descriptor of this process points to."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(re.sub(r"\[\d+\]", "", str(entry.readlink())))
    return sorted(links)
