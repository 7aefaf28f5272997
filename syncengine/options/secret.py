"""A password that is read when it is needed, and shown by nothing.

No repr, error or log of this module holds the password or what a password command printed.
"""

from __future__ import annotations

import os
import stat
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from syncengine.errors import SyncError
from syncengine.options import plainfile

if TYPE_CHECKING:
    import subprocess

_LIMIT = 65536
_SECONDS = 30.0


class PasswordKey(StrEnum):
    """The four ways to give a password; at most one of them stands in a section."""

    INLINE = "password"
    COMMAND = "password_command"
    FILE = "password_file"
    ENV = "password_env"


PASSWORD_KEYS = {
    PasswordKey.INLINE: "The password itself. The file that holds it must not be readable by everybody.",
    PasswordKey.COMMAND: "A command that prints the password on its first line; no shell, 30 s at most.",
    PasswordKey.FILE: "A file whose first line is the password; it must not be readable by everybody.",
    PasswordKey.ENV: "The name of an environment variable that holds the password.",
}


class SecretUnavailable(SyncError):
    """The password could not be read; the text says where it was looked for, never what was found."""


class Secret:
    """Where a password is; :meth:`read` fetches it anew each time, so that a changed one is taken up.

    ``where`` names the key for errors, for example ``mailboxes.101.imap4``.
    """

    __slots__ = ("_value", "key", "where")

    key: PasswordKey
    where: str
    _value: str

    def __init__(self, key: PasswordKey, value: str, *, where: str = "") -> None:
        for name, part in (("key", key), ("where", where), ("_value", value)):
            object.__setattr__(self, name, part)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Secret is frozen: {name}")

    def __repr__(self) -> str:
        return f"<Secret from {self.key.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.key, self._value) == (other.key, other._value)

    def __hash__(self) -> int:
        return hash((self.key, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not copied to other processes or files")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    @property
    def path(self) -> Path | None:
        """The password file, None where the password is given otherwise."""
        return Path(self._value) if self.key is PasswordKey.FILE else None

    def read(self) -> str:
        """Return the password. Raises :class:`SecretUnavailable`; may take as long as the command, 30 s."""
        match self.key:
            case PasswordKey.INLINE:
                return self._value
            case PasswordKey.ENV:
                password = os.environ.get(self._value)
                if password is None:
                    self._fail(f"the environment variable {self._value} is not set")
                return password
            case PasswordKey.FILE:
                return self._first_line(self._read_file(Path(self._value)))
            case PasswordKey.COMMAND:
                return self._first_line(self._run(self._value))

    def _fail(self, what: str) -> NoReturn:
        raise SecretUnavailable(f"{self.where or 'password'}: {self.key.value}: {what}")

    def _first_line(self, content: bytes) -> str:
        line = content.split(b"\n", 1)[0].removesuffix(b"\r")
        if not line:
            self._fail("its first line is empty")
        # Not by an exception: UnicodeDecodeError carries the bytes, and a traceback might show them.
        text = line.decode(errors="surrogateescape")
        if not text.isprintable() and any("\udc80" <= character <= "\udcff" for character in text):
            self._fail("its first line is not UTF-8")
        return text

    def _read_file(self, path: Path) -> bytes:
        try:
            content, mode = plainfile.read(path, _LIMIT)
        except OSError as error:
            self._fail(f"{path} cannot be read: {error.strerror}")
        if mode & stat.S_IROTH:
            self._fail(f"{path} is readable by everybody: chmod 600 it")
        return content

    def _run(self, command: str) -> bytes:
        import shlex  # noqa: PLC0415 - these are slow to import, and only a password command needs them
        import subprocess  # noqa: PLC0415

        argv = shlex.split(command)
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, no shell
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            self._fail(f"{argv[0]} cannot be run: {error.strerror}")
        with process:
            output = _output(process, time.monotonic() + _SECONDS)
            if output is None:
                _kill(process)
                self._fail(f"{argv[0]} did not end within {_SECONDS:g} s")
        if process.returncode:
            self._fail(f"{argv[0]} ended with {process.returncode}")
        return output


def _output(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """Read what the process prints, keeping the first part only; None when it outlives ``deadline``.

    The end of the process counts, not the end of the pipe: an agent that it started may hold that open.
    """
    import selectors  # noqa: PLC0415
    import subprocess  # noqa: PLC0415

    assert process.stdout is not None
    kept = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            ended = process.poll() is not None
            if selector.select(0 if ended else min(left, 0.05)):
                chunk = os.read(process.stdout.fileno(), _LIMIT)
                kept = (kept + chunk)[:_LIMIT]
                if not chunk:
                    selector.unregister(process.stdout)
                    break
            elif ended:
                return kept
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    return kept


def _kill(process: subprocess.Popen[bytes]) -> None:
    import signal  # noqa: PLC0415

    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
