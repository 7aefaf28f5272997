"""Asterisk's manager interface (AMI): the few voice-mail actions, one short connection each.

VoicemailMove, VoicemailRemove and VoicemailBoxSummary exist from Asterisk 18.20 and 20.5 on,
VoicemailRefresh from 12. No value can add a line to an action; replies are bounded in size, number and
time. Asterisk answers ``Response: Success`` to what failed too: only the message's words tell.
"""

from __future__ import annotations

import logging
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from syncengine.errors import SyncError

_log = logging.getLogger(__name__)

_MAX_LINE = 16 * 1024
_MAX_BYTES = 16 * 1024 * 1024
_MAX_EVENTS = 200_000

Reply = Mapping[str, str]
"""The fields of a reply or event, names in lower case; of a repeated one the first."""


class AmiUnavailable(SyncError):
    """Nothing was asked of Asterisk: no connection, no login, or an action that it does not have."""


class AmiUnclear(SyncError):
    """Asterisk was asked and did not answer: what became of it is seen at the next look."""


@dataclass(frozen=True, slots=True)
class Ami:
    """Where and as whom to reach the manager interface; ``timeout`` seconds for a whole action."""

    host: str = "127.0.0.1"
    port: int = 5038
    user: str = ""
    secret: str = field(default="", repr=False)
    timeout: float = 10.0

    def move(self, context: str, mailbox: str, folder: str, msg_id: str, to: str) -> bool:
        """Have Asterisk move a message; whether it says that it did."""
        fields = {"Context": context, "Mailbox": mailbox, "Folder": folder, "ID": msg_id, "ToFolder": to}
        return _successful(self._ask("VoicemailMove", fields))

    def remove(self, context: str, mailbox: str, folder: str, msg_id: str) -> bool:
        """Have Asterisk remove a message; whether it says that it did."""
        fields = {"Context": context, "Mailbox": mailbox, "Folder": folder, "ID": msg_id}
        return _successful(self._ask("VoicemailRemove", fields))

    def refresh(self, context: str, mailbox: str) -> None:
        """Have Asterisk count a mailbox again and light or darken its lamps."""
        self._ask("VoicemailRefresh", {"Context": context, "Mailbox": mailbox})

    def summary(self, context: str, mailbox: str) -> tuple[Reply, ...]:
        """What Asterisk itself sees in a mailbox: Folder, ID, CallerID, Date, Duration, Flag of each."""
        fields = {"Context": context, "Mailbox": mailbox}
        with self._session() as session:
            first = session.ask("VoicemailBoxSummary", fields)
            if first.get("eventlist", "").lower() != "start":
                raise AmiUnavailable(f"{self._where}: VoicemailBoxSummary: {_words(first)}")
            return tuple(session.events("voicemailboxdetail", "voicemailboxdetailcomplete"))

    def _ask(self, action: str, fields: Mapping[str, str]) -> Reply:
        with self._session() as session:
            reply = session.ask(action, fields)
        words = _words(reply).lower()
        if reply.get("response", "").lower() != "success" and (
            "unknown command" in words or "permission" in words
        ):
            raise AmiUnavailable(f"{self._where}: {action}: {_words(reply)}")
        return reply

    @property
    def _where(self) -> str:
        return f"manager interface {self.host}:{self.port}"

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        end = time.monotonic() + self.timeout
        try:
            connection = socket.create_connection((self.host, self.port), timeout=self.timeout)
        except OSError as error:
            raise AmiUnavailable(f"{self._where}: no connection: {error.strerror or error}") from None
        with connection:
            session = _Session(connection, self._where, end)
            session.login(self.user, self.secret)
            yield session


class _Session:
    """One connection that is logged in."""

    def __init__(self, connection: socket.socket, where: str, end: float) -> None:
        self._connection = connection
        self._where = where
        self._end = end
        self._buffer = bytearray()
        self._received = 0
        self._id = ""

    def login(self, user: str, secret: str) -> None:
        try:
            if not self._line().startswith("Asterisk Call Manager"):
                raise AmiUnavailable(f"{self._where}: that is no Asterisk manager interface")
            reply = self.ask("Login", {"Username": user, "Secret": secret, "Events": "off"})
        except AmiUnclear as error:
            raise AmiUnavailable(str(error)) from None
        if reply.get("response", "").lower() != "success":
            raise AmiUnavailable(f"{self._where}: login refused: {_words(reply)}; see manager.conf")

    def ask(self, action: str, fields: Mapping[str, str]) -> Reply:
        """Send an action and return its reply; raises :class:`AmiUnclear` if none comes."""
        self._id = secrets.token_hex(8)
        lines = {"Action": action, "ActionID": self._id, **fields}
        text = "".join(f"{name}: {self._value(name, value)}\r\n" for name, value in lines.items())
        try:
            self._connection.settimeout(self._left())
            self._connection.sendall(text.encode("utf-8") + b"\r\n")
        except OSError as error:
            raise AmiUnclear(f"{self._where}: {action}: {error.strerror or error}") from None
        while True:
            reply = self._block()
            if "response" in reply and reply.get("actionid", self._id) == self._id:
                return reply

    def events(self, name: str, last: str) -> Iterator[Reply]:
        """The events of the list that the last reply announced."""
        for _ in range(_MAX_EVENTS):
            reply = self._block()
            if reply.get("actionid", self._id) != self._id:
                continue
            match reply.get("event", "").lower():
                case event if event == name:
                    yield reply
                case event if event == last:
                    return
        raise AmiUnclear(f"{self._where}: more than {_MAX_EVENTS} events in a list")

    def _value(self, name: str, value: str) -> str:
        if any(c in value for c in "\r\n\0") or len(value) > 1024:
            raise AmiUnavailable(f"{self._where}: {name}: a value that cannot stand in an action")
        return value

    def _block(self) -> Reply:
        fields: dict[str, str] = {}
        while True:
            line = self._line()
            if line:
                name, colon, value = line.partition(":")
                if colon:
                    fields.setdefault(name.strip().lower(), value.strip())
            elif fields:
                return fields

    def _line(self) -> str:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _MAX_LINE or self._received > _MAX_BYTES:
                raise AmiUnclear(f"{self._where}: an answer without end")
            try:
                self._connection.settimeout(self._left())
                data = self._connection.recv(65536)
            except OSError as error:
                raise AmiUnclear(f"{self._where}: no answer: {error.strerror or error}") from None
            if not data:
                raise AmiUnclear(f"{self._where}: hung up before it had answered")
            self._received += len(data)
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.decode("utf-8", "replace").rstrip("\r")

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


def _successful(reply: Reply) -> bool:
    done = reply.get("response", "").lower() == "success" and "successful" in _words(reply).lower()
    if not done:
        _log.info("Asterisk did not do what it was asked: %s", _words(reply))
    return done


def _words(reply: Reply) -> str:
    text = reply.get("message", reply.get("response", "no reason given"))[:200]
    return "".join(c if c.isprintable() else " " for c in text)
