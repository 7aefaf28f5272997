"""The Email tab: the manual's fields, order and words, for the command line and the page alike."""

from __future__ import annotations

import pytest

from syncengine.model import Security
from syncengine.options.edit import add_mailbox, set_mailbox
from syncengine.options.files import load
from syncengine.options.keys import SECTIONS, keys_of, section_keys
from syncengine.options.schema import Mailbox, Sync, SyncMode, System
from syncengine.options.tab import all_fields, email_tab, field_named, system_value_from_text, value_from_text
from syncengine.options.values import Protocol


def test_the_imap4_tab_is_the_manuals():
    assert [field.label for field in email_tab(Protocol.IMAP4)] == [
        "Email Integration",
        "Email Integration Send Mode",
        "Email Integration Sync Mode",
        "Email Name",
        "Smtp Server",
        "Domain Name",
        "Smtp Port",
        "Smtp SSL",
        "Smtp Authentication",
        "Smtp Account",
        "Smtp Password",
        "Imap4 Server",
        "Imap4 Port",
        "Imap4 SSL",
        "Imap4 Account",
        "Imap4 Password",
        "Imap4 Authentication",
        "Imap4 Search Mode",
    ]


def test_the_pop3_tab_is_the_manuals():
    imap4 = [field.label for field in email_tab(Protocol.IMAP4)]
    assert [field.label for field in email_tab(Protocol.POP3)] == [
        *(label for label in imap4[:11] if label != "Email Integration Sync Mode"),
        "Pop3 Server",
        "Pop3 Port",
        "Pop3 SSL",
        "Pop3 Account",
        "Pop3 Password",
    ]


def test_every_key_of_a_mailbox_has_one_field_and_every_flag_one_meaning():
    names = [*keys_of(Mailbox), *keys_of(Sync)]
    names += [f"{section}.{name}" for section in SECTIONS for name in section_keys(section)]
    assert sorted(names) == sorted(field.name for field in all_fields())
    flags = [flag for field in all_fields() for flag in field.flags]
    assert len(flags) == len(set(flags))
    assert {"--imap4-server", "--smtp-ssl", "--domain-name", "--imap4-password-file"} <= set(flags)


def test_every_choice_is_taken_by_its_value_and_by_its_label():
    for field in all_fields():
        for choice in field.choices:
            assert value_from_text(field, choice.value.upper()) == choice.value
            assert value_from_text(field, f" {choice.label} ") == choice.value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("email_integration", "Yes", True),
        ("email_integration", "false", False),
        ("email_integration", "perhaps", "perhaps"),
        ("sync_mode", "VM Folder Only", "voice-mail-folder"),
        ("send_mode", "voice/fax", "voice+fax"),
        ("imap4.security", "yes", "tls"),
        ("imap4.port", "993", 993),
        ("imap4.port", "None", None),
        ("imap4.port", "99x", "99x"),
        ("imap4.server", "", None),
        ("imap4.password", " a b ", " a b "),
        ("imap4.password", "", None),
        ("copies", "a@b c@d", ["a@b", "c@d"]),
        ("copies", "", None),
        ("lamp_command", "/bin/lamp 'a b'", ["/bin/lamp", "a b"]),
        ("lamp_command", "", []),
        ("lamp_command", "'", "'"),
        ("max_delete_fraction", "25%", 0.25),
        ("max_delete_fraction", "0.5", 0.5),
        ("max_delete_fraction", "x%", "x%"),
        ("undo_window", "3d", "3d"),
    ],
)
def test_what_is_typed_becomes_a_value(name, text, value):
    field = field_named(name)
    assert field is not None
    assert value_from_text(field, text) == value


def test_what_is_typed_for_the_system_becomes_a_value():
    keys = keys_of(System)
    assert system_value_from_text(keys["text_to_speech"], "yes") is True
    assert system_value_from_text(keys["protocol"], "pop3") == "pop3"
    assert system_value_from_text(keys["seats"], "12") == 12
    assert system_value_from_text(keys["lamp_command"], "") is None


def test_the_whole_tab_as_typed_makes_a_mailbox(tmp_path):
    config = tmp_path / "syncengine.toml"
    config.write_text("")
    typed = {
        "email_integration": "Yes",
        "sync_mode": "Inbox Only",
        "email_name": "petera@ctlinc.example",
        "smtp.server": "mail.ctlinc.example",
        "smtp.port": "465",
        "smtp.security": "Yes",
        "smtp.authentication": "None",
        "imap4.server": "mail.ctlinc.example",
        "imap4.port": "None",
        "imap4.account": "petera",
        "imap4.password": "x",
    }
    fields = {name: field_named(name) for name in typed}
    add_mailbox(config, "101", {name: value_from_text(fields[name], text) for name, text in typed.items()})
    mailbox = load(config).mailboxes["101"]
    assert (mailbox.sync_mode, mailbox.smtp.security, mailbox.imap4.port) == (
        SyncMode.INBOX,
        Security.TLS,
        993,
    )
    port = field_named("smtp.port")
    set_mailbox(config, "101", {"smtp.port": value_from_text(port, "")})
    assert load(config).mailboxes["101"].smtp.port == 465


def test_a_password_is_marked_as_secret():
    assert {field.name for field in all_fields() if field.secret} == {f"{s}.password" for s in SECTIONS}
