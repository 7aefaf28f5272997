"""Whose message a header is: exact, proven, and never confused by what others write."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.model import TOKEN as TOKEN_PATTERN
from syncengine.model import HeaderFields, Token
from syncengine.rules.identity import (
    HEADER_NAMES,
    MAX_BLOCK,
    MAX_VALUE,
    ascii_domain,
    authentic,
    body_ref,
    derive_token,
    mac,
    mailbox_mark,
    message_id,
    parse_header_block,
    recognise,
    thread_id,
)

TOKEN = Token("vm-0123456789abcdef0123456789abcdef-z")
OTHER = Token("vm-fedcba9876543210fedcba9876543210-z")
DOMAIN = "pbx.example.com"
OURS = HeaderFields(
    message_id=f"<{TOKEN}@{DOMAIN}>",
    vm_uuid=TOKEN,
    vm_system="5f0c",
    vm_mailbox="mb-101-z",
    vm_auth=mac(b"key", TOKEN, "101"),
    references=f"<{TOKEN}@thread.{DOMAIN}>",
    sender='"Peter Adams (voice mail)" <petera@ctlinc.example>',
)
STRIPPED = HeaderFields(references=OURS.references, sender=OURS.sender, message_id="<1@gateway.example>")


def who(header: HeaderFields, mailbox: str = "101") -> Token | None:
    return recognise(header, domain=DOMAIN, mailbox=mailbox, own_addresses=["PeterA@ctlinc.example"])


@pytest.mark.parametrize(
    "header",
    [
        OURS,
        replace(OURS, vm_uuid=""),
        replace(OURS, message_id="<rewritten@ses.example>"),
        replace(OURS, vm_uuid="", message_id=f"<{TOKEN}.2@{DOMAIN}>"),
        replace(OURS, vm_uuid="", message_id=f"<{TOKEN}@PBX.example.com>"),
        replace(STRIPPED, original_message_id=f"<{TOKEN}@{DOMAIN}>"),
        STRIPPED,
        replace(STRIPPED, sender="petera@ctlinc.example"),
    ],
)
def test_a_message_of_ours_is_recognised_by_any_mark_that_is_left(header: HeaderFields) -> None:
    """X-VM-Message-UUID, Message-ID, the original Message-ID, or, in a mail from ourselves, the thread."""
    assert who(header) == TOKEN


@pytest.mark.parametrize(
    "header",
    [
        HeaderFields(),
        replace(OURS, in_reply_to=f"<{TOKEN}@{DOMAIN}>"),
        replace(OURS, report_type="delivery-status"),
        replace(OURS, vm_mailbox="mb-102-z"),
        replace(OURS, vm_mailbox="mb-1010-z"),
        replace(OURS, vm_mailbox="MB-101-Z"),
        replace(OURS, vm_uuid=OTHER),
        replace(OURS, vm_uuid=TOKEN.upper(), message_id="", references=""),
        replace(OURS, vm_uuid=f"{TOKEN}0", message_id="", references=""),
        replace(OURS, vm_uuid="", message_id=f"<{TOKEN}@{DOMAIN}.evil>", references=""),
        replace(OURS, vm_uuid="", message_id=f"<{TOKEN}@thread.{DOMAIN}>", references=""),
        replace(OURS, vm_uuid="", message_id=f"<x{TOKEN}@{DOMAIN}>", references=""),
        replace(STRIPPED, sender="jane@ctlinc.example"),
        replace(STRIPPED, sender="petera@ctlinc.example.evil"),
        replace(STRIPPED, sender='"petera@ctlinc.example" <jane@ctlinc.example>'),
        replace(STRIPPED, sender="=?utf-8?q?=3Cpetera=40ctlinc=2Eexample=3E?="),
        replace(STRIPPED, sender=""),
        replace(STRIPPED, references=f"<{TOKEN}@thread.{DOMAIN}> <{TOKEN}@{DOMAIN}>"),
        replace(STRIPPED, references=f"<{TOKEN}@{DOMAIN}>"),
    ],
)
def test_a_message_that_only_looks_like_ours_is_not(header: HeaderFields) -> None:
    """Replies, forwards, reports, other mailboxes' messages, substrings and contradictions."""
    assert who(header) is None


def test_a_copy_resent_to_another_mailbox_is_not_that_mailboxs() -> None:
    """Resending keeps every field: only X-VM-Mailbox tells."""
    assert who(OURS, mailbox="102") is None
    assert who(OURS, mailbox="10") is None


def test_a_header_block_is_read_whatever_the_server_did_to_it() -> None:
    """Lower-cased names, folding, encoded words, LF line ends; From is left encoded."""
    block = (
        f"x-vm-message-uuid: {TOKEN}\n"
        "X-VM-SYSTEM:\r\n\t5f0c\r\n"
        "X-VM-Mailbox: =?us-ascii?q?mb-101-z?=\r\n"
        f"Message-ID:\r\n <{TOKEN}@{DOMAIN}>\r\n"
        f"message-id: <second@{DOMAIN}>\r\n"
        "References: <a@b>\r\n <c@d>\r\n"
        "In-Reply-To : <e@f>\r\n"
        "From: =?utf-8?q?=3Ca=40b=3E?= <c@d>\r\n"
        'Content-Type: multipart/report; boundary="x";\r\n report-type="Delivery-Status"\r\n'
        "X-Google-Original-Message-ID: <g@h>\r\n"
        "Subject: not wanted\r\n\r\n"
    )

    assert parse_header_block(block.encode()) == HeaderFields(
        message_id=f"<{TOKEN}@{DOMAIN}>",
        vm_uuid=TOKEN,
        vm_system="5f0c",
        vm_mailbox="mb-101-z",
        original_message_id="<g@h>",
        references="<a@b> <c@d>",
        in_reply_to="<e@f>",
        sender="=?utf-8?q?=3Ca=40b=3E?= <c@d>",
        report_type="delivery-status",
    )


def test_an_ordinary_mail_has_no_report_type() -> None:
    """A parameter of another type is no report's."""
    assert parse_header_block(b"Content-Type: text/plain; report-type=x\r\n").report_type == ""
    assert parse_header_block(b"Content-Type: multipart/report\r\n").report_type == "unknown"


header_bytes = st.binary(max_size=2000) | st.lists(
    st.sampled_from(
        [name.encode() for name in HEADER_NAMES]
        + [b": ", b":", b"\r\n", b"\n ", b"\r\n\t", b"\0", b"\xff", b"=?utf-8?q?", b"=?x?b?A?=", b"?=", b"("]
        + [b"=?utf-16?b?/w==?=", b"=?idna?q?xn--a?=", b"=?undefined?q?a?=", b"<", b"@", b">", TOKEN.encode()]
    ),
    max_size=60,
).map(b"".join)


@given(block=header_bytes)
def test_no_header_block_raises_or_grows(block: bytes) -> None:
    """The fields of a mail are anybody's to write."""
    header = parse_header_block(block)

    for name in HeaderFields.__slots__:
        value = getattr(header, name)
        assert len(value) <= MAX_VALUE
        assert value.isprintable()
        value.encode("utf-8")
    who(header)
    assert not authentic(header, secret=b"key", system_id="5f0c", mailbox="101")


def test_an_endless_header_block_is_cut() -> None:
    """Memory stays bounded, and what stands first is still found."""
    block = f"X-VM-Message-UUID: {TOKEN}\r\nReferences: ".encode() + b"(<" * 10**6

    header = parse_header_block(block)

    assert header.vm_uuid == TOKEN
    assert len(header.references) <= MAX_VALUE < MAX_BLOCK


def test_only_the_keys_holder_writes_an_authentic_header() -> None:
    """Every field that the key or the installation vouches for is needed."""

    def check(header: HeaderFields, key: bytes = b"key", mailbox: str = "101", system: str = "5f0c") -> bool:
        return authentic(header, secret=key, system_id=system, mailbox=mailbox)

    assert check(OURS)
    assert not check(OURS, key=b"another")
    assert not check(OURS, mailbox="102")
    assert not check(OURS, system="")
    assert not check(replace(OURS, vm_system="5f0d"))
    assert not check(replace(OURS, vm_system=""), system="")
    assert not check(replace(OURS, vm_uuid=OTHER))
    assert not check(replace(OURS, vm_uuid=""))
    assert not check(replace(OURS, vm_auth=""))
    assert not check(replace(OURS, vm_auth="ü" * 64))
    assert not check(replace(OURS, vm_mailbox="mb-102-z"), mailbox="102")


def test_without_a_key_nothing_is_signed() -> None:
    """An empty key would let anybody sign."""
    with pytest.raises(ValueError, match="key"):
        mac(b"", TOKEN, "101")


def test_a_derived_token_is_always_the_same_and_of_its_message_only() -> None:
    """A lost index finds the same token again; moving a character between the values changes it."""
    token = derive_token(b"key", "store", "7")

    assert token == derive_token(b"key", "store", "7")
    assert TOKEN_PATTERN.fullmatch(token)
    others = [
        (b"yek", "store", "7"),
        (b"key", "stor", "e7"),
        (b"key", "store7", ""),
        (b"key", "store", "\ud800"),
    ]
    assert len({token, *(derive_token(*other) for other in others)}) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Hello\r\nRef: {TOKEN}\r\n", TOKEN),
        (f"Ref: {TOKEN}", TOKEN),
        (f"Ref: {TOKEN}\nRef: {TOKEN}\n", TOKEN),
        (f"Ref: {TOKEN}\nRef: {OTHER}\n", None),
        (f"> Ref: {TOKEN}\r\n", None),
        (f" Ref: {TOKEN}\r\n", None),
        (f"Ref: {TOKEN} \r\n", None),
        (f"ref: {TOKEN}\r\n", None),
        (f"x\u2028Ref: {TOKEN}\n", None),
        (f"Ref:\n {TOKEN}", None),
        ("", None),
    ],
)
def test_only_a_line_that_is_exactly_the_reference_counts(text: str, expected: Token | None) -> None:
    """A quoted or indented reference is somebody's reply or forward."""
    assert body_ref(text) == expected


def test_a_mailbox_mark_is_one_word_that_no_other_contains() -> None:
    """Servers' searches match substrings."""
    assert mailbox_mark("101") == "mb-101-z"
    assert mailbox_mark("10") not in mailbox_mark("101")
    assert mailbox_mark("1 0\r\nX: y") == "mb-1%200%0D%0AX%3A%20y-z"


def test_identifiers_are_built_as_they_are_recognised() -> None:
    """What is written is what is looked for, whatever the domain's case or script."""
    assert message_id(TOKEN, "PBX.Bücher.example") == f"<{TOKEN}@pbx.xn--bcher-kva.example>"
    assert thread_id(TOKEN, DOMAIN) == OURS.references
    assert who(HeaderFields(message_id=message_id(TOKEN, DOMAIN, copy=12))) == TOKEN


@pytest.mark.parametrize("domain", ["", ".", "a b", "a\r\nb", "a@b", "<a>", "a" * 64, "a..b", "ü" * 300])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    """It would stand in every identifier."""
    with pytest.raises(ValueError, match=r"domain|label|encoding"):
        ascii_domain(domain)
