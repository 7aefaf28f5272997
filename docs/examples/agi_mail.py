#!/usr/bin/env python3
"""An AGI script for Asterisk: a subscriber hears his e-mails, and deletes or keeps them.

In the dialplan, after the caller has proved who he is::

    exten => *97,1,Answer()
     same => n,VMAuthenticate(101@default)
     same => n,AGI(/usr/local/bin/agi_mail.py,101,/etc/syncengine/syncengine.toml)
     same => n,Hangup()

Keys while a mail is read: 1 from the start, 5 the sentence again, 6 the next mail (this one stays as it
is), 7 delete, 8 keep as new, 9 keep, # end. At the end of a mail there are a few seconds for a key, then the
next one follows. A mail that was heard to its end is marked read on the mail server, no other.

Asterisk speaks on stdin and stdout (https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Gateway-Interface-AGI/).
"""

from __future__ import annotations

import re
import signal
import sys
import tempfile
from pathlib import Path
from typing import TextIO

import syncengine
from syncengine.errors import SyncError
from syncengine.speech.session import MailSession, Spoken

KEYS = "156789#"
THINKING_TIME = 4000
"""Milliseconds that the caller has for a key at the end of a mail."""

_ANSWER = re.compile(r"(\d{3})[ -](?:result=(-?\d+))?")


class HungUp(Exception):
    """The caller is gone."""


class Agi:
    """The channel, as Asterisk's gateway interface shows it."""

    def __init__(self, answers: TextIO, commands: TextIO) -> None:
        """Read the variables that Asterisk sends first, up to the empty line."""
        self._answers = answers
        self._commands = commands
        self.variables: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            self.variables[name.strip()] = value.strip()

    def stream(self, file: Path, keys: str) -> str:
        """Play a file (named without its extension); return the key that stopped it, else ''."""
        return self._key(f'STREAM FILE "{file.with_suffix("")}" "{keys}"')

    def wait_for_key(self, milliseconds: int) -> str:
        """Return the key that was pressed in time, else ''."""
        return self._key(f"WAIT FOR DIGIT {milliseconds}")

    def verbose(self, text: str) -> None:
        """Write a line on Asterisk's console."""
        self._command('VERBOSE "{}" 1'.format(re.sub(r'["\\\r\n]', " ", text)))

    def _key(self, command: str) -> str:
        result = self._command(command)
        if result < 0:
            raise HungUp
        return chr(result) if result else ""

    def _command(self, command: str) -> int:
        try:
            self._commands.write(command + "\n")
            self._commands.flush()
        except OSError as error:
            raise HungUp from error
        line = self._line()
        while line == "HANGUP" or line.startswith("520-"):
            if line == "HANGUP":
                raise HungUp
            while not self._line().startswith("520 "):  # how a usage message ends
                pass
            line = "520 result=0"
        answer = _ANSWER.match(line)
        if answer is None or answer[1] == "511":  # 511: not permitted on a dead channel
            raise HungUp
        return int(answer[2] or 0)

    def _line(self) -> str:
        line = self._answers.readline()
        if not line:
            raise HungUp
        return line.rstrip("\r\n")


def serve(agi: Agi, session: MailSession, folder: Path) -> None:
    """Lead one caller through his mails; ``folder`` holds the sentence that is being played."""
    try:
        if _play(agi, session.say_overview(), folder) == "#" or not session.items:
            return
        session.skip()  # to the first mail
        while session.current is not None:
            key = _decided(agi, session, folder)
            if key == "#":
                return
            try:
                _leave(session, key)
            except SyncError as error:
                agi.verbose(str(error))
                session.keep()
        _play(agi, session.say_no_more(), folder)
    except HungUp:
        session.hang_up()


def _leave(session: MailSession, key: str) -> None:
    match key:
        case "1":
            session.restart()
        case "7":
            session.delete()
        case "8":
            session.mark_new()
            session.keep()
        case _:
            session.keep()


def _decided(agi: Agi, session: MailSession, folder: Path) -> str:
    """Play the open mail; return the key that leaves it, '' when none was pressed after its end."""
    key = ""
    while key in ("", "5"):
        try:
            spoken = session.repeat() if key else session.next_sentence()
        except SyncError as error:
            agi.verbose(str(error))
            return ""
        if spoken is not None:
            key = _play(agi, spoken, folder)
        elif not (key := agi.wait_for_key(THINKING_TIME)):
            return ""
    return key


def _play(agi: Agi, spoken: Spoken, folder: Path) -> str:
    file = folder / "sentence.sln"  # Asterisk's name for 16-bit samples at 8,000 Hz without a header
    file.write_bytes(spoken.sound)
    return agi.stream(file, KEYS)


def main(number: str, config: str) -> None:
    """Serve the caller of mailbox ``number``."""
    try:
        agi = Agi(sys.stdin, sys.stdout)
        try:
            _answer(agi, number, config)
        except SyncError as error:  # no such mailbox, text_to_speech off, no voice: the operator is told
            agi.verbose(str(error))
            sys.exit(1)
    except HungUp:
        pass


def _answer(agi: Agi, number: str, config: str) -> None:
    with syncengine.Engine.open(config) as engine, engine.mailbox(number).mail_session() as session:
        signal.signal(signal.SIGHUP, lambda *_: session.hang_up())  # how Asterisk says that the caller left
        with tempfile.TemporaryDirectory(prefix="mail-") as folder:
            serve(agi, session, Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:3])
