"""What people do on the pages, in a real browser and on a real mail server, with and without script."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from syncengine.options.edit import add_mailbox, set_mailbox
from syncengine.options.files import load
from syncengine.web.users import Users
from syncengine.web.who import Role
from tests.support.chromium import NARROW, View, view
from tests.support.dovecot import Dovecot
from tests.support.mailprogram import MailProgram
from tests.support.pages import pages
from tests.support.world import NUMBER, World, wav

BOX = f"/mailboxes/{NUMBER}"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'\u202egnp"


@pytest.fixture
def world(dovecot: Dovecot, tmp_path: Path) -> Iterator[World]:
    login = dovecot.new_user()
    with MailProgram(dovecot, login) as mail:
        world = World(tmp_path, dovecot, login, mail)
        world.write()
        yield world


@pytest.fixture
def host(world: World) -> Iterator[str]:
    with pages(world.config) as (engine, browser):
        world.engine = engine
        yield browser.host


@pytest.fixture
def wide(chrome: Browser, host: str) -> Iterator[View]:
    with view(chrome, host) as one:
        yield one


@pytest.fixture
def without_script(chrome: Browser, host: str) -> Iterator[View]:
    with view(chrome, host, script=False) as one:
        yield one


def words(page: Page) -> str:
    return page.locator("main").inner_text()


# A mailbox's page


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_message_goes_through_its_life_by_buttons(chrome: Browser, host: str, world: World, script: bool):
    message = world.deliver()
    with view(chrome, host, script=script) as one:
        page = one.go(BOX)
        expect(page.get_by_text("not there yet, to be sent")).to_be_visible()
        page.get_by_role("button", name="Dry run").click()
        expect(page.get_by_role("heading", name="Plan for mailbox 101")).to_be_visible()
        expect(page.get_by_role("row", name=f"remote append {message} 1")).to_be_visible()
        assert world.message(message).delivery == "queued", "a plan changes nothing"

        one.go(BOX).get_by_role("button", name="Resync now").click()
        expect(page.get_by_text("Done.")).to_be_visible()
        page.get_by_role("link", name="To mailbox 101").click()
        expect(page.get_by_text("unread")).to_be_visible()
        assert world.places(message)

        page.get_by_role("button", name="Mark heard").click()
        expect(page.get_by_text("The message is marked heard.")).to_be_visible()
        expect(page.get_by_role("region", name="What is pending")).to_contain_text("mark-heard")
        page.get_by_role("button", name="Resync now").click()
        assert world.seen(message)

        one.go(BOX).get_by_role("button", name="Delete").click()
        expect(page.get_by_role("button", name="Restore")).to_be_visible()
        page.get_by_role("button", name="Resync now").click()
        page.get_by_role("link", name="To mailbox 101").click()
        expect(page.get_by_text("in Trash")).to_be_visible()
        page.get_by_role("button", name="Restore").click()
        page.get_by_role("button", name="Resync now").click()
        page.get_by_role("link", name="To mailbox 101").click()
        expect(page.locator(".message")).to_contain_text("Voice Mail Messages")
        assert not world.message(message).deleted


def test_the_brake_is_let_go_for_what_was_shown(wide: View, world: World):
    messages = [world.arrived(caller_name=f"Caller {n}") for n in range(3)]
    for message in messages:
        world.expunge(message)
    world.resync()
    page = wide.go(BOX)
    expect(page.get_by_role("region", name="Held")).to_contain_text("Caller 2")
    page.get_by_role("button", name="Accept exactly these 3 deletes").click()
    expect(page.get_by_text("Done.")).to_be_visible()
    assert all(world.message(message).deleted for message in messages)


def test_the_sound_plays_in_the_page_and_goes_on_while_it_changes(wide: View, world: World):
    world.box.deliver(wav(8000 * 30), caller_name="Peter Adams")
    page = wide.go(BOX)
    page.evaluate("window.audio = document.querySelector('audio'); audio.play()")
    playing = "audio.currentTime > 0 && !audio.paused && audio.isConnected"
    page.wait_for_function(playing)
    world.box.deliver(wav(), caller_name="Warehouse")
    expect(page.get_by_role("heading", name="Warehouse")).to_be_visible()
    at = page.evaluate("audio.currentTime")
    page.wait_for_function(f"audio.currentTime > {at} && {playing}")


def test_hostile_words_stay_words(wide: View, world: World):
    world.box.deliver(wav(), caller_name=HOSTILE)
    page = wide.go(BOX)
    expect(page.locator(".message h3")).to_contain_text("<script>alert(1)</script>")
    assert page.locator(".message img").count() == 0
    world.box.deliver(wav(), caller_name=HOSTILE + "2")
    expect(page.locator(".message h3")).to_have_count(2)  # they come by script now


# Live


def test_the_page_follows_without_being_reloaded(wide: View, world: World):
    page = wide.go(BOX)
    page.evaluate("window.same = true")
    message = world.arrived(caller_name="Peter Adams")
    expect(page.get_by_role("heading", name="Peter Adams")).to_be_visible()
    page.get_by_role("button", name="Delete").focus()
    world.flag(message, "\\Seen")
    world.sync_ok()
    expect(page.get_by_role("button", name="Mark new")).to_be_visible()
    assert page.evaluate("window.same"), "it was not loaded anew"
    focused = page.evaluate("document.activeElement.textContent")
    assert focused == "Delete", "whoever works by keyboard stays where he was"


def test_the_list_follows_and_what_is_being_typed_stays(wide: View, world: World):
    page = wide.go("/")
    page.get_by_label("Number or e-mail name").fill("half a wo")
    expect(page.get_by_role("row", name="101").get_by_text("in-step")).to_be_visible()
    world.deliver()
    expect(page.get_by_role("row", name="101").get_by_text("pending")).to_be_visible()
    assert page.get_by_label("Number or e-mail name").input_value() == "half a wo"


def test_a_page_that_was_left_is_told_no_more(chrome: Browser, host: str, world: World):
    with view(chrome, host) as one:
        with one.page.expect_request(lambda asked: "/live?" in asked.url):
            one.go(BOX)
        with one.page.expect_event("requestfailed", lambda asked: "/live?" in asked.url):
            one.go("/options")


def test_each_step_of_the_test_is_shown_as_it_is_done(wide: View, world: World):
    """The mail server greets only after the first steps were seen on the page."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = threading.Event()
        set_mailbox(world.config, NUMBER, {"imap4.port": listener.getsockname()[1]})
        world.engine.adopt_settings(load(world.config))

        def serve() -> None:
            for _ in range(2):  # one connection is for the step alone
                connection, _ = listener.accept()
                threading.Thread(target=hold, args=[connection], daemon=True).start()

        def hold(connection: socket.socket) -> None:
            with connection:
                assert asked.wait(60)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        page = wide.go(f"/options/{NUMBER}")
        page.get_by_role("button", name="Test").click(no_wait_after=True)
        expect(page.get_by_text("imap4 tcp")).to_be_visible()
        assert "failed" not in words(page)
        asked.set()
        expect(page.get_by_text("A step failed.")).to_be_visible()
        expect(page.get_by_text("imap4 login: failed")).to_be_visible()


# Mailbox Options


def test_a_mailbox_is_set_up_by_keyboard_alone(wide: View, world: World):
    """From the picture of all to a tested account, without a pointer; what has the focus is always seen."""
    page = wide.go("/")
    keys = page.keyboard

    def to(name: str) -> None:
        """Tab until this has the focus."""
        for _ in range(120):
            keys.press("Tab")
            at = page.evaluate(
                """(() => { const one = document.activeElement;
                const label = one.labels && one.labels[0] ? one.labels[0] : one;
                return [(one.getAttribute("aria-label") || label.textContent).trim(),
                  getComputedStyle(one).outlineStyle]; })()"""
            )
            if at[0] == name:
                assert at[1] != "none", f"{name} has the focus, and nobody sees it"
                return
        raise AssertionError(f"{name} is not reached by keyboard")

    def wait(heading: str) -> None:
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()

    to("Mailbox Options")
    keys.press("Enter")
    wait("Mailbox Options")
    for digit in "10":
        to(digit)
        keys.press("Enter")
        expect(page.get_by_label("Mailbox number")).to_have_value("1" if digit == "1" else "10")
    to("Mailbox number")
    keys.press("End")
    keys.type("1")
    keys.press("Enter")
    wait("Options of mailbox 101")
    to("Email Integration Sync Mode")
    keys.type("Inbox")
    to("Imap4 SSL")
    keys.type("No")
    to("Imap4 Search Mode")
    keys.type("Text")
    to("Apply changes")
    keys.press("Enter")
    expect(page.get_by_text("The changes are applied.")).to_be_visible()
    mailbox = world.engine.settings.mailboxes[NUMBER]
    assert (mailbox.sync_mode, mailbox.imap4.search_mode) == ("inbox", "text")
    to("Test")
    keys.press("Enter")
    expect(page.get_by_text("Every step went well.")).to_be_visible()


def test_a_port_follows_its_security_before_anything_is_sent(wide: View, world: World):
    add_mailbox(world.config, "102", {})
    world.engine.adopt_settings(load(world.config))
    page = wide.go("/options/102")
    port = page.get_by_label("Imap4 Port")
    assert port.input_value() == "993"
    page.get_by_label("Imap4 SSL").select_option("No")
    assert port.input_value() == "143"
    port.fill("1430")
    page.get_by_label("Imap4 SSL").select_option("Yes")
    assert port.input_value() == "1430", "one that was chosen stays"


def test_without_script_the_port_follows_too(without_script: View, world: World):
    add_mailbox(world.config, "102", {})
    world.engine.adopt_settings(load(world.config))
    page = without_script.go("/options/102")
    page.get_by_label("Imap4 SSL").select_option("No")
    page.get_by_role("button", name="Apply changes").click()
    expect(page.get_by_text("The changes are applied.")).to_be_visible()
    assert page.get_by_label("Imap4 Port").input_value() == "143"


def test_of_two_who_edit_the_later_one_is_told(chrome: Browser, host: str, world: World):
    conflict = "409 (Conflict)"
    with view(chrome, host) as first, view(chrome, host, size=NARROW, expected=(conflict,)) as second:
        for one in (first, second):
            one.go(f"/options/{NUMBER}")
        first.page.get_by_label("Email Name").fill("one@example.com")
        first.page.get_by_role("button", name="Apply changes").click()
        expect(first.page.get_by_text("The changes are applied.")).to_be_visible()
        second.page.get_by_label("Email Name").fill("two@example.com")
        second.page.get_by_role("button", name="Apply changes").click()
        expect(second.page.get_by_role("alert")).to_contain_text("Somebody else changed this mailbox")
        expect(second.page.get_by_text("At present: one@example.com.")).to_be_visible()
        assert second.page.get_by_label("Email Name").input_value() == "two@example.com"
        assert load(world.config).mailboxes[NUMBER].email_name == "one@example.com"
        second.page.get_by_role("button", name="Apply changes").click()
        expect(second.page.get_by_text("The changes are applied.")).to_be_visible()


# Misc Setup


def test_the_protocol_is_changed_as_the_manual_says(wide: View, world: World):
    """Page 7: click on the digit in the Ignore column, write over the value, Apply changes."""
    sends = {"delivery": "smtp", "smtp.server": "127.0.0.1", "smtp.security": "none"}
    set_mailbox(world.config, NUMBER, sends)  # in a POP3 account nothing is put by APPEND
    page = wide.go("/")
    page.get_by_role("link", name="Misc Setup").click()
    page.get_by_role("link", name="Ignore 0: change g_szEmailDllPath").click()
    expect(page.get_by_role("heading", name="vmconfig [g_szEmailDllPath]")).to_be_visible()
    value = page.get_by_label("Value")
    assert value.input_value() == "/usr/local/vm/lib/libsmtpimap4.so"
    value.fill("/usr/local/vm/lib/libsmtppop3.so")
    page.get_by_label("Ignore").select_option("0")
    page.get_by_role("button", name="Apply changes").click()
    expect(page.get_by_role("row", name="g_szEmailDllPath")).to_contain_text(
        "/usr/local/vm/lib/libsmtppop3.so"
    )
    page.goto(f"http://{wide.host}/options/{NUMBER}")
    expect(page.get_by_label("Pop3 Server")).to_be_visible()


# Who may


def test_a_subscriber_signs_in_and_has_his_own_mailbox_only(chrome: Browser, host: str, world: World):
    add_mailbox(world.config, "102", {})
    world.deliver()
    Users(world.engine.state_dir).add("sam", Role.SUBSCRIBER, "correct horse", NUMBER)
    with view(chrome, host, expected=("403 (Forbidden)",)) as one:
        page = one.go("/")
        page.get_by_label("Name").fill("sam")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Mailbox 101")).to_be_visible()
        assert page.get_by_role("button", name="Resync now").count() == 0
        page.get_by_role("button", name="Mark heard").click()
        expect(page.get_by_text("The message is marked heard.")).to_be_visible()
        world.deliver(caller_name="Warehouse")
        expect(page.get_by_role("heading", name="Warehouse")).to_be_visible()
        page.get_by_role("link", name="Mailbox Options").click()
        expect(page.get_by_label("Imap4 Server")).to_be_visible()
        one.go("/mailboxes/102")
        expect(page.get_by_text("This is not for you.")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_page_whose_visitor_signed_out_elsewhere_asks_him_to_sign_in(
    chrome: Browser, host: str, world: World
):
    users = Users(world.engine.state_dir)
    users.add("olga", Role.OPERATOR, "correct horse", None)
    with view(chrome, host) as one:
        page = one.go("/sign-in")
        page.get_by_label("Name").fill("olga")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Sign in").click()
        one.go(BOX)
        other = page.context.new_page()
        other.goto(f"http://{host}/options")
        other.get_by_role("button", name="Sign out").click()
        expect(other.get_by_role("button", name="Sign in")).to_be_visible()
        world.deliver()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
