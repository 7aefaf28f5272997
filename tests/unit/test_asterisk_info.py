"""Descriptions and ``voicemail.conf``: files of others, read and never trusted."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.voicemail.asterisk.conf import read_conf
from syncengine.voicemail.asterisk.info import MessageInfo, caller_text, parse_info, render_info
from tests.support.asterisk import description


def test_reads_what_asterisk_writes():
    info = parse_info(description(5, flag="Urgent"))
    assert info.msg_id == "1795446905-00000005"
    assert info.caller == ("2035550005", "Peter Adams")
    assert info.seconds == 11
    assert info.urgent
    assert info.received == datetime.fromtimestamp(1795446905, UTC)


@pytest.mark.parametrize(
    ("callerid", "number", "name"),
    [
        ('"Peter Adams" <+12035550117>', "+12035550117", "Peter Adams"),
        ("Peter Adams <117>", "117", "Peter Adams"),
        ('"Quoted \\"Nick\\" Name" <1>', "1", 'Quoted "Nick" Name'),
        ("2035550117", "2035550117", ""),
        ("Peter Adams", "", "Peter Adams"),
        ("Unknown", "", ""),
        ("", "", ""),
        ('"" <>', "", ""),
        ('"Zoë 中村" <5>', "5", "Zoë 中村"),
    ],
)
def test_tells_the_caller_by_number_and_name(callerid: str, number: str, name: str):
    assert parse_info(f"[message]\ncallerid={callerid}\n".encode()).caller == (number, name)


def test_reads_a_name_that_is_not_utf8():
    assert parse_info(b'[message]\ncallerid="J\xf6rg" <1>\n').caller == ("1", "Jörg")


def test_takes_the_first_of_repeated_keys_and_only_of_its_section():
    data = b"[other]\nmsg_id=x\n[message]\nmsg_id=1-1 ; why\nmsg_id=2-2\nduration=>7\n"
    assert parse_info(data).msg_id == "1-1"
    assert parse_info(data).seconds == 7


def test_reads_a_file_without_a_section():
    assert parse_info(b"msg_id=1-1\norigtime=5").msg_id == "1-1"


def test_takes_a_strange_msg_id_for_none():
    assert parse_info(b"[message]\nmsg_id=a b\n").msg_id == ""
    assert parse_info(b"[message]\nmsg_id=" + b"x" * 200).msg_id == ""


@given(st.binary(max_size=400))
def test_never_raises_and_never_lets_a_control_character_through(data: bytes):
    info = parse_info(b"[message]\n" + data)
    number, name = info.caller
    assert (number + name).isprintable()
    assert info.received is None or info.received.tzinfo
    assert info.seconds is None or info.seconds >= 0


@given(st.text(string.printable, max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_what_it_writes_it_reads_again_and_no_value_adds_a_line(name: str, number: str, duration: str):
    info = MessageInfo("1-1", "1795446905", caller_text(number, name), duration, "Urgent", "vm-x ref")
    text = render_info(info, "101")
    assert text.count(b"\n") == 18
    again = parse_info(text)
    assert (again.msg_id, again.origtime, again.urgent, again.mark) == ("1-1", "1795446905", True, "vm-x ref")


CONF = """
[general]
format=wav49|gsm|wav   ; three of them
attach=no
maxmsg=50
tz=central
#include vm_general.inc
;-- a long
1 => comment --;
[zonemessages]
central=America/Chicago|'vm-received' Q 'digits/at' IMp
european=Europe/Copenhagen|'vm-received' a d b
[default]
101 => 4242,Peter Adams,petera@ctlinc.example|copy@ctlinc.example,,attach=yes|tz=european|maxmsg=10
102 => ,Mary,,,delete=yes|moveheard=no
102 => 1,Somebody else
nonsense without equals
../../etc => 1,Evil
[sales](!)
200 = 1234,Sales\\; West,sales@ctlinc.example
"""


def test_reads_the_mailboxes_of_a_voicemail_conf():
    found = {m.number: m for m in read_conf(CONF).mailboxes}
    assert set(found) == {"101", "102", "200"}
    peter, mary, sales = found["101"], found["102"], found["200"]
    assert (peter.context, peter.name) == ("default", "Peter Adams")
    assert peter.emails == ("petera@ctlinc.example", "copy@ctlinc.example")
    assert (peter.attach, peter.delete, peter.tz, peter.maxmsg) == (True, False, "Europe/Copenhagen", 10)
    assert (mary.name, mary.emails, mary.delete, mary.moveheard) == ("Mary", (), True, False)
    assert (mary.attach, mary.tz, mary.maxmsg) == (False, "America/Chicago", 50)
    assert (sales.context, sales.name) == ("sales", "Sales; West")
    assert read_conf(CONF).maxmsg == 50


def test_no_password_comes_out():
    assert "4242" not in repr(read_conf(CONF))
    assert "1234" not in repr(read_conf(CONF))


@given(st.text(alphabet="[]=>,|;-\\#abc101\n \t", max_size=200))
def test_reads_any_text_as_a_conf(text: str):
    for mailbox in read_conf(text).mailboxes:
        assert mailbox.maxmsg >= 0
        assert "/" not in mailbox.number
