"""Servers that mean harm, or have gone mad: a pass ends in one line, in bounded memory and in time.

Each speaks to an account in a process of its own, whose memory is measured: what it grows by, from before
the first octet to the peak.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.imap_script import LOGGED_IN, scripted
from tests.support.base import ROOT

MEGA = 1 << 20
CHILD = """
import json, sys, time
from syncengine.errors import SyncError
from syncengine.imap.replica import ImapAccount
from syncengine.imap.settings import AccountSettings
from syncengine.model import Security, token_of
sys.setrecursionlimit(500)
port, patience, compress = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "compress"
account = ImapAccount(
    AccountSettings(host="127.0.0.1", port=port, security=Security.NONE, account="u",
                    secret=lambda: "p", timeout=patience, compress=compress),
    recognise=lambda _: None,
)
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))
before, began, said, folders, found = peak(), time.monotonic(), "", 0, 0
try:
    listed = account.folders()
    folders = len(listed)
    for delta in account.observe(listed[0], None, []):
        found += len(delta.found) + len(delta.flags)
except SyncError as error:
    said = str(error)
account.close()
print(json.dumps({"said": said, "grown": peak() - before, "folders": folders, "found": found,
                  "seconds": time.monotonic() - began}))
"""
LISTED = b'* LIST () "/" INBOX\r\n* STATUS INBOX (MESSAGES 1 UIDNEXT 9 UIDVALIDITY 7)\r\n%(tag)s OK\r\n'
SELECTED = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x\r\n%(tag)s OK [READ-ONLY] x\r\n"
USUAL = {b"LIST": LISTED, b"SELECT": SELECTED, b"EXAMINE": SELECTED}


def visited(
    answers: dict[bytes, Any], *, greeting: bytes | None = None, patience: float = 2.0, how: str = ""
) -> dict[str, Any]:
    """What a pass over such a server came to, and by how many MB its process grew."""

    def answer(line: bytes) -> Any:
        words = line.upper().split() or [b""]
        name = words[1] if words[0] == b"UID" else words[0]
        if name in (b"AUTHENTICATE", b"LOGIN") and name not in answers:
            return LOGGED_IN
        return answers.get(name, USUAL.get(name, b"%(tag)s OK\r\n"))

    with scripted(answer, **({} if greeting is None else {"greeting": greeting})) as server:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(server.port), str(patience), how],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=110,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    assert len(result["said"].splitlines()) <= 1
    return result


class Forever:
    """The same piece again and again, without holding it in memory."""

    def __init__(self, piece: bytes, times: int, end: bytes = b"") -> None:
        self.piece, self.times, self.end = piece, times, end

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.times):
            yield self.piece
        yield self.end


HEAD = b"* 1 FETCH (UID 1 FLAGS () BODY[HEADER.FIELDS (X)] {90000000}\r\n"
FOUND = b"* SEARCH 1\r\n%(tag)s OK\r\n"
ENDLESS: dict[str, tuple[dict[bytes, Any], int]] = {
    "a line": ({b"LIST": Forever(b"x" * MEGA, 40)}, 80),
    "a line of a SEARCH": ({b"SEARCH": [b"* SEARCH", *Forever(b" 17" * 300_000, 40)]}, 120),
    "lines": ({b"LIST": Forever(b"* OK still here\r\n" * 20_000, 20)}, 60),
    "folders": ({b"LIST": Forever(b'* LIST () "/" aaaaaaaaaaaaaaaa\r\n' * 20_000, 20)}, 200),
    "a literal": ({b"LIST": [b'* LIST () "/" {4294967295}\r\n', *Forever(b"x" * MEGA, 4)]}, 40),
    "a header": ({b"SEARCH": FOUND, b"FETCH": [HEAD, *Forever(b"x" * MEGA, 100)]}, 40),
    "a number of digits": ({b"LIST": [b"* LIST {99999999999999999999999999}\r\n"]}, 40),
    "parentheses": ({b"LIST": b"* LIST " + b"(" * MEGA + b"\r\n%(tag)s OK\r\n"}, 200),
    "NULs": ({b"LIST": b"\0" * MEGA + b"\r\n"}, 40),
    "a greeting": ({}, 80),
}
"""What has no end, and by how many MB it may make the process grow."""


@pytest.mark.parametrize("name", ENDLESS)
def test_what_has_no_end_ends_in_bounded_memory(name: str):
    answers, most = ENDLESS[name]
    greeting = b"* OK " + b"x" * (40 * MEGA) if name == "a greeting" else None
    result = visited(answers, greeting=greeting)
    assert result["said"], result
    assert result["grown"] < most, result


def test_every_uid_there_is_costs_no_memory():
    """A hostile VANISHED, ESEARCH or STATUS names four billion messages in twenty octets."""
    every = b'* ESEARCH (TAG "%(tag)s") UID ALL 1:4294967295\r\n* SEARCH 4294967295\r\n%(tag)s OK\r\n'
    vanished = SELECTED.replace(b"* OK [UIDV", b"* VANISHED (EARLIER) 1:4294967295\r\n* OK [UIDV")
    result = visited({b"SEARCH": every, b"SELECT": vanished, b"EXAMINE": vanished})
    assert "more than 10000000 members" in result["said"], result
    assert result["grown"] < 60, result


def test_a_million_uids_in_one_answer_are_taken():
    """One line of seven million octets, and as many messages to look at as the server is asked for."""
    numbers = b" ".join(b"%d" % uid for uid in range(1, 1_000_001))
    selected = SELECTED.replace(b"* 1 EXISTS", b"* 1000000 EXISTS").replace(b"UIDNEXT 9", b"UIDNEXT 1000001")
    result = visited(
        {b"SEARCH": b"* SEARCH " + numbers + b"\r\n%(tag)s OK\r\n", b"SELECT": selected, b"EXAMINE": selected}
    )
    assert result["grown"] < 250, result


def test_ten_thousand_folders_are_listed():
    lines = b"".join(b'* LIST () "/" "folder %d"\r\n' % number for number in range(10_000))
    result = visited({b"LIST": lines + LISTED, b"STATUS": b"%(tag)s OK\r\n"})
    assert result["folders"] == 10_001
    assert result["grown"] < 60, result


def test_a_deflate_bomb_is_read_in_small_pieces():
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(b"\0" * (120 * MEGA)) + packer.flush(zlib.Z_SYNC_FLUSH)
    greeting = LOGGED_IN.replace(b"IDLE", b"IDLE COMPRESS=DEFLATE")
    result = visited(
        {b"AUTHENTICATE": greeting, b"COMPRESS": [b"%(tag)s OK\r\n", bomb]}, patience=5, how="compress"
    )
    assert result["grown"] < 80, result


def test_a_server_that_never_comes_to_an_end_is_left():
    """A word every now and then is no silence, and no answer either."""
    result = visited({b"LIST": Drip()}, patience=0.3)
    assert "does not end in time" in result["said"], result


class Drip:
    """A word, and another, and another."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b"* OK still here\r\n"
