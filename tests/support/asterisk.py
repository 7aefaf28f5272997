"""A double of what else writes in Asterisk's spool: Asterisk itself, by its own algorithms, and FreePBX.

Asterisk takes its locks, FreePBX takes none. Every message carries a serial number in its description
and in each of its recordings, so a test can see whether they still belong together, and everything that
a double removes for good is entered in a ledger.
"""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

FORMATS = ("WAV", "wav", "gsm")
SOUND = {"wav": b"RIFF" + bytes(60), "WAV": b"RIFF" + bytes(80), "gsm": bytes(33)}


def wav(serial: int, extension: str = "wav", size: int = 200) -> bytes:
    """A recording that says which message it belongs to."""
    return SOUND[extension] + f"serial={serial};".encode() + bytes([serial % 251]) * size


def serial_in(data: bytes) -> int:
    """The serial number in a recording or a description."""
    _, _, rest = data.partition(b"serial=")
    return int(rest.partition(b";")[0] or b"-1")


def description(serial: int, **keys: str) -> bytes:
    """A ``msgNNNN.txt`` as Asterisk writes it."""
    values = {
        "origmailbox": "101",
        "context": "macro-vm",
        "exten": "s-NOANSWER",
        "rdnis": "unknown",
        "priority": "2",
        "callerchan": f"PJSIP/2035550117-{serial:08x}",
        "callerid": f'"Peter Adams" <{2035550000 + serial}>',
        "origdate": "Mon Nov 23 03:15:00 PM UTC 2026",
        "origtime": str(1795446900 + serial),
        "category": "",
        "msg_id": f"{1795446900 + serial}-{serial:08x}",
        "flag": "",
        "duration": "11",
        **keys,
    }
    head = f";\n; Message Information file\n; serial={serial};\n[message]\n"
    return (head + "".join(f"{k}={v}\n" for k, v in values.items())).encode()


def write_message(
    folder: Path, number: int, serial: int, formats: tuple[str, ...] = ("wav",), **keys: str
) -> None:
    """Put a message straight into a folder, as if Asterisk had left it there."""
    folder.mkdir(parents=True, exist_ok=True)
    for extension in formats:
        (folder / f"msg{number:04d}.{extension}").write_bytes(wav(serial, extension))
    (folder / f"msg{number:04d}.txt").write_bytes(description(serial, **keys))


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of fsync would wait for a disk that nobody tests."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


class LockTimeout(Exception):
    """Asterisk gave up waiting for a folder: then a caller's message is lost."""


@dataclass
class Call:
    """A subscriber who is logged in: what he heard and deleted is remembered by number."""

    folder: str
    lastmsg: int
    heard: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)


class FakeAsterisk:
    """One mailbox as Asterisk handles it; ``pause`` seconds between its steps widen every race."""

    def __init__(
        self, mailbox: Path, *, mode: str = "lockfile", maxmsg: int = 100, pause: float = 0.0
    ) -> None:
        self.mailbox = mailbox
        self.mode = mode
        self.maxmsg = maxmsg
        self.pause = pause
        self.timeout = 5.0
        self.removed: list[int] = []
        self._saved: set[int] = set()
        self.longest_wait = 0.0

    def folder(self, name: str) -> Path:
        """A folder, made on demand."""
        path = self.mailbox / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def lock(self, folder: Path) -> Iterator[None]:
        """Lock a folder for at most five seconds, in the mode of asterisk.conf."""
        begun = time.monotonic()
        if self.mode == "flock":
            path, file = folder / "lock", None
            while file is None:
                file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if path.stat().st_ino != os.fstat(file).st_ino:
                        raise BlockingIOError
                except (BlockingIOError, FileNotFoundError):
                    os.close(file)
                    file = None
                    self._waited(begun, folder)
            self.longest_wait = max(self.longest_wait, time.monotonic() - begun)
            try:
                yield
            finally:
                path.unlink()
                os.close(file)
            return
        temporary = folder / f".lock-{secrets.token_hex(4)}"
        temporary.touch()
        try:
            while True:
                try:
                    os.link(temporary, folder / ".lock")
                    break
                except FileExistsError:
                    self._waited(begun, folder)
        finally:
            temporary.unlink()
        self.longest_wait = max(self.longest_wait, time.monotonic() - begun)
        try:
            yield
        finally:
            (folder / ".lock").unlink()

    def _waited(self, begun: float, folder: Path) -> None:
        if time.monotonic() - begun > self.timeout:
            raise LockTimeout(folder)
        time.sleep(0.0005)

    def _step(self) -> None:
        if self.pause:
            time.sleep(random.random() * self.pause)

    def numbers(self, folder: Path) -> list[int]:
        """Numbers that have a ``.txt``."""
        return sorted(int(p.name[3:7]) for p in folder.glob("msg[0-9][0-9][0-9][0-9].txt"))

    def leave(
        self, serial: int, *, formats: tuple[str, ...] = ("wav",), folder: str = "INBOX", **keys: str
    ) -> bool:
        """Leave a message that carries its serial number in all of its files."""
        contents = {extension: wav(serial, extension) for extension in formats}
        return self.put({**contents, "txt": description(serial, **keys)}, folder)

    def put(self, contents: Mapping[str, bytes], folder: str = "INBOX") -> bool:
        """Leave a message: recorded in tmp, then renamed under the lock, the ``.txt`` last; False if full."""
        work = self.folder("tmp") / secrets.token_hex(3)
        for extension, content in contents.items():
            work.with_suffix(f".{extension}").write_bytes(content)
        target = self.folder(folder)
        with self.lock(target):
            number = max(self.numbers(target), default=-1) + 1
            done = number < self.maxmsg
            for extension in sorted(contents, key=lambda e: e == "txt") if done else ():
                work.with_suffix(f".{extension}").rename(target / f"msg{number:04d}.{extension}")
                if extension != "txt":
                    self._step()
        for extension in contents:
            work.with_suffix(f".{extension}").unlink(missing_ok=True)
        return done

    def login(self, folder: str = "INBOX") -> Call:
        """Open a mailbox folder: count, and resequence where there are gaps."""
        path = self.folder(folder)
        count = len(self.numbers(path))
        with self.lock(path):
            last = max(self.numbers(path), default=-1)
        if count - 1 != last:
            self.resequence(path)
        return Call(folder, count - 1)

    def resequence(self, folder: Path) -> None:
        """Move messages down into gaps, each with its recordings first."""
        with self.lock(folder):
            destination = 0
            for number in range(9999):
                if (folder / f"msg{number:04d}.txt").exists():
                    if number != destination:
                        self._rename(folder, number, folder, destination)
                    destination += 1

    def hang_up(self, call: Call) -> None:
        """Close the folder: what was heard goes to Old, what was deleted goes, by number."""
        if call.lastmsg < 0:
            return
        self._saved.clear()
        path, current, new_folder = self.folder(call.folder), -1, call.folder in ("INBOX", "Urgent")
        with self.lock(path):
            last = max(self.numbers(path), default=-1)
            number = 0
            while number <= last:
                if number in call.deleted:
                    pass
                elif new_folder and number in call.heard:
                    if not self.save(path, number, "Old"):
                        call.heard.discard(number)
                        continue
                else:
                    if not (path / f"msg{number:04d}.txt").exists():
                        break
                    current += 1
                    if current != number:
                        self._rename(path, number, path, current)
                number += 1
            for rest in range(current + 1, number):
                self._delete(path, rest)

    def save(self, folder: Path, number: int, to: str) -> bool:
        """Copy a message to another folder; False if that one is full."""
        target = self.folder(to)
        with self.lock(target):
            free = max(self.numbers(target), default=-1) + 1
            if free >= self.maxmsg:
                return False
            for source in sorted(folder.glob(f"msg{number:04d}.*"), key=lambda p: p.suffix == ".txt"):
                shutil.copyfile(source, target / f"msg{free:04d}{source.suffix}")
                self._step()
                if source.suffix == ".txt":
                    self._saved.add(serial_in(source.read_bytes()))
        return True

    def _rename(self, folder: Path, number: int, target: Path, to: int) -> None:
        for source in sorted(folder.glob(f"msg{number:04d}.*"), key=lambda p: p.suffix == ".txt"):
            destination = target / f"msg{to:04d}{source.suffix}"
            if source.suffix == ".txt" and destination.exists():
                self._gone(destination)
            source.rename(destination)
            self._step()

    def _delete(self, folder: Path, number: int) -> None:
        text = folder / f"msg{number:04d}.txt"
        if text.exists():
            self._gone(text)
            text.unlink()
            for sound in folder.glob(f"msg{number:04d}.*"):
                sound.unlink()

    def _gone(self, text: Path) -> None:
        serial = serial_in(text.read_bytes())
        if serial not in self._saved:
            self.removed.append(serial)


class FakeFreepbx:
    """FreePBX's user panel: no locks at all."""

    def __init__(self, mailbox: Path, pause: float = 0.0) -> None:
        self.mailbox = mailbox
        self.pause = pause

    def renumber(self, name: str) -> None:
        """Close the gaps of a folder, file by file in the order of their names."""
        folder = self.mailbox / name
        for count, text in enumerate(sorted(folder.glob("*.txt"))):
            number = int(text.name[3:7])
            if number != count:
                for source in sorted(folder.glob(f"msg{number:04d}.*")):
                    destination = folder / f"msg{count:04d}{source.suffix}"
                    destination.unlink(missing_ok=True)
                    try:
                        source.rename(destination)
                    except FileNotFoundError:
                        continue
                    if self.pause:
                        time.sleep(random.random() * self.pause)
