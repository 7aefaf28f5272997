"""The names and addresses of an envelope, and what is refused there."""

from __future__ import annotations

import pytest

from syncengine.delivery.addresses import complete_address, ehlo_name, envelope_address, mail_from, xtext


def test_the_ehlo_name_is_the_accounts_domain_else_the_systems_else_the_hosts() -> None:
    assert ehlo_name("sun.af.mil", "pbx.example.com", lambda: "host.example") == "sun.af.mil"
    assert ehlo_name(" ", "pbx.example.com", lambda: "host.example") == "pbx.example.com"
    assert ehlo_name("", "", lambda: "host.example") == "host.example"


@pytest.mark.parametrize("name", ["a b", "a\r\nQUIT", "", "-", "\udc80", "x" * 300])
def test_what_is_no_host_name_becomes_an_address_literal(name: str) -> None:
    assert ehlo_name("", "", lambda: name) == "[127.0.0.1]"


def test_an_international_domain_is_said_in_a_labels() -> None:
    assert ehlo_name("bücher.example", "") == "xn--bcher-kva.example"
    assert ehlo_name("[192.0.2.1]", "") == "[192.0.2.1]"


def test_an_email_name_without_at_is_completed_with_the_domain() -> None:
    assert complete_address("petera", "ctlinc.example") == "petera@ctlinc.example"
    assert complete_address("petera@other.example", "ctlinc.example") == "petera@other.example"
    assert complete_address(" ", "ctlinc.example") == ""


@pytest.mark.parametrize(
    ("account", "sender"),
    [
        ("box@ctlinc.example", "box@ctlinc.example"),
        ("", "petera@ctlinc.example"),
        ("petera", "petera@ctlinc.example"),
        ("@", "petera@ctlinc.example"),
    ],
)
def test_the_sender_is_the_account_or_the_email_name_where_that_is_no_address(
    account: str, sender: str
) -> None:
    assert mail_from(account, "petera", "ctlinc.example") == sender


@pytest.mark.parametrize(
    "address",
    [
        "a@b.c\r\nDATA",
        "a\n@b.c",
        "a\0@b.c",
        "<a@b.c>",
        "a@b.c> SIZE=1",
        "a b@c.d",
        "a",
        "@b",
        "a@",
        "\udc80@b.c",
        "a@b c",
        "a\u2028@b.c",
        "a" * 250 + "@b.cd",
        "a@" + "b" * 300,
        "a@ü..example",
    ],
)
def test_an_address_that_could_end_a_command_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"it|what"):
        envelope_address(address)


def test_other_addresses_pass_as_they_are_and_their_domain_in_a_labels() -> None:
    assert envelope_address("O'Neil+vm@Example.COM") == "O'Neil+vm@Example.COM"
    assert envelope_address("a@bücher.example") == "a@xn--bcher-kva.example"
    assert envelope_address("jörg@b.example") == "jörg@b.example"


def test_xtext_quotes_what_rfc_3461_says() -> None:
    assert xtext("a+b=c d") == "a+2Bb+3Dc+20d"
