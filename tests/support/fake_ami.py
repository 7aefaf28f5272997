"""A manager interface over a :class:`FakeAsterisk`, with the words and quirks of app_voicemail.

It answers ``Response: Success`` to what failed too, ends those messages with a bare line feed, and
mixes in events that nobody asked for.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from syncengine.voicemail.asterisk.info import parse_info
from tests.support.asterisk import Call, FakeAsterisk

GREETING = b"Asterisk Call Manager/9.0.0\r\n"
NOISE = "Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"


class FakeAmi:
    """One listening socket on loopback; ``before`` runs before an action is carried out."""

    def __init__(self, asterisk: FakeAsterisk, *, actions: bool = True) -> None:
        self.asterisk = asterisk
        self.actions = actions
        self.asked: list[dict[str, str]] = []
        self.raw = bytearray()
        self.before: Callable[[str], bytes | None] = lambda action: None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    self._serve(connection)
                except OSError:
                    continue

    def _serve(self, connection: socket.socket) -> None:
        connection.sendall(GREETING)
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                data = connection.recv(4096)
                if not data:
                    return
                self.raw += data
                buffer += data
            block, _, buffer = buffer.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in block.decode().split("\r\n"))
            self.asked.append(fields)
            answer = self.before(fields["Action"])
            if answer is not None:
                connection.sendall(answer)
                return
            connection.sendall(self._answer(fields).encode())

    def _answer(self, fields: dict[str, str]) -> str:
        match fields["Action"]:
            case "Login" if fields["Secret"] == "amp111":
                return self._say(fields, "Success", "Authentication accepted") + NOISE
            case "Login":
                return self._say(fields, "Error", "Authentication failed")
            case "VoicemailRefresh":
                return self._say(fields, "Success", "Refresh sent")
            case _ if not self.actions:
                return self._say(fields, "Error", "Invalid/unknown command")
            case "VoicemailMove":
                done = self._by_id(fields, fields["ToFolder"])
                return NOISE + self._say(
                    fields, "Success", f"Message move {'successful' if done else 'failed'}\n"
                )
            case "VoicemailRemove":
                done = self._by_id(fields, None)
                return self._say(fields, "Success", f"Message remove {'successful' if done else 'failed'}\n")
            case "VoicemailBoxSummary":
                return self._summary(fields)
        return self._say(fields, "Error", "Invalid/unknown command")

    def _say(self, fields: dict[str, str], response: str, message: str) -> str:
        return f"Response: {response}\r\nActionID: {fields['ActionID']}\r\nMessage: {message}\r\n\r\n"

    def _by_id(self, fields: dict[str, str], to: str | None) -> bool:
        folder = self.asterisk.folder(fields["Folder"])
        call: Call = self.asterisk.login(fields["Folder"])
        for number in self.asterisk.numbers(folder):
            if parse_info((folder / f"msg{number:04d}.txt").read_bytes()).msg_id == fields["ID"]:
                with self.asterisk.lock(folder):
                    if to is not None and not self.asterisk.save(folder, number, to):
                        return False
                call.deleted.add(number)
                self.asterisk.hang_up(call)
                return True
        return False

    def _summary(self, fields: dict[str, str]) -> str:
        head = f"Response: Success\r\nActionID: {fields['ActionID']}\r\nEventList: start\r\n"
        text = head + "Message: Voicemail box detail will follow\r\n\r\n"
        for folder in ("INBOX", "Old", "Urgent"):
            for number in self.asterisk.numbers(self.asterisk.folder(folder)):
                info = parse_info((self.asterisk.mailbox / folder / f"msg{number:04d}.txt").read_bytes())
                text += (
                    f"Event: VoicemailBoxDetail\r\nActionID: {fields['ActionID']}\r\nFolder: {folder}\r\n"
                    f"CallerID: {info.callerid}\r\nDuration: {info.duration}\r\nID: {info.msg_id}\r\n\r\n"
                )
        end = (
            f"Event: VoicemailBoxDetailComplete\r\nActionID: {fields['ActionID']}\r\nEventList: Complete\r\n"
        )
        return text + NOISE + end + "ListItems: 2\r\n\r\n"

    def close(self) -> None:
        """Stop listening."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=10)


@contextmanager
def running(asterisk: FakeAsterisk, *, actions: bool = True) -> Iterator[FakeAmi]:
    """A fake manager interface that is listening."""
    ami = FakeAmi(asterisk, actions=actions)
    ami._thread.start()
    try:
        yield ami
    finally:
        ami.close()
